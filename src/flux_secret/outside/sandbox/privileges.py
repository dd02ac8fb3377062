"""What the calling process gives up for good before it starts a confined program.

Plain system calls by ctypes: a library for them (pyseccomp, python-prctl) would need a compiler or
a system library, and the images that we run in have neither.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from collections.abc import Mapping
from typing import Final

_SET_NO_NEW_PRIVS, _CAPABILITY_DROP, _AMBIENT, _AMBIENT_CLEAR_ALL = 38, 24, 47, 4  # prctl(2)
_SET_SECCOMP, _SECCOMP_FILTER = 22, 2
_CAPABILITY_VERSION_3: Final = 0x2008_0522
_INSTRUCTION: Final = 8  # bytes of a struct sock_filter


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def limit(limits: Mapping[int, int]) -> None:
    """Set resource limits, hard ones; one that is lower already stays."""
    for which, wanted in limits.items():
        _, hard = resource.getrlimit(which)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (value, value))


def no_new_privileges() -> None:
    """Let no program that is started have more rights than this one (set-uid included)."""
    _checked(_libc().prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def drop_capabilities() -> None:
    """Give up every capability, root's too."""
    libc = _libc()
    capability = 0
    while libc.prctl(_CAPABILITY_DROP, capability, 0, 0, 0) == 0:
        capability += 1  # ends at the first that the kernel does not know, or that we may not drop
    libc.prctl(_AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _checked(libc.capset(ctypes.c_char_p(header), ctypes.c_char_p(bytes(24))))


def filter_calls(program: bytes) -> None:
    """Let the kernel apply a seccomp filter from now on; `no_new_privs` must be set."""
    buffer = ctypes.create_string_buffer(program, len(program))
    described = _Program(len(program) // _INSTRUCTION, ctypes.addressof(buffer))
    _checked(_libc().prctl(_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(described), 0, 0))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
