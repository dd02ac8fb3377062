"""A file → the right to be alone with what it stands for, among tasks and processes."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from flux_secret.errors import UnreachableError

_PAUSE_SECONDS: Final = 0.02  # between two tries


@asynccontextmanager
async def locked(file: Path, *, timeout_seconds: float) -> AsyncIterator[None]:
    """Hold the lock; it ends with the process that holds it, whatever ends that."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    busy = UnreachableError(
        f"{file} is held by another process for more than {timeout_seconds:g} s",
        remedy="wait for it to end, or use another --cache-dir",
    )
    try:
        await acquire(handle, timeout_seconds, busy)
        yield
    finally:
        os.close(handle)


async def acquire(handle: int, timeout_seconds: float, busy: UnreachableError) -> None:
    """Be the only one who holds an open file or folder; raise `busy` when somebody else stays."""
    deadline = asyncio.get_running_loop().time() + timeout_seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if asyncio.get_running_loop().time() >= deadline:
                raise busy from None
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return
