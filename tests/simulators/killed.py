"""A flux-secret that is killed at a step of its own choosing: never by chance, never by time.

A step is what others could see: a file opened for writing, renamed, removed, a program started.
Python tells an audit hook of each before it happens; the hook of the child kills it at the Nth.
Run as a program, it imports once and forks for each line `[N, [WORDS]]` on its standard input.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

_STEPS = frozenset({
    "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chmod", "subprocess.Popen",
})  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR


class Killer:
    """Runs commands that end at a given step."""

    def __init__(self, into: IO[str], out: IO[str]) -> None:
        self._into, self._out = into, out

    def run(self, step: int, *words: str) -> bool:
        """Run flux-secret until that step; say whether it was killed, and not done before."""
        self._into.write(json.dumps([step, words]) + "\n")
        self._into.flush()
        status = int(self._out.readline())
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)


@contextmanager
def killer(env: Mapping[str, str]) -> Iterator[Killer]:
    """Lend one that runs with this environment."""
    argv = [sys.executable, __file__]
    with subprocess.Popen(
        argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Killer(process.stdin, process.stdout)
        finally:
            process.stdin.close()


def _serve() -> None:
    from flux_secret.cli import recipients, reencrypt  # noqa: F401 -- so that children have them
    from flux_secret.cli.main import main
    from flux_secret.cli.recipients import add  # noqa: F401 -- the same
    from flux_secret.cli.store import sharing  # noqa: F401 -- the same

    for line in sys.stdin:
        step, words = json.loads(line)
        child = os.fork()
        if child == 0:
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            code: object = 1
            with contextlib.suppress(BaseException):
                _die_at(step)
                code = main.main(words, standalone_mode=False)
            os._exit(code if isinstance(code, int) else 0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


def _die_at(step: int) -> None:
    left = step

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        is_step = event in _STEPS or (event == "open" and bool(arguments[2] & _WRITES))
        if is_step:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)


if __name__ == "__main__":
    _serve()
