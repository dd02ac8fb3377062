"""A store's folder on a person's machine: files read and replaced whole, links kept inside.

A folder is read through the same words as a commit (`outside.objects.Commit`), so that whoever
knows a store's tree knows both; an object's id is its path here. What is written replaces the old
file in one step, and has gopass's modes: 0600 for files, 0700 for folders (facts: gopass §1.1).
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, UnreachableError
from flux_secret.outside.files import flush, write_atomic
from flux_secret.outside.lock import acquire
from flux_secret.outside.process import MIB

MAX_FILE: Final = 64 * MIB
LOCK_SECONDS: Final = 30.0
_NOWHERE: Final = frozenset({"", ".", ".."})
_REMEDIES: Final = {
    errno.ENOSPC: "make room on the disk; nothing was changed",
    errno.EDQUOT: "make room in your quota; nothing was changed",
    errno.EROFS: "the file system is read-only: mount it writable",
    errno.EACCES: "mend the rights: the store belongs to you, mode 0700",
    errno.EPERM: "mend the rights: the store belongs to you, mode 0700",
}


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """One name in a folder."""

    name: str
    blob: str
    """Its path below the root."""
    is_folder: bool
    is_link: bool

    @property
    def is_file(self) -> bool:
        """Whether it has bytes of its own."""
        return not (self.is_folder or self.is_link)


@dataclass(frozen=True, slots=True)
class FileFact:
    """One file, link or folder below the root."""

    path: str
    mode: int

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_open(self) -> bool:
        """Whether others than the owner may do something with it."""
        return not stat.S_ISLNK(self.mode) and self.mode & 0o077 != 0


class WorkFolder:
    """One folder and what lies below it."""

    commit = ""

    def __init__(self, root: Path) -> None:
        self.root = root

    def is_at(self, place: Path) -> bool:
        """Say whether this is that very folder, by whatever name."""
        return place.exists() and place.samefile(self.root)

    def entry(self, path: str) -> FolderEntry | None:
        """Find a file or folder; links are not followed, neither at the end nor on the way."""
        name = path.rpartition("/")[2]
        if not path:
            return FolderEntry("", "", is_folder=True, is_link=False)
        try:
            mode = self._inside(path).lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        return FolderEntry(name, path, is_folder=stat.S_ISDIR(mode), is_link=stat.S_ISLNK(mode))

    def children(self, path: str) -> Iterator[FolderEntry]:
        """List one folder, bytewise; what is neither file, link nor folder is left out."""
        try:
            with os.scandir(self._inside(path) if path else self.root) as scanned:
                found = sorted(scanned, key=lambda one: os.fsencode(one.name))
        except (FileNotFoundError, NotADirectoryError):
            return
        for one in found:
            inner = f"{path}/{one.name}" if path else one.name
            is_folder, is_link = one.is_dir(follow_symlinks=False), one.is_symlink()
            if is_folder or is_link or one.is_file(follow_symlinks=False):
                yield FolderEntry(one.name, inner, is_folder=is_folder, is_link=is_link)

    def files(self) -> Iterator[FileFact]:
        """Give every file and folder below the root but git's own, unsorted."""
        folders = [""]
        while folders:
            folder = folders.pop()
            with os.scandir(f"{self.root}/{folder}") as scanned:
                for one in scanned:
                    path = f"{folder}/{one.name}" if folder else one.name
                    if path == ".git":
                        continue
                    mode = one.stat(follow_symlinks=False).st_mode
                    if stat.S_ISDIR(mode):
                        folders.append(path)
                    yield FileFact(path, mode)

    def mode(self) -> int:
        """Give the root's own mode."""
        return self.root.stat().st_mode

    def protect(self, path: str) -> None:
        """Take a file or folder away from everybody but its owner, as `gopass fsck` does."""
        place = self._inside(path) if path else self.root
        with _explained(place, "changed"):
            place.chmod(place.lstat().st_mode & 0o700)

    def size(self, blob: str) -> int:
        """Give a file's size in bytes."""
        return self._inside(blob).lstat().st_size

    def read(self, blob: str) -> bytes:
        """Give a file's bytes, or where a link points to."""
        path = self._place(blob)
        with _explained(path, "read"):
            try:
                handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
                return os.fsencode(os.readlink(path))  # noqa: PTH115 -- bytes as they are
            with os.fdopen(handle, "rb", buffering=0) as file:
                data = file.read(min(os.fstat(handle).st_size, MAX_FILE) + 1)
        if len(data) > MAX_FILE:
            raise ConfigurationError(
                f"{path} is larger than {MAX_FILE} bytes",
                remedy="keep large files elsewhere; a Secret holds at most 1 MiB",
            )
        return data

    def write(self, path: str, data: bytes) -> None:
        """Put a file there whole, or leave the old one."""
        file = self._inside(path)
        with _explained(file, "written"):
            self._make_folder(file.parent)
            write_atomic(file, data)

    def write_all(self, files: Mapping[str, bytes], staging: Path) -> None:
        """Put many files there, each whole, where each may be the old one until this returns.

        They are written into a folder `staging`, flushed to the disk, and moved in one by one, so
        that one who is killed leaves nothing among the store's files, which gopass would commit.
        """
        if staging.parent.stat().st_dev != self.root.stat().st_dev:  # no move could be whole
            for path, data in files.items():
                self.write(path, data)
            return
        with _explained(staging, "written"):
            shutil.rmtree(staging, ignore_errors=True)  # of one that was killed
            staging.mkdir(mode=0o700)
            for number, data in enumerate(files.values()):
                handle = os.open(staging / str(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
            flush(staging)
        for number, path in enumerate(files):
            file_ = self._inside(path)
            with _explained(file_, "written"):
                self._make_folder(file_.parent)
                (staging / str(number)).replace(file_)
        shutil.rmtree(staging, ignore_errors=True)

    def link(self, path: str, to: bytes) -> None:
        """Put a link there, as `gopass link` makes it."""
        file = self._inside(path)
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        with _explained(file, "written"):
            self._make_folder(file.parent)
            beside.unlink(missing_ok=True)
            beside.symlink_to(os.fsdecode(to))
            beside.replace(file)

    def remove(self, path: str) -> None:
        """Take a file away, and folders that it leaves empty."""
        file = self._inside(path)
        with _explained(file, "removed"):
            file.unlink(missing_ok=True)
            for folder in file.parents:
                if folder == self.root or not folder.is_dir() or any(folder.iterdir()):
                    break
                folder.rmdir()

    def make(self) -> None:
        """Make the folder, and those above it."""
        with _explained(self.root, "made"):
            self._make_folder(self.root)

    def become(self, root: Path) -> WorkFolder:
        """Move the whole folder to a place where there is none, or an empty one."""
        with _explained(root, "made"):
            self.root.chmod(0o700)
            self.root.rename(root)
        return WorkFolder(root)

    def discard(self) -> None:
        """Remove the folder and all that lies in it."""
        shutil.rmtree(self.root, ignore_errors=True)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Be the only flux-secret that changes this store; the lock ends with the process."""
        with _explained(self.root, "locked"):
            handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        busy = UnreachableError(
            f"another flux-secret is changing {self.root}, since {LOCK_SECONDS:g} s",
            remedy="wait for it to end, then try again",
        )
        try:
            await acquire(handle, LOCK_SECONDS, busy)
            yield
        finally:
            os.close(handle)

    def _make_folder(self, folder: Path) -> None:
        for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
            missing.mkdir(mode=0o700)

    def _inside(self, path: str) -> Path:
        """Give the place of a path; a folder on the way that is a link leads out of the store."""
        return Path(self._place(path))

    def _place(self, path: str) -> str:
        parts = path.split("/")
        if any(part in _NOWHERE or "\0" in part for part in parts):
            raise ConfigurationError(
                f"{path!a} is no path inside a store", remedy="name it without '.' and '..'"
            )
        place = str(self.root)
        for part in parts[:-1]:
            place = f"{place}/{part}"
            if os.path.islink(place):  # noqa: PTH114 -- a tenth of the time, for 10,000 entries
                raise ConfigurationError(
                    f"the folder {place} is a link, which leads out of the store's tree",
                    remedy="put the folder itself there",
                )
        return f"{place}/{parts[-1]}"


@contextmanager
def _explained(path: Path | str, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be {done}: {error.strerror}",
            remedy=_REMEDIES.get(error.errno or 0, "look at it with `ls -ld`"),
        ) from None
