"""A folder in memory for as long as its owner lives, and none of those whose owners were killed.

Beside each folder lies a lock that its owner holds; whoever starts next removes folders whose lock
nobody holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 -- names in it are ours or made by mkstemp


@contextlib.contextmanager
def memory_folder(otherwise: Path) -> Iterator[Path]:
    """Lend an empty folder in memory, or in `otherwise` on a machine without such a place."""
    place = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else otherwise
    prefix = f"flux-secret-etcd-{os.getuid()}-"
    with _sweeping(place, prefix):
        handle, lock = tempfile.mkstemp(prefix=prefix, suffix=".lock", dir=place)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        folder = Path(lock).with_suffix("")
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        _remove(Path(lock))
        os.close(handle)


@contextlib.contextmanager
def _sweeping(place: Path, prefix: str) -> Iterator[None]:
    """Remove what was left behind; nobody else sweeps while a new lock is made."""
    with (place / f"{prefix}gate").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        for lock in place.glob(f"{prefix}*.lock"):
            # removed by its owner just now, or its owner lives
            with contextlib.suppress(FileNotFoundError, BlockingIOError), lock.open("rb") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(lock)
        yield


def _remove(lock: Path) -> None:
    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
    lock.unlink(missing_ok=True)
