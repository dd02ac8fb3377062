"""A script's `gopass …` → the same words in our process, and our answer back to the script.

The `gopass` that scripts find is a `/bin/sh` script of a few lines (2 ms, where Python needs 17:
facts: dependencies) that holds no key. Every call has a FIFO of its own, so several at once, as in
a pipeline, do not meet; a value is never in a regular file.

1. The call makes its FIFO, named by its process id, and writes that name to the FIFO `requests`.
2. It writes its words into its own FIFO, each ended by NUL, their number first; we read so many.
3. It opens the same FIFO to read; we write one line with the exit code, then the bytes that it
   prints: to its standard output when the code is 0, else to its standard error.

A script may be killed at any of these points: what waits here for its next step is dropped when
the command has ended (`settle`). The folder is the script's to write to, so nothing in it is
trusted: names are numbers, links are not followed, and only a FIFO is opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

from flux_secret.errors import BugError, FluxSecretError, GenerateError
from flux_secret.model.plaintext import Plaintext

MAX_CALLS: Final = 10_000  # questions of one generation
MAX_WORDS: Final = 64 * 1024  # bytes of one call's words
_REQUESTS: Final = "requests"
_NAME: Final = re.compile(rb"[0-9]{1,20}(?:\.[0-9]{1,4})?\Z")
_MAX_PENDING: Final = 64 * 1024  # bytes of requests without a line's end
_FIRST_WAIT_SECONDS: Final = 0.0005  # for a call to open its end of a FIFO; it is about to
_LONGEST_WAIT_SECONDS: Final = 0.05

_CALL: Final = """#!/bin/sh
# flux-secret's gopass: asks the agent, holds no key, decrypts nothing.
if [ "${{1-}}" = sync ]; then exit 0; fi # the commit is pinned: nothing to do, nothing to say
umask 077
call={folder}/$$ n=0
until {mkfifo} "$call" 2>/dev/null; do
  n=$((n + 1)) call={folder}/$$.$n
  if [ "$n" -gt 99 ]; then echo 'gopass: cannot ask flux-secret' >&2; exit 70; fi
done
printf '%s\\n' "${{call##*/}}" >{folder}/{requests}
printf '%s\\0' "$#" "$@" >"$call"
exec 3<"$call"
IFS= read -r code <&3 || exit 70
if [ "$code" = 0 ]; then exec {cat} <&3; fi
{cat} <&3 >&2
exit "$code"
"""


class Answer(Protocol):
    """What a script's `gopass` prints and how it exits."""

    @property
    def code(self) -> int:
        """The exit code."""

    @property
    def stdout(self) -> Plaintext:
        """What goes to its standard output, when the code is 0."""

    @property
    def stderr(self) -> str:
        """What goes to its standard error, when the code is not 0; never a value."""


Ask = Callable[[Sequence[str]], Awaitable[Answer]]


def calling_script(folder: Path, mkfifo: str, cat: str) -> str:
    """Give the text of the `gopass` that asks through `folder`, with the programs it needs."""
    return _CALL.format(
        folder=quoted(str(folder)), requests=_REQUESTS, mkfifo=quoted(mkfifo), cat=quoted(cat)
    )


def quoted(word: str) -> str:
    """Quote one word for `/bin/sh`."""
    return "'" + word.replace("'", "'\\''") + "'"


@asynccontextmanager
async def open_channel(folder: Path, ask: Ask) -> AsyncIterator[CallChannel]:
    """Answer the calls that come through `folder`, until the end of the `async with`."""
    os.mkfifo(folder / _REQUESTS, 0o600)
    # held open: whatever a script makes of the names in the folder, we stay in this one
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        channel = CallChannel(directory, ask)
        requests = channel.open(_REQUESTS, os.O_RDWR)  # both: so it never ends between two calls
        loop = asyncio.get_running_loop()
        loop.add_reader(requests, channel.hear, requests)
        try:
            yield channel
        finally:
            loop.remove_reader(requests)
            os.close(requests)
            await channel.settle()
    finally:
        os.close(directory)


class CallChannel:
    """The calls of one generation."""

    def __init__(self, directory: int, ask: Ask) -> None:
        self._directory = directory
        self._ask = ask
        self._serving: set[asyncio.Task[None]] = set()
        self._asking: set[asyncio.Task[bytes]] = set()
        self._pending = b""
        self._count = 0
        self._failure: FluxSecretError | None = None

    @property
    def failure(self) -> FluxSecretError | None:
        """The first call that could not be answered, and so counts as a failed read."""
        return self._failure

    async def settle(self) -> None:
        """Let questions that were asked come to an end, and drop calls whose script has ended."""
        serving, asking = list(self._serving), list(self._asking)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, *asking, return_exceptions=True)

    def hear(self, requests: int) -> None:
        """Take the names of new calls."""
        with contextlib.suppress(BlockingIOError):
            self._pending += os.read(requests, 65536)
        *names, self._pending = self._pending.split(b"\n")
        if len(self._pending) > _MAX_PENDING:
            self._pending = b""
        for name in names:
            if _NAME.match(name):
                self._count += 1
                task = asyncio.ensure_future(self._serve(name.decode()))
                self._serving.add(task)
                task.add_done_callback(self._serving.discard)

    def open(self, name: str, mode: int) -> int:
        """Open a FIFO of the folder without waiting; raise `OSError` when it is anything else."""
        handle = os.open(
            name, mode | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._directory
        )
        if not stat.S_ISFIFO(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(errno.EINVAL, "not a FIFO")
        return handle

    async def _serve(self, name: str) -> None:
        """Answer one call; a call that takes its FIFO away, or is killed, gets no answer."""
        with contextlib.suppress(OSError):
            try:
                words = await self._words(name)
            except GenerateError as failure:
                reply = self._failed(failure)
            else:
                asking = asyncio.ensure_future(self._asked(words))
                self._asking.add(asking)
                asking.add_done_callback(self._asking.discard)
                reply = await asyncio.shield(asking)
            handle = await self._opened_to_write(name)
            try:
                os.unlink(name, dir_fd=self._directory)
                await _write(handle, reply)
            finally:
                os.close(handle)

    async def _asked(self, words: Sequence[str]) -> bytes:
        """Give the bytes of an answer; what goes wrong here is remembered as a failed read."""
        try:
            answer = await self._ask(words)
            text = answer.stdout.reveal() if answer.code == 0 else _spoken(answer.stderr)
            return b"%d\n" % answer.code + text
        except FluxSecretError as failure:
            return self._failed(failure)
        except Exception as error:  # noqa: BLE001 -- a bug must not leave a script waiting
            name = type(error).__name__  # no more of it: its text may hold anything
            return self._failed(BugError(f"a call of gopass met {name}", remedy="report this"))

    def _failed(self, failure: FluxSecretError) -> bytes:
        self._failure = self._failure or failure
        return b"%d\n" % failure.exit_code + _spoken(f"Error: {failure.what}\n")

    async def _words(self, name: str) -> list[str]:
        if self._count > MAX_CALLS:
            raise GenerateError(
                f"more than {MAX_CALLS} calls of gopass in one generation",
                remedy="read an entry once and keep it in a variable",
            )
        # to read only: were we a writer too, the call's own next step could read its words back
        handle = self.open(name, os.O_RDONLY)
        try:
            data, wait = b"", _FIRST_WAIT_SECONDS
            while not _is_whole(data):
                read = await _read(handle)
                if not read:  # the call has not opened its end yet
                    await asyncio.sleep(wait)
                    wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
                data += read
                if len(data) > MAX_WORDS:
                    raise GenerateError(
                        f"a call of gopass with more than {MAX_WORDS} bytes of arguments",
                        remedy="name one entry a call",
                    )
        finally:
            os.close(handle)
        return [word.decode(errors="surrogateescape") for word in data.split(b"\0")[1:-1]]

    async def _opened_to_write(self, name: str) -> int:
        """Open as soon as the call has opened its end."""
        wait = _FIRST_WAIT_SECONDS
        while True:
            try:
                return self.open(name, os.O_WRONLY)
            except OSError as error:
                if error.errno != errno.ENXIO:  # ENXIO: nobody reads yet
                    raise
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)


def _spoken(text: str) -> bytes:
    return text.encode(errors="backslashreplace")


def _is_whole(data: bytes) -> bool:
    """Whether all words have come: their number, then so many, each ended by NUL."""
    number, separator, rest = data.partition(b"\0")
    if not separator:
        return False
    if not number.isdigit() or len(number) > 6:  # noqa: PLR2004 -- 64 KiB hold fewer words
        raise GenerateError("a call of gopass was garbled", remedy="call gopass by that name")
    return rest.count(b"\0") >= int(number)


async def _read(handle: int) -> bytes:
    while True:
        try:
            return os.read(handle, 65536)
        except BlockingIOError:
            await _ready(handle, asyncio.get_running_loop().add_reader)


async def _write(handle: int, data: bytes) -> None:
    """Write as the reader takes it; a reader that goes away ends it (`| head -1`)."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(handle, view) :]
        except BlockingIOError:
            await _ready(handle, asyncio.get_running_loop().add_writer)
        except BrokenPipeError:
            return


async def _ready(handle: int, add: Callable[..., object]) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    add(handle, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(handle)
        loop.remove_writer(handle)
