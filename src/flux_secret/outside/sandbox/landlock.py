"""Folders → a Landlock domain around the calling process (landlock(7)); nothing else of ours.

Used where no namespaces can be had, as in a pod under PodSecurity `restricted`. Inside, files
outside the view cannot be opened, made or moved (that they exist can still be seen), and no signal
and no abstract socket reaches a process outside, whose memory and environment are closed too.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

MIN_ABI: Final = 6  # Linux 6.12: the first that confines signals and abstract sockets
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every machine
_VERSION: Final = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH: Final = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3  # linux/landlock.h
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
_ALL_FILE_RIGHTS: Final = (1 << 16) - 1
_RIGHTS_OF_A_FILE: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
_SCOPES: Final = 0b11  # abstract unix sockets, signals

READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
WRITE: Final = _ALL_FILE_RIGHTS & ~_IOCTL_DEVICE
DEVICE: Final = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEVICE


def abi() -> int:
    """Give the version of Landlock that the kernel has; 0 for none, or not switched on."""
    return max(0, _syscall(_CREATE_RULESET, None, 0, _VERSION))


def restrict(views: Sequence[tuple[str, int]]) -> None:
    """Confine this process, and what it starts, to (path, rights) pairs.

    A path that is not there is left out. `no_new_privs` must be set. Raises `OSError`.
    """
    attributes = struct.pack("=QQQ", _ALL_FILE_RIGHTS, 0, _SCOPES)
    ruleset = _checked(_syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    try:
        for path, rights in views:
            try:
                handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                if not Path(path).is_dir():
                    rights &= _RIGHTS_OF_A_FILE  # noqa: PLW2901 -- what the kernel takes for a file
                rule = struct.pack("=Qi", rights, handle)
                _checked(_syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
            finally:
                os.close(handle)
        _checked(_syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    libc.syscall.restype = ctypes.c_long
    return int(libc.syscall(ctypes.c_long(number), *words))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
