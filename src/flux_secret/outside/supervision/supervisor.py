"""Run one program within bounds, then end everything that it started; nothing is left afterwards.

A process of its own, between us and a program that we did not choose. As a child subreaper it
inherits every orphan (prctl(2), PR_SET_CHILD_SUBREAPER), so daemons and processes in sessions of
their own are ended too. It exits as the program did: its code, or 128 + its signal. It ends
everything when it gets SIGTERM, and when whoever forked it dies (PR_SET_PDEATHSIG).

A group over its bounds is ended, and this process with it, by the signal that `group` names.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from flux_secret.outside.sandbox import landlock, privileges
from flux_secret.outside.supervision.confinement import Confinement, Job
from flux_secret.outside.supervision.group import Watch, descendants, end

FILTER: Final = "{filter}"
"""Stands for a file descriptor with the seccomp filter in a program's words (bubblewrap's)."""
NOT_CONFINED: Final = signal.SIGSYS
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_RESCAN_SECONDS: Final = 0.001  # between two looks for what is still alive
_LOWEST_PRIORITY: Final = 19
_NOT_STARTED: Final = 127  # as a shell says it
_STDERR: Final = 2
_FIRST_TO_GO: Final = "1000"


def become_subreaper() -> None:
    """Inherit whoever loses its parent below this process."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def supervise(job: Job, parent: int) -> int:
    """Run a job; give its exit code. `parent` is whose end must be ours, too."""
    confinement = job.confinement
    awaited = {signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    become_subreaper()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before we asked to be told
        return _NOT_STARTED
    child = _start(job)
    watch = None
    if confinement.memory_bytes or confinement.processes:
        watch = Watch(confinement.memory_bytes, confinement.processes, confinement.folders)
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


def _start(job: Job) -> int:
    """Start it, confined; give its process id. It does not run when it cannot be confined."""
    report, tell = os.pipe()  # ends of both close on exec
    child = os.fork()
    if child == 0:
        os.close(report)
        _become(job, tell)
    os.close(tell)
    reason = os.read(report, 200)
    os.close(report)
    if reason:
        os.write(_STDERR, reason + b"\n")
        _end_all()
        _die_by(NOT_CONFINED)
    return child


def _become(job: Job, tell: int) -> NoReturn:
    """Turn this process into the program; say why it cannot be confined into `tell`."""
    try:
        os.setpgid(0, 0)
        # Python ignores SIGPIPE, and what is ignored stays so: `yes | head -1` would complain
        for number in (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(job.cwd)
        _offer_to_the_oom_killer()
        words = _confine(job.argv, job.confinement)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    except BaseException as error:  # noqa: BLE001 -- whatever it was, nothing may run
        why = os.strerror(error.errno or 0) if isinstance(error, OSError) else "a bug"
        os.write(tell, why.encode())
        os._exit(_NOT_STARTED)
    try:
        os.execvpe(words[0], words, job.env)  # noqa: S606 -- the program that was asked for
    except OSError:
        os._exit(_NOT_STARTED)


def _offer_to_the_oom_killer() -> None:
    """Where memory is short, let the program go and not the agent that runs it: proc(5)."""
    with contextlib.suppress(OSError), Path("/proc/self/oom_score_adj").open("w") as file:
        file.write(_FIRST_TO_GO)


def _confine(program: Sequence[str], confinement: Confinement) -> list[str]:
    """Confine this process; give the words to start, with the filter's descriptor in them."""
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
    return [*program]


def _die_by(number: signal.Signals) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    os._exit(_NOT_STARTED)  # it has died above


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
