"""Directories in memory, files that are whole or not there, paths that stay inside."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from flux_secret.errors import SourceError

MEMORY_DIRECTORIES: Final = (Path("/dev/shm"), Path("/run/shm"))  # noqa: S108 -- memory-backed


def memory_directory(*, runnable: bool = False) -> Path | None:
    """Give a writable directory that lies in memory, or None where there is none.

    `runnable`: programs in it must start. Container runtimes mount `/dev/shm` with noexec.
    """
    for directory in MEMORY_DIRECTORIES:
        if directory.is_dir() and os.access(directory, os.W_OK | os.X_OK):
            if runnable and os.statvfs(directory).f_flag & getattr(os, "ST_NOEXEC", 0):
                continue
            return directory
    return None


@contextlib.contextmanager
def scratch(prefix: str, *, runnable: bool = False) -> Iterator[Path]:
    """Lend a private directory (mode 0700), in memory where there is memory; gone afterwards.

    `runnable`: programs in it must start, so it may have to lie where temporary files do.
    """
    memory = memory_directory(runnable=runnable)
    path = Path(tempfile.mkdtemp(prefix=f"flux-secret-{prefix}-", dir=memory))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def join_within(root: Path, relative: str) -> Path:
    """Join by path parts after resolving links; raise `SourceError` when that leaves `root`."""
    resolved_root = root.resolve()
    joined = (resolved_root / relative).resolve()
    if joined != resolved_root and resolved_root not in joined.parents:
        raise SourceError(
            f"{relative!r} leads out of the repository",
            remedy="name a path inside the repository; links may not lead out of it",
        )
    return joined


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write so that failure leaves the old file: temporary file beside it, fsync, rename."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)  # noqa: PTH101 -- the name is mkstemp's
        os.replace(name, path)  # noqa: PTH105 -- the same
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 -- the same
        raise
