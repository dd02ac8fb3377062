"""A process → all that it started: who they are, what they use, and their end.

A *group* here is every descendant of one process. No resource limit counts a group, and
RLIMIT_NPROC counts a whole user, so memory and processes are looked at every few ms: first at what
the machine has left, then, where that hints at growth, at the processes themselves.
"""

# ruff: noqa: PTH110, PTH123, PTH208 -- done every few ms, and a Path takes longer than the call
from __future__ import annotations

import os
import signal
import stat
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

OVER_MEMORY: Final = signal.SIGUSR1
OVER_PROCESSES: Final = signal.SIGUSR2
_LOOK_SECONDS: Final = 0.02  # between two looks at the bounds, at least
_LOOK_SHARE: Final = 20  # a look may take one part in so many of the time,
_LONGEST_SECONDS: Final = 0.1  # but so long nobody may be left alone
_HASTE_SECONDS: Final = 0.005
_FILES_SECONDS: Final = 0.5  # between two walks through the files where nothing hints at growth
_UNHINTED_SECONDS: Final = 0.5  # between two looks at the processes, likewise
_HINT_SHARE: Final = 16  # growth of one part in so many of the bound of memory is a hint,
_HASTE_SHARE: Final = 4  # and of processes; and from here on they may be growing fast
_SECTOR: Final = 512  # what st_blocks counts: stat(2)
_INODE: Final = 1024  # what an empty file takes in memory, about
_LISTS_CHILDREN: Final = os.path.exists("/proc/thread-self/children")  # CONFIG_PROC_CHILDREN


def descendants(ancestor: int) -> list[int]:
    """Give every process below `ancestor`, parents first.

    One that forks or ends meanwhile may be missing (proc(5), on `children`): look again.
    """
    children_of = children if _LISTS_CHILDREN else _children_by_parent().__getitem__
    found = [*children_of(ancestor)]
    for process in found:  # grows while it is walked
        found += children_of(process)
    return found


def children(parent: int) -> list[int]:
    """Give the children of one process; none of one that is gone."""
    if not _LISTS_CHILDREN:
        return _children_by_parent()[parent]
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{parent}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{parent}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
        except OSError:
            continue
    return found


def _children_by_parent() -> dict[int, list[int]]:
    """Look at every process there is, from `/proc/PID/stat`, which every kernel has."""
    found: dict[int, list[int]] = defaultdict(list)
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # the name, in brackets, may hold anything; then state and parent: proc(5)
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):  # it has just ended
            continue
        found[parent].append(int(name))
    return found


def end(processes: Iterable[int]) -> None:
    """Kill; whoever is gone already, or was made by root, is passed over.

    Whole process groups first: the kernel ends a group at once, and no fork gets ahead of it.
    """
    processes = [*processes]
    groups = set()
    for process in processes:
        try:
            groups.add(os.getpgid(process))
        except ProcessLookupError:
            continue
    for group in groups - {os.getpgrp()}:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def private_bytes(processes: Iterable[int]) -> int:
    """Add up what these processes have in memory that lies in no folder.

    That is what each has for itself or shares with others, but no mapped file; and files without a
    name that they hold open (memfd_create(2), or removed). What several have mapped counts for each
    of them: a script does not get more by sharing it.
    """
    total = 0
    nameless: dict[tuple[int, int], int] = {}
    for process in processes:
        try:
            status = _content(f"/proc/{process}/status")
            total += sum(_kib(status, name) for name in (b"\nRssAnon:", b"\nRssShmem:"))
            for name in os.listdir(f"/proc/{process}/fd"):
                about = os.stat(f"/proc/{process}/fd/{name}")  # noqa: PTH116 -- as above
                if stat.S_ISREG(about.st_mode) and about.st_nlink == 0:
                    nameless[about.st_dev, about.st_ino] = about.st_blocks * _SECTOR
        except (OSError, ValueError):
            continue
    return total * 1024 + sum(nameless.values())


def file_bytes(folders: Iterable[str]) -> int:
    """Add up what lies in these folders; what vanishes meanwhile does not count."""
    total, waiting = 0, [*folders]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * _SECTOR
                    total += _INODE
        except OSError:
            continue
    return total


class _Files:
    """What lies in folders, added up only now and then: a checkout may have 50,000 files.

    How full their file systems are is one call. What is written there in haste shows in it at
    once; where something else is removed meanwhile, the next walk shows it.
    """

    def __init__(self, folders: Sequence[str], hint_bytes: int) -> None:
        self._folders = folders
        self._hint_bytes = hint_bytes
        self._bytes = 0
        self._free = self._free_bytes()
        self._due = time.monotonic() + _FILES_SECONDS

    @property
    def hint(self) -> bool:
        """Whether there may be much more than at the last walk."""
        return self._free_bytes() < self._free - self._hint_bytes

    def bytes(self) -> int:
        free = self._free_bytes()
        now = time.monotonic()
        if now >= self._due or free < self._free - self._hint_bytes:
            self._bytes = file_bytes(self._folders)
            self._free = free
            self._due = now + max(_FILES_SECONDS, _LOOK_SHARE * (time.monotonic() - now))
        return self._bytes

    def _free_bytes(self) -> int:
        free = 0
        for folder in self._folders:
            try:
                about = os.statvfs(folder)
            except OSError:
                continue
            free += about.f_bfree * about.f_frsize
        return free


class _Machine:
    """What the whole machine has left: what a group takes in haste shows in it at once.

    Two reads, of files that have nothing to do with any process. A look at a process makes the
    kernel remember its folder in `/proc`, and whoever waits for its end then spins until that is
    forgotten: with several at work that took a fifth of all of the processor's time.
    """

    def __init__(self, memory_bytes: int, processes: int) -> None:
        self._memory_bytes = memory_bytes // _HINT_SHARE
        self._threads = processes // _HASTE_SHARE
        self.note()

    def note(self) -> None:
        """Compare with what is left now from here on."""
        self._available, self._running = self._left()

    @property
    def hint(self) -> bool:
        """Whether somebody may have taken much since then."""
        available, running = self._left()
        lost = self._available - available
        came = running - self._running
        return available < 0 or lost > self._memory_bytes > 0 or came > self._threads > 0

    def _left(self) -> tuple[int, int]:
        """Give the bytes that are available, swap included, and how many threads there are.

        -1 where this kernel does not say it: then everything is a hint.
        """
        try:
            memory, load = _content("/proc/meminfo"), _content("/proc/loadavg")
            kib = sum(_kib(memory, name) for name in (b"\nMemAvailable:", b"\nSwapFree:"))
            return kib * 1024, int(load.split()[3].partition(b"/")[2])
        except (OSError, ValueError, LookupError):
            return -1, 0


def _content(name: str) -> bytes:
    handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, 8192)
    finally:
        os.close(handle)


def _kib(content: bytes, name: bytes) -> int:
    """Give a figure of a file of /proc; raise `ValueError` where it is not there."""
    _, found, rest = content.partition(name)
    if not found:
        raise ValueError(name)
    return int(rest.split(None, 1)[0])


class Watch:
    """Looks at the bounds of our own group now and then, for at most a twentieth of the time."""

    def __init__(self, memory_bytes: int, processes: int, folders: Sequence[str]) -> None:
        self._memory_bytes = memory_bytes
        self._processes = processes
        self._machine = _Machine(memory_bytes, processes)
        self._files = _Files(folders, memory_bytes // _HINT_SHARE)
        self._due = time.monotonic() + _LOOK_SECONDS
        self._unhinted = time.monotonic() + _UNHINTED_SECONDS

    @property
    def pause(self) -> float:
        """How many seconds until the next look."""
        return max(0.0, self._due - time.monotonic())

    def exceeded(self) -> signal.Signals | None:
        """Look, if it is time to; give the signal that says which bound the group is over."""
        now = time.monotonic()
        if now < self._due:
            return None
        if now < self._unhinted and not self._machine.hint and not self._files.hint:
            self._due = now + _LOOK_SECONDS
            return None
        return self._looked()

    def _looked(self) -> signal.Signals | None:
        began = time.process_time()  # of ours: on a busy machine a look takes long but costs little
        self._machine.note()  # before: what comes meanwhile is a hint
        processes = descendants(os.getpid())
        memory = private_bytes(processes)
        if self._memory_bytes:
            memory += self._files.bytes()
        looked = time.monotonic()
        spent = time.process_time() - began
        if not self._processes or _HASTE_SHARE * len(processes) < self._processes:
            self._due = looked + max(_LOOK_SECONDS, min(_LOOK_SHARE * spent, _LONGEST_SECONDS))
            self._unhinted = looked + _UNHINTED_SECONDS
        else:  # it may be growing fast
            self._due = self._unhinted = looked + _HASTE_SECONDS
        if self._processes and len(processes) > self._processes:
            return OVER_PROCESSES
        if self._memory_bytes and memory > self._memory_bytes:
            return OVER_MEMORY
        return None
