"""Run one program, then end everything that it started; nothing is left when this process ends.

Started as a script of its own (`python -I -S supervisor.py PROGRAM…`). As a child subreaper it
inherits every orphan (prctl(2), PR_SET_CHILD_SUBREAPER), so daemons and processes in sessions of
their own are ended too. It exits as PROGRAM did: its code, or 128 + its signal. It ends everything
when it gets SIGTERM, and when whoever started it dies (PR_SET_PDEATHSIG). What it cannot survive is
a SIGKILL from the program itself: that takes a PID namespace, which is the sandbox's business.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
_RESCAN_SECONDS: Final = 0.001  # between two looks for what is still alive
_NOT_STARTED: Final = 127  # as a shell says it


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
    """Kill; whoever is gone already, or was made by root, is passed over."""
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


def _stop(_number: int, _frame: object) -> None:
    _end_all()
    os._exit(128 + signal.SIGTERM)


def main(argv: list[str]) -> int:
    """Run `argv`; give its exit code."""
    import ctypes
    import resource

    parent = os.getppid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    signal.signal(signal.SIGTERM, _stop)
    if prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) or prctl(
        PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0
    ):
        return _NOT_STARTED
    if os.getppid() != parent:  # it died before we asked to be told
        return _NOT_STARTED
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        # Python ignores SIGPIPE, and what is ignored stays so: `yes | head -1` would complain
        program = os.posix_spawnp(
            argv[0], argv, os.environ, setpgroup=0,
            setsigdef=[signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ], setsigmask=[],
        )  # fmt: skip
    except OSError:
        return _NOT_STARTED
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == program:
            break
    _end_all()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
