"""Run one program within bounds, then end everything that it started; nothing is left afterwards.

A process of its own, between us and a program that we did not choose. As a child subreaper it
inherits every orphan (prctl(2), PR_SET_CHILD_SUBREAPER), so daemons and processes in sessions of
their own are ended too. It exits as the program did: its code, or 128 + its signal. It ends
everything when it gets SIGTERM, and when whoever started it dies (PR_SET_PDEATHSIG).

A child counts against its *group*: memory and processes of all descendants together are looked at
every few ms, as no resource limit counts a group, and RLIMIT_NPROC counts a whole user. A group
over its bounds is ended, and this process with it, by the signal that `OVER` names.

A `Confinement` crosses argv as words: paths, numbers, and a seccomp filter; never a value.

One is started with every generator command, and most of what that costs is importing: `typing` and
`enum` would be half of it. So this module, and those it imports, do without them.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Final
else:
    import _signal as signal  # the same without enum

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
FILTER: Final = "{filter}"
"""Stands for a file descriptor with the seccomp filter in a program's words (bubblewrap's)."""
OVER_MEMORY: Final = signal.SIGUSR1
OVER_PROCESSES: Final = signal.SIGUSR2
NOT_CONFINED: Final = signal.SIGSYS
_RESCAN_SECONDS: Final = 0.001  # between two looks for what is still alive
_LOOK_SECONDS: Final = 0.02  # between two looks at the bounds, at least
_LOOK_SHARE: Final = 20  # a look may take one part in so many of the time,
_LONGEST_SECONDS: Final = 0.1  # but so long nobody may be left alone
_HASTE_SECONDS: Final = 0.005
_FILES_SHARE: Final = 10  # looks at processes for one at the files
_LOWEST_PRIORITY: Final = 19
_NOT_STARTED: Final = 127  # as a shell says it
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_SECTOR: Final = 512  # what st_blocks counts: stat(2)


class Words:
    """What the words said; `Confinement` has the same names, and says what each of them means."""

    def __init__(self, words: list[str]) -> None:
        """Read `NAME=VALUE…`."""
        several: dict[str, list[str]] = {}
        for word in words:
            name, _, value = word.partition("=")
            several.setdefault(name, []).append(value)
        single = {name: values[-1] for name, values in several.items()}
        self.memory_bytes = int(single.get("memory", 0))
        self.processes = int(single.get("processes", 0))
        self.open_files = int(single.get("open-files", 0))
        self.folders = several.get("folder", [])
        self.seccomp = bytes.fromhex(single.get("seccomp", ""))
        self.landlock = "landlock" in single
        self.readable = several.get("readable", [])
        self.writable = several.get("writable", [])
        self.devices = several.get("device", [])


def descendants(ancestor: int) -> list[int]:
    """Give every process below `ancestor`, parents first.

    From `/proc/PID/stat`, which every kernel has; `/proc/PID/task/*/children` is optional.
    """
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 -- importing pathlib costs 5 ms of every start
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 -- the same
                # the name, in brackets, may hold anything; then state and parent: proc(5)
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):  # it has just ended
            continue
        children.setdefault(parent, []).append(int(name))
    found = list(children.get(ancestor, ()))
    for process in found:  # grows while it is walked
        found += children.get(process, ())
    return found


def end(processes: list[int]) -> None:
    """Kill; whoever is gone already, or was made by root, is passed over.

    Whole process groups first: the kernel ends a group at once, and no fork gets ahead of it.
    """
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


def _end_all() -> None:
    """Kill until there is no child; each death may bring us its own children."""
    me = os.getpid()
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return
        end(descendants(me))
        time.sleep(_RESCAN_SECONDS)


def _private_bytes(processes: list[int]) -> int:
    """Add up what these processes have in memory for themselves: resident less shared."""
    pages = 0
    for process in processes:
        try:
            with open(f"/proc/{process}/statm", "rb") as file:  # noqa: PTH123 -- as above
                _, resident, shared, *_ = file.read().split()
        except (OSError, ValueError):
            continue
        pages += int(resident) - int(shared)
    return pages * _PAGE


def _file_bytes(folders: list[str]) -> int:
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


class _Watch:
    """Looks at the bounds now and then, for at most a twentieth of the time."""

    def __init__(self, bounds: Words) -> None:
        self._bounds = bounds
        self._looks = 0
        self._files = 0
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
        if self._looks % _FILES_SHARE == 0:
            self._files = _file_bytes(self._bounds.folders)
        self._looks += 1
        memory = _private_bytes(processes) + self._files
        looked = time.monotonic()
        spent = time.process_time() - began
        if not self._bounds.processes or 4 * len(processes) < self._bounds.processes:
            self._due = looked + max(_LOOK_SECONDS, min(_LOOK_SHARE * spent, _LONGEST_SECONDS))
        else:  # it may be growing fast
            self._due = looked + _HASTE_SECONDS
        if self._bounds.processes and len(processes) > self._bounds.processes:
            return OVER_PROCESSES
        if self._bounds.memory_bytes and memory > self._bounds.memory_bytes:
            return OVER_MEMORY
        return None


def _start(program: list[str], confinement: Words) -> int:
    """Start it, confined; give its process id. It does not run when it cannot be confined."""
    report, tell = os.pipe()  # ends of both close on exec
    child = os.fork()
    if child == 0:
        os.close(report)
        try:
            os.setpgid(0, 0)
            # Python ignores SIGPIPE, and what is ignored stays so: `yes | head -1` would complain
            for number in (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            words = _confine(program, confinement)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
        except BaseException as error:  # noqa: BLE001 -- whatever it was, nothing may run
            why = os.strerror(error.errno or 0) if isinstance(error, OSError) else "a bug"
            os.write(tell, why.encode())
            os._exit(_NOT_STARTED)
        try:
            os.execvp(words[0], words)  # noqa: S606 -- the program that was asked for
        except OSError:
            os._exit(_NOT_STARTED)
    os.close(tell)
    reason = os.read(report, 200)
    os.close(report)
    if reason:
        sys.stderr.write(f"{reason.decode(errors='replace')}\n")
        sys.stderr.flush()
        _end_all()
        _die_by(NOT_CONFINED)
    return child


def _confine(program: list[str], confinement: Words) -> list[str]:
    """Confine this process; give the words to start, with the filter's descriptor in them."""
    import resource

    from flux_secret.outside.sandbox import landlock, privileges

    limits = {resource.RLIMIT_CORE: 0}
    if confinement.memory_bytes:
        limits[resource.RLIMIT_DATA] = confinement.memory_bytes
        limits[resource.RLIMIT_FSIZE] = confinement.memory_bytes
    if confinement.open_files:
        limits[resource.RLIMIT_NOFILE] = confinement.open_files
    privileges.limit(limits)
    if confinement.processes:
        os.nice(_LOWEST_PRIORITY)  # so that whatever it does, whoever watches it gets to look
    if FILTER in program:
        handle = os.memfd_create("seccomp", 0)
        os.write(handle, confinement.seccomp)
        os.lseek(handle, 0, os.SEEK_SET)
        return [str(handle) if word == FILTER else word for word in program]
    if confinement.landlock:
        privileges.no_new_privileges()
        landlock.restrict(
            [
                *((path, landlock.READ) for path in confinement.readable),
                *((path, landlock.WRITE) for path in confinement.writable),
                *((path, landlock.DEVICE) for path in confinement.devices),
            ]
        )
        privileges.drop_capabilities()
    if confinement.seccomp:
        privileges.no_new_privileges()
        privileges.filter_calls(confinement.seccomp)
    return program


def _die_by(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)


def main(argv: list[str]) -> int:
    """Run `WORD… -- PROGRAM…`; give the program's exit code."""
    import ctypes

    end_of_words = argv.index("--")
    confinement, program = Words(argv[:end_of_words]), argv[end_of_words + 1 :]
    parent = os.getppid()
    awaited = {signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) or prctl(
        PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0
    ):
        return _NOT_STARTED
    if os.getppid() != parent:  # it died before we asked to be told
        return _NOT_STARTED
    child = _start(program, confinement)
    watch = _Watch(confinement) if confinement.memory_bytes or confinement.processes else None
    while (status := _ended(child)) is None:
        told = signal.sigtimedwait(awaited, watch.pause) if watch else signal.sigwaitinfo(awaited)
        if told is not None and told.si_signo == signal.SIGTERM:
            _end_all()
            return 128 + signal.SIGTERM
        if watch and (over := watch.exceeded()):
            # in one call, before a look at who they are: a fork bomb is faster than we can list it
            os.killpg(child, signal.SIGKILL)
            _end_all()
            _die_by(over)
    _end_all()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _ended(child: int) -> int | None:
    """Collect whoever has ended; give the child's status once it is among them."""
    while True:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended == child:
            return status
        if ended == 0:
            return None
