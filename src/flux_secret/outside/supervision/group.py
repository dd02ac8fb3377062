"""A process → all that it started: who they are, what they use, and their end.

A *group* here is every descendant of one process. No resource limit counts a group, and
RLIMIT_NPROC counts a whole user, so memory and processes are looked at every few ms.
"""

# ruff: noqa: PTH110, PTH123, PTH208 -- done every few ms, and a Path takes longer than the call
from __future__ import annotations

import os
import signal
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
_FILES_SHARE: Final = 16  # growth of so much of the bound is a hint
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_SECTOR: Final = 512  # what st_blocks counts: stat(2)
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
    """Add up what these processes have in memory for themselves: resident less shared."""
    pages = 0
    for process in processes:
        try:
            with open(f"/proc/{process}/statm", "rb") as file:
                _, resident, shared, *_ = file.read().split()
        except (OSError, ValueError):
            continue
        pages += int(resident) - int(shared)
    return pages * _PAGE


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


class Watch:
    """Looks at the bounds of our own group now and then, for at most a twentieth of the time."""

    def __init__(self, memory_bytes: int, processes: int, folders: Sequence[str]) -> None:
        self._memory_bytes = memory_bytes
        self._processes = processes
        self._files = _Files(folders, memory_bytes // _FILES_SHARE)
        self._due = time.monotonic() + _LOOK_SECONDS

    @property
    def pause(self) -> float:
        """How many seconds until the next look."""
        return max(0.0, self._due - time.monotonic())

    def exceeded(self) -> signal.Signals | None:
        """Look, if it is time to; give the signal that says which bound the group is over."""
        if time.monotonic() < self._due:
            return None
        began = time.process_time()  # of ours: on a busy machine a look takes long but costs little
        processes = descendants(os.getpid())
        memory = private_bytes(processes)
        if self._memory_bytes:
            memory += self._files.bytes()
        looked = time.monotonic()
        spent = time.process_time() - began
        if not self._processes or 4 * len(processes) < self._processes:
            self._due = looked + max(_LOOK_SECONDS, min(_LOOK_SHARE * spent, _LONGEST_SECONDS))
        else:  # it may be growing fast
            self._due = looked + _HASTE_SECONDS
        if self._processes and len(processes) > self._processes:
            return OVER_PROCESSES
        if self._memory_bytes and memory > self._memory_bytes:
            return OVER_MEMORY
        return None
