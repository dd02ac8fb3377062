"""`ends_with_parent.py PARENT PROGRAM ARGUMENT…` becomes PROGRAM, and ends when PARENT does.

Linux ends it (prctl(2), PR_SET_PDEATHSIG) when the *thread* that started it ends, so that a test
run that is killed leaves no servers behind. Elsewhere it just becomes PROGRAM. A launcher of its
own, because a `preexec_fn` may deadlock in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replace this process."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the parent ended before us")
    os.execv(program[0], program)  # noqa: S606 -- no shell is wanted


if __name__ == "__main__":
    main()
