"""argv → exit status, stdout and stderr, within limits; every descendant ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, FluxSecretError

MIB: Final = 1024 * 1024
_SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")
_GRACE_SECONDS: Final = 5.0  # for a supervisor to kill and collect everything; it needs a few ms


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a child may run and how much it may print."""

    timeout_seconds: float = 20.0
    max_stdout_bytes: int = 16 * MIB
    max_stderr_bytes: int = 1 * MIB


@dataclass(frozen=True, slots=True)
class Completed:
    """How a child ended. `untrusted_stdout` may hold secrets: it never goes to a log."""

    returncode: int
    untrusted_stdout: bytes
    untrusted_stderr: bytes


class ProcessTimeoutError(FluxSecretError):
    """The child did not end within `Limits.timeout_seconds`."""

    exit_code = 5
    retryable = True


class OutputLimitError(ConfigurationError):
    """The child printed more than `Limits` allow."""


class CommandNotFoundError(ConfigurationError):
    """There is no such program."""


async def run(  # noqa: PLR0913 -- what a child gets is said in full at every call
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    stdin: bytes = b"",
    limits: Limits | None = None,
    supervised: bool = False,
) -> Completed:
    """Run a program to its end.

    `env` is the whole environment of the child; stdin is `stdin` and then end of file. stdout and
    stderr are read together. On timeout or overflow the child's process group is killed and waited
    for. `supervised` is for programs that we did not choose: everything they started ends with
    them, daemons and other sessions included (on Linux; elsewhere only the group). Raises
    `ProcessTimeoutError`, `OutputLimitError`, `CommandNotFoundError`.
    """
    limits = limits or Limits()
    if supervised and sys.platform == "linux":
        argv = [sys.executable, "-I", "-S", str(_SUPERVISOR), *argv]
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=dict(env),
            cwd=cwd,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise CommandNotFoundError(
            f"the program {argv[0]!r} is not there", remedy=f"install {argv[0]} or mend PATH"
        ) from error
    try:
        async with asyncio.timeout(limits.timeout_seconds):
            stdout, stderr, _ = await asyncio.gather(
                _read(process.stdout, limits.max_stdout_bytes, argv[0]),
                _read(process.stderr, limits.max_stderr_bytes, argv[0]),
                _feed(process.stdin, stdin),
            )
            await process.wait()
    except TimeoutError as error:
        raise ProcessTimeoutError(
            f"{argv[0]} did not end within {limits.timeout_seconds:g} s"
        ) from error
    finally:
        await _end(process, gently=supervised)
    return Completed(process.returncode or 0, stdout, stderr)


async def _end(process: asyncio.subprocess.Process, *, gently: bool) -> None:
    """End the group and wait; a supervisor is first asked to end what it watches over."""
    if gently and process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_SECONDS):
                await process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def _read(stream: asyncio.StreamReader | None, limit: int, program: str) -> bytes:
    assert stream is not None  # noqa: S101 -- asked for with PIPE
    chunks: list[bytes] = []
    size = 0
    while chunk := await stream.read(65536):
        size += len(chunk)
        if size > limit:
            raise OutputLimitError(f"{program} printed more than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def _feed(stream: asyncio.StreamWriter | None, data: bytes) -> None:
    assert stream is not None  # noqa: S101 -- asked for with PIPE
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(data)
        await stream.drain()
        stream.close()
        await stream.wait_closed()
