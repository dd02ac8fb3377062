"""Directories in memory, files that are whole or not there, paths that stay inside."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, SourceError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.removing import remove_tree

MEMORY_DIRECTORIES: Final = (Path("/dev/shm"), Path("/run/shm"))  # noqa: S108 -- memory-backed
# of scratch folders and of nothing else, as what has it and is in use by nobody is removed
_PREFIX: Final = "flux-secret-scratch-"
_YOUNG_SECONDS: Final = 60.0
_MANY: Final = 8  # files from which on flushing all that the file system has takes less time
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})


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
    path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{prefix}-{os.getpid()}-", dir=memory))
    in_use = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(in_use, fcntl.LOCK_SH)  # what a kill -9 leaves is told from this by no lock
        yield path
    finally:
        remove_tree(path)
        os.close(in_use)


def remove_stale_scratch() -> list[Path]:
    """Remove what killed processes of this user left behind; give what was removed.

    Whoever uses a folder holds a lock on it, and a young one may not have it yet.
    """
    return [path for path in _scratch("*") if _is_stale(path) and _removed(path)]


def remove_scratch_of(process: int) -> None:
    """Remove what a process that has ended left behind."""
    for path in _scratch(f"*-{process}-*"):
        _removed(path)


def _scratch(name: str) -> list[Path]:
    places = dict.fromkeys([*MEMORY_DIRECTORIES, Path(tempfile.gettempdir())])
    return [path for place in places if place.is_dir() for path in place.glob(f"{_PREFIX}{name}")]


def _is_stale(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        about = path.lstat()
        young = time.time() - about.st_mtime < _YOUNG_SECONDS
        return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and not young
    return False


def _removed(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # in use
        return False
    else:
        return remove_tree(path)
    finally:
        os.close(handle)


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


def flush(folder: Path) -> None:
    """Wait until every file in a folder is on the disk, at once where the kernel can (Linux)."""
    files = list(folder.iterdir())
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        is_many = len(files) >= _MANY and sys.platform == "linux"
        if is_many and ctypes.CDLL(None).syncfs(handle) == 0:
            return
    finally:
        os.close(handle)
    for path in files:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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


def place_inside(root: Path, relative: str, value: Plaintext) -> int:
    """Write a value into a checkout, in the place of what is there; give its bytes.

    Raises `SourceError` when the place is none, and `ConfigurationError` when the checkout may lie
    on a disk.
    """
    if not lies_in_memory(root):
        raise ConfigurationError(
            "the private copy of the repository does not lie in memory, where alone a secret may",
            remedy="mount memory where programs may start, and name it: TMPDIR (in a pod an "
            "emptyDir with medium: Memory)",
        )
    folder = join_within(root, str(Path(relative).parent))
    path = folder / Path(relative).name
    if not folder.is_dir() or (path.is_dir() and not path.is_symlink()):
        raise SourceError(
            f"there is no place for a file {relative!a}", remedy="move what is there, or the file"
        )
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        return file.write(value.reveal())


def lies_in_memory(path: Path) -> bool:
    """Whether a file system without a disk holds it, as Linux says (proc(5), mountinfo)."""
    try:
        table = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError:  # no Linux, or no /proc: nobody can say
        return False
    real, best, kind = path.resolve(), Path("/"), ""
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), before.split()[4]))
        holds = point == real or point in real.parents
        if holds and len(point.parts) >= len(best.parts):  # the last of several hides the others
            best, kind = point, after.split()[0]
    return kind in _IN_MEMORY
