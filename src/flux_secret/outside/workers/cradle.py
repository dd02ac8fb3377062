"""The fork server of workers: one job → one worker, forked; it ends when its work is done.

It is started by `Nursery` as a program of its own, before there is any value, and never holds one:
it has one thread, no event loop, and does nothing but fork. Neither it nor a worker can be dumped
or looked into by others of this user (PR_SET_DUMPABLE), and where memory is short they go first.
A worker ends with its server, and all that it has started with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from flux_secret.errors import BugError, FluxSecretError, place_of
from flux_secret.outside.files import remove_scratch_of
from flux_secret.outside.sandbox import privileges
from flux_secret.outside.supervision.forkserver import ForkServer
from flux_secret.outside.supervision.supervisor import become_subreaper
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.workers.failure import out_of_memory
from flux_secret.outside.workers.messages import (
    Answer,
    Failure,
    Given,
    Line,
    Question,
    framed,
    packed,
    received,
    unpacked,
)

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_ORPHANED: Final = 71
_TOLD_TO_END: Final = 128 + signal.SIGTERM
_FIRST_TO_GO: Final = "900"  # before the agent, after the commands of generators


class Parent:
    """The agent, seen from a worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._asking = asyncio.Lock()

    async def ask(self, question: object) -> Any:  # noqa: ANN401 -- what it answers
        """Ask; raise what answering raised."""
        async with self._asking:
            await self.send(Question(question))
            match await received(self._reader):
                case Answer(content):
                    return content
                case Failure(error):
                    raise error
        raise BugError("the agent ended while it was asked")

    def log(self, level: str, facts: dict[str, Any]) -> None:
        """Let it log a line; what is no plain word crosses as text."""
        plain = {
            name: value if isinstance(value, str | int | float | None) else str(value)
            for name, value in facts.items()
        }
        self._writer.write(framed(Line(level, plain)))

    async def send(self, message: object) -> None:
        """Send a message."""
        self._writer.write(framed(message))
        await self._writer.drain()

    async def end(self, outcome: bytes) -> None:
        """Say what came of the work: the last message."""
        self._writer.write(outcome)
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


Work: TypeAlias = Callable[[Any, Parent, Supervisors], Awaitable[object]]
"""(job, parent, who runs commands) → what came of it."""
Prepare: TypeAlias = Callable[[Any], Work]


def serve(requests: int, prepared: int, ready: int, prepare: Prepare) -> None:
    """Prepare, say whether that went well, and fork workers until nobody is left to ask for one."""
    _harden()
    with os.fdopen(prepared, "rb") as file:
        given = file.read()
    with os.fdopen(ready, "wb") as told:
        try:
            work = prepare(unpacked(given))
        except FluxSecretError as failure:
            told.write(packed(Failure(failure)))
            return
        except Exception as failure:  # noqa: BLE001 -- its text may say anything
            told.write(packed(Failure(_bug(failure))))
            return
        told.write(packed(Answer(None)))
    gc.collect()
    gc.freeze()  # so that a worker's collector does not touch, and so copy, what they share
    with socket.socket(fileno=requests) as asked:
        ForkServer(asked, partial(_become_worker, work), _clear).serve()


def _harden() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError), Path("/proc/self/oom_score_adj").open("w") as file:
        file.write(_FIRST_TO_GO)
    become_subreaper()
    _prctl(_PR_SET_DUMPABLE, 0)


def _become_worker(work: Work, handles: Sequence[int], server: int) -> int:
    job, channel, supervisors = handles
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        return _ORPHANED
    become_subreaper()  # whatever its children leave is its own, until it ends
    with os.fdopen(job, "rb") as file:
        given = unpacked(file.read())
    privileges.limit({resource.RLIMIT_DATA: given.memory_bytes})
    with socket.socket(fileno=channel) as ours, socket.socket(fileno=supervisors) as theirs:
        return asyncio.run(_worked(work, given, ours, theirs))


async def _worked(
    work: Work, given: Given, channel: socket.socket, supervisors: socket.socket
) -> int:
    parent = Parent(*await asyncio.open_unix_connection(sock=channel))
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 -- this is one
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    borrowed = Supervisors.borrowed(supervisors, given.supervisors)
    try:
        outcome = framed(Answer(await work(given.job, parent, borrowed)))
    except FluxSecretError as failure:
        outcome = framed(Failure(failure))
    except MemoryError:
        outcome = framed(Failure(out_of_memory(given.memory_bytes)))
    except asyncio.CancelledError:
        return _TOLD_TO_END
    except Exception as failure:  # noqa: BLE001 -- its text may quote a value, so it stays here
        outcome = framed(Failure(_bug(failure)))
    await parent.end(outcome)
    os._exit(0)  # nothing of this process is worth an orderly end


def _bug(failure: Exception) -> BugError:
    return BugError(
        f"a bug: {type(failure).__name__} at {place_of(failure)}",
        remedy="please report this line and what you did; no value is in it",
    )


def _clear(process: int, status: int) -> None:
    """Remove what a worker that was killed has left in memory."""
    if status:
        remove_scratch_of(process)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
