"""What the kernel refuses a confined program → a seccomp filter (classic BPF, seccomp(2)).

Allowed is what is not named here, as generators are ordinary programs; refused is what has no
business in one and has let programs out of sandboxes before:

- io_uring, which opens sockets and files past every other rule here (it answers ENOSYS, and
  programs fall back);
- looking into other processes, and the kernel's keyrings;
- new namespaces, mounts, and whatever administers the machine;
- typing into somebody's terminal (ioctl TIOCSTI, TIOCLINUX: CVE-2017-5226);
- system calls by another ABI of the same machine, whose numbers mean other things;
- sockets, as `Sockets` says.
"""

from __future__ import annotations

import enum
import errno
import functools
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import ConfigurationError


class Sockets(enum.Enum):
    """Which kinds of socket a program may make; pairs of connected ones it always may."""

    NONE = "none"
    LOCAL = "local"
    """AF_UNIX: fine where no socket of the machine can be seen or named."""
    NETWORK = "network"
    """IPv4, IPv6, and netlink, by which the C library asks for addresses; not AF_UNIX."""
    ALL = "all"
    """Both."""


_FAMILIES: Final = {
    Sockets.NONE: (),
    Sockets.LOCAL: (1,),
    Sockets.NETWORK: (2, 10, 16),
    Sockets.ALL: (1, 2, 10, 16),
}  # AF_UNIX 1, AF_INET 2, AF_INET6 10, AF_NETLINK 16: socket(2)

# name: (x86_64, aarch64), None where the machine does not have it
_REFUSED: Final[dict[str, tuple[int | None, int | None]]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
_ABSENT: Final[dict[str, tuple[int, int]]] = {
    "clone3": (435, 435),  # its flags lie where a filter cannot look; programs use clone then
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
}
_SETSID: Final = (112, 157)
_SETPGID: Final = (109, 154)
_SOCKET: Final = (41, 198)
_CLONE: Final = (56, 220)
_IOCTL: Final = (16, 29)
_NEW_NAMESPACES: Final = 0x7E02_0080  # every CLONE_NEW* flag of clone(2)
_TERMINAL_INPUT: Final = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX

_MACHINES: Final = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}  # AUDIT_ARCH_*
_X32_BIT: Final = 0x4000_0000  # set in the numbers of x86_64's other ABI
_RETURN_ALLOW: Final = 0x7FFF_0000
_RETURN_ERRNO: Final = 0x0005_0000
_RETURN_KILL: Final = 0x8000_0000  # the whole process
_LOAD, _JEQ, _JGE, _JSET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # linux/bpf_common.h
_NUMBER, _ARCHITECTURE, _ARGUMENT_0, _ARGUMENT_1 = 0, 4, 16, 24  # of struct seccomp_data


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction; jumps are relative to the next one."""

    code: int
    value: int
    if_true: int = 0
    if_false: int = 0

    def packed(self) -> bytes:
        return struct.pack("=HBBI", self.code, self.if_true, self.if_false, self.value)


@functools.cache  # every command asks
def program(sockets: Sockets, *, one_group: bool = False, machine: str | None = None) -> bytes:
    """Give the filter, an array of `struct sock_filter`.

    `one_group`: setsid(2) and setpgid(2) do nothing and say that they did, so that one signal to
    the process group ends everything, faster than anything can fork. Raises
    `ConfigurationError` on a machine whose system calls are not known here.
    """
    name = machine or os.uname().machine
    if name not in _MACHINES:
        raise ConfigurationError(
            f"there is no sandbox for the machine {name}",
            remedy="run on x86_64 or aarch64, or accept --unsafe-no-sandbox",
        )
    column, architecture = _MACHINES[name]
    steps = [
        _Step(_LOAD, _ARCHITECTURE),
        _Step(_JEQ, architecture, 1, 0),
        _Step(_RETURN, _RETURN_KILL),
        _Step(_LOAD, _NUMBER),
    ]
    if name == "x86_64":
        steps += [_Step(_JGE, _X32_BIT, 0, 1), _Step(_RETURN, _RETURN_KILL)]
    for refused in _REFUSED.values():
        if (number := refused[column]) is not None:
            steps += _answer(number, errno.EPERM)
    for absent in _ABSENT.values():
        steps += _answer(absent[column], errno.ENOSYS)
    if one_group:
        for ineffective in (_SETSID, _SETPGID):
            steps += _answer(ineffective[column], 0)
    steps += _unless(_SOCKET[column], _ARGUMENT_0, _FAMILIES[sockets])
    steps += _when(_CLONE[column], _ARGUMENT_0, [_Step(_JSET, _NEW_NAMESPACES, 0, 1)])
    steps += _when(
        _IOCTL[column], _ARGUMENT_1, [_Step(_JEQ, number, 0, 1) for number in _TERMINAL_INPUT]
    )
    steps.append(_Step(_RETURN, _RETURN_ALLOW))
    return b"".join(step.packed() for step in steps)


def _answer(number: int, code: int) -> list[_Step]:
    return [_Step(_JEQ, number, 0, 1), _Step(_RETURN, _RETURN_ERRNO | code)]


def _unless(number: int, argument: int, allowed: Sequence[int]) -> list[_Step]:
    """Refuse the call unless its argument is one of these."""
    rest = len(allowed)
    inner = [
        _Step(_LOAD, argument),
        *(_Step(_JEQ, value, rest - place, 0) for place, value in enumerate(allowed)),
        _Step(_RETURN, _RETURN_ERRNO | errno.EPERM),
        _Step(_LOAD, _NUMBER),
    ]
    return [_Step(_JEQ, number, 0, len(inner)), *inner]


def _when(number: int, argument: int, tests: Sequence[_Step]) -> list[_Step]:
    """Refuse the call when one of the tests of its argument is true; each skips one if not."""
    inner = [_Step(_LOAD, argument)]
    for test in tests:
        inner += [test, _Step(_RETURN, _RETURN_ERRNO | errno.EPERM)]
    inner.append(_Step(_LOAD, _NUMBER))
    return [_Step(_JEQ, number, 0, len(inner)), *inner]
