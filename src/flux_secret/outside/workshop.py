"""A scratch folder with tools in it, where a target's commands run and ask for secrets.

The `gopass` that scripts find holds no key. It makes a folder for its call, names it on the
request FIFO, and reads the answer from a FIFO of its own: several calls at once, as in a pipeline,
do not meet, and a value is never in a regular file. It is a `/bin/sh` script: 2 ms, where Python
needs 17 (facts: dependencies).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from flux_secret.errors import ConfigurationError, GenerateError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.files import scratch
from flux_secret.outside.kubectl import find_kubectl
from flux_secret.outside.process import MIB, Limits, OutputLimitError, ProcessTimeoutError, run

MAX_OUTPUT: Final = 16 * MIB
MAX_CALLS: Final = 10_000  # questions of one generation
_MAX_ARGUMENTS: Final = 64 * 1024  # bytes of one call's arguments
_READER_SECONDS: Final = 10.0  # for a shim to open its answer; it does so at once or is dead
_CALL: Final = re.compile(rb"[0-9]+(?:\.[0-9]+)?\Z")

_GOPASS: Final = """#!/bin/sh
# flux-secret's gopass: asks the agent, holds no key. The answer comes through a pipe of its own.
umask 077
call=$$ n=0
until command -p mkdir "$FLUX_SECRET_CALLS/$call" 2>/dev/null; do
  n=$((n + 1)); call=$$.$n
  [ "$n" -lt 1000 ] || { echo 'gopass: cannot ask the agent' >&2; exit 70; }
done
here=$FLUX_SECRET_CALLS/$call
command -p mkfifo "$here/out" || exit 70
for word do printf '%s\\0' "$word"; done > "$here/arguments"
printf '%s\\n' "$call" > "$FLUX_SECRET_CALLS/requests"
command -p cat "$here/out"
if [ -s "$here/err" ]; then command -p cat "$here/err" >&2; fi
read -r code < "$here/code" || exit 70
exit "$code"
"""
_KUSTOMIZE: Final = """#!/bin/sh
# flux-secret's kustomize: the one that kubectl carries.
if [ "$1" = build ]; then shift; exec {kubectl} kustomize "$@"; fi
echo "kustomize $1 needs the real kustomize; kubectl's can only build" >&2
exit 64
"""
_NO_KUSTOMIZE: Final = """#!/bin/sh
echo {reason} >&2
exit 127
"""


class Answer(Protocol):
    """What a script's `gopass` prints and how it exits."""

    @property
    def code(self) -> int:
        """The exit code."""

    @property
    def stdout(self) -> Plaintext:
        """What goes to its standard output."""

    @property
    def stderr(self) -> str:
        """What goes to its standard error; never a value."""


Ask = Callable[[Sequence[str]], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    returncode: int
    untrusted_stdout: Plaintext
    untrusted_stderr: bytes


class Workshop:
    """Runs commands with the tools of one scratch folder."""

    def __init__(self, place: Path, env: Mapping[str, str], max_output: int) -> None:
        self._env = env
        self._place = place
        self._max_output = max_output

    async def run(self, command: str, *, cwd: Path, timeout_seconds: float) -> Outcome:
        """Run `/bin/sh -c COMMAND`; everything it started has ended when this returns."""
        limits = Limits(timeout_seconds, self._max_output, 1 * MIB)
        argv = ["/bin/sh", "-c", command]
        try:
            done = await run(argv, env=self._env, cwd=cwd, limits=limits, supervised=True)
        except ProcessTimeoutError:
            raise GenerateError(
                f"the command did not end within {timeout_seconds:g} s and was killed",
                remedy="give it a `timeout` in .flux.yaml, or raise --sync-timeout",
            ) from None
        except OutputLimitError:
            raise GenerateError(
                f"the command printed more than {self._max_output // MIB} MiB and was killed",
                remedy="print manifests only; one Secret holds at most 1 MiB",
            ) from None
        return Outcome(done.returncode, Plaintext(done.untrusted_stdout), done.untrusted_stderr)


@asynccontextmanager
async def open_workshop(
    env: Mapping[str, str], ask: Ask, *, path: str, max_output: int = MAX_OUTPUT
) -> AsyncIterator[Workshop]:
    """Make the folder, its tools and its channel; all of it is gone afterwards.

    `env` is added to the little that commands get: PATH, HOME and TMPDIR in the folder, a locale.
    """
    with scratch("gen") as place:
        folders = {name: place / name for name in ("bin", "calls", "home", "tmp")}
        for folder in folders.values():
            folder.mkdir(mode=0o700)
        _install(folders["bin"], path)
        requests = folders["calls"] / "requests"
        os.mkfifo(requests, 0o600)
        channel = _Channel(folders["calls"], ask)
        async with channel.open(requests):
            yield Workshop(
                place,
                {
                    "LANG": "C.UTF-8",
                    **env,
                    "PATH": f"{folders['bin']}:{path}",
                    "HOME": str(folders["home"]),
                    "TMPDIR": str(folders["tmp"]),
                    "FLUX_SECRET_CALLS": str(folders["calls"]),
                },
                max_output,
            )


def _install(folder: Path, path: str) -> None:
    """Write the tools; the real kustomize stays where it is installed (design decision 3)."""
    tools = {"gopass": _GOPASS}
    if not any((Path(part) / "kustomize").is_file() for part in path.split(os.pathsep)):
        try:
            tools["kustomize"] = _KUSTOMIZE.format(kubectl=_quoted(str(find_kubectl(path))))
        except ConfigurationError as error:
            words = f"kustomize: {error.what}: {error.remedy}"
            tools["kustomize"] = _NO_KUSTOMIZE.format(reason=_quoted(words))
    for name, text in tools.items():
        file = folder / name
        file.write_text(text)
        file.chmod(0o700)


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


class _Channel:
    """Hears requests and answers each in a task of its own."""

    def __init__(self, calls: Path, ask: Ask) -> None:
        self._calls = calls
        self._ask = ask
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending = b""
        self._count = 0

    @asynccontextmanager
    async def open(self, requests: Path) -> AsyncIterator[None]:
        # read and write: the FIFO then never reports an end when a script's writer closes
        handle = os.open(requests, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        loop = asyncio.get_running_loop()
        loop.add_reader(handle, self._hear, handle)
        try:
            yield
        finally:
            loop.remove_reader(handle)
            os.close(handle)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hear(self, handle: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._pending += os.read(handle, 65536)
        *calls, self._pending = self._pending.split(b"\n")
        for call in calls:
            self._count += 1
            if _CALL.match(call) and self._count <= MAX_CALLS:
                task = asyncio.create_task(self._answer(self._calls / call.decode()))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _answer(self, here: Path) -> None:
        words = _arguments(here / "arguments")
        answer = await self._ask(words)
        (here / "err").write_text(answer.stderr)
        (here / "code").write_text(f"{answer.code}\n")
        writer = await _opened_for_writing(here / "out")
        if writer is not None:
            await _write_all(writer, answer.stdout.reveal())


def _arguments(file: Path) -> list[str]:
    with file.open("rb") as opened:
        data = opened.read(_MAX_ARGUMENTS)
    return [word.decode(errors="replace") for word in data.split(b"\0")[:-1]]


async def _opened_for_writing(fifo: Path) -> int | None:
    """Open as soon as the script's end is open; None when the script has died."""
    deadline = asyncio.get_running_loop().time() + _READER_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO:
                return None
            await asyncio.sleep(0.001)
    return None


async def _write_all(handle: int, data: bytes) -> None:
    """Write as the reader takes it; a reader that dies ends it."""
    loop = asyncio.get_running_loop()
    view = memoryview(data)
    try:
        while view:
            try:
                view = view[os.write(handle, view) :]
            except BlockingIOError:
                ready = asyncio.Event()
                loop.add_writer(handle, ready.set)
                try:
                    await ready.wait()
                finally:
                    loop.remove_writer(handle)
            except BrokenPipeError:
                return
    finally:
        os.close(handle)
