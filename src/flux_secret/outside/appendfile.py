"""A folder that one process writes at a time, and files in it that only ever grow, durably.

`append` returns when the bytes are on the disk, or raises `OSError` and has taken them back: nobody
ever reads half of what one call wrote, unless the machine itself stopped in between.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import sys
from pathlib import Path
from typing import Final

_LOCK: Final = "lock"
_UNUSABLE: Final = re.compile(r"[^a-z0-9.@_]+")
_MAX_NAME: Final = 60  # characters, of what a person recognises a writer by
_MAX_FOLDERS: Final = 1000  # writers of one name, of which all but one are at work right now


class Claim:
    """A folder, and the right to be the only one that writes there, until it is closed."""

    def __init__(self, folder: Path, handle: int) -> None:
        self.folder = folder
        self._handle = handle

    @classmethod
    def take(cls, root: Path, name: str) -> Claim:
        """Take the first folder of that name which nobody uses, or make one: `NAME-6f3a9c…`.

        So a process that starts again goes on where it was, and two at once do not meet. Raises
        `OSError`.
        """
        make_folder(root)
        prefix = _UNUSABLE.sub("-", name.lower())[:_MAX_NAME].strip("-.") or "writer"
        for folder in sorted(root.glob(f"{prefix}-" + "[0-9a-f]" * 12))[:_MAX_FOLDERS]:
            claim = cls._lock(folder)
            if claim is not None:
                return claim
        folder = root / f"{prefix}-{secrets.token_hex(6)}"
        make_folder(folder)
        claim = cls._lock(folder)
        if claim is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(folder))
        return claim

    @classmethod
    def _lock(cls, folder: Path) -> Claim | None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(folder / _LOCK, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        return cls(folder, handle)

    def close(self) -> None:
        """Let another have it."""
        os.close(self._handle)


class AppendFile:
    """One file that grows."""

    def __init__(self, path: Path, handle: int, size: int) -> None:
        self.path = path
        self.size = size
        """Bytes that are durable; what the file has behind them does not count."""
        self._handle = handle
        self._is_dirty = False

    @classmethod
    def open(cls, path: Path, *, new: bool = False) -> AppendFile:
        """Open a file, or make it: `new` refuses one that is there. Raises `OSError`."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(path, flags | ((os.O_CREAT | os.O_EXCL) if new else 0), 0o600)
        if new:
            flush_folder(path.parent)
        return cls(path, handle, os.fstat(handle).st_size)

    def append(self, data: bytes) -> None:
        """Write behind what is there, and wait for the disk.

        Raises `OSError` when it cannot, and when somebody else changed or removed the file.
        """
        self._check()
        self._is_dirty = True
        try:
            written = 0
            while written < len(data):
                written += os.write(self._handle, data[written:])
            _flush(self._handle)
        except OSError:
            with contextlib.suppress(OSError):  # the next call tries again
                self._cut()
            raise
        self.size += len(data)
        self._is_dirty = False

    def read(self, start: int, end: int) -> bytes:
        """Give the bytes from `start` to `end`."""
        return os.pread(self._handle, end - start, start)

    def cut(self, size: int) -> None:
        """Forget what is behind `size`. Raises `OSError`."""
        self.size = size
        self._cut()

    def close(self) -> None:
        """Close it."""
        os.close(self._handle)

    def _check(self) -> None:
        about = os.fstat(self._handle)
        if about.st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "somebody removed it", str(self.path))
        if self._is_dirty:
            self._cut()
        elif about.st_size != self.size:
            raise OSError(errno.EIO, "somebody else changed it", str(self.path))

    def _cut(self) -> None:
        os.ftruncate(self._handle, self.size)
        _flush(self._handle)
        self._is_dirty = False


def make_folder(folder: Path) -> None:
    """Make a private folder (0700), and those above it, so that they are there after a crash."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
        flush_folder(one.parent)


def remove(path: Path) -> None:
    """Remove a file, so that it is gone after a crash too."""
    path.unlink(missing_ok=True)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush(handle: int) -> None:
    if sys.platform == "darwin":  # fsync(2) there leaves the bytes in the drive's cache
        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(handle)
