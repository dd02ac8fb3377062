"""Commit → files in memory, written from blobs: no hook, filter, submodule or monitor runs."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pygit2

from flux_secret.errors import SourceError
from flux_secret.outside.files import scratch
from flux_secret.outside.objects import Commit, DamagedRepositoryError, Entry, Kind
from flux_secret.outside.process import MIB
from flux_secret.outside.removing import remove_tree

# CVE-2014-9390, CVE-2019-1352: what some file system takes for `.git`, or for a way out
_GIT_NAME: Final = re.compile(r"(?:\.git|git~[0-9]+)(?:[ .]*|:.*)", re.IGNORECASE | re.DOTALL)
_IGNORED: Final = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")  # by HFS+


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """How large a repository's tree may be."""

    max_files: int = 50_000
    """Files, links and folders."""
    max_bytes: int = 512 * MIB
    max_file_bytes: int = 64 * MIB
    max_depth: int = 64
    """Folders in folders."""


@asynccontextmanager
async def lay_out(
    repository: Path, commit: str, limits: TreeLimits | None = None
) -> AsyncIterator[Path]:
    """Lend a private writable copy of a commit's tree, in memory where there is memory.

    Raises `SourceError` when the tree is larger than the limits, has a name that git itself would
    refuse, or a link that leads out of it; `DamagedRepositoryError` when objects are missing.
    Submodules become empty folders. However it ends, the copy is gone, also what scripts have
    locked away in it.
    """
    with scratch("checkout", runnable=True) as place:  # scripts start from it
        root = place / "tree"
        stop = threading.Event()
        try:
            # in a thread: a large tree of one target must not delay the others
            await in_thread(lambda: _lay_out(repository, commit, root, limits, stop), stop.set)
            yield root
        finally:
            await in_thread(lambda: remove_tree(root), lambda: None)


async def in_thread(work: Callable[[], object], stop: Callable[[], None]) -> None:
    """Run blocking work; when we are cancelled it is told so, and we wait until it has ended."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
            stop()
    if cancelled is not None:
        task.exception()  # looked at: being cancelled is what counts now
        raise cancelled
    task.result()


def _lay_out(
    repository: Path, commit: str, root: Path, limits: TreeLimits | None, stop: threading.Event
) -> None:
    writer = _Writer(Commit(repository, commit), root, limits or TreeLimits(), stop)
    try:
        writer.write_all()
        _pretend_to_be_a_clone(root, repository, commit)
    except OSError as error:
        raise SourceError(
            f"the repository at {commit[:12]} cannot be laid out: {error.strerror}"
            f" ({os.path.relpath(error.filename or root, root)!a})",
            remedy="check the names in it, and the space in memory (/dev/shm) or in TMPDIR",
        ) from error


class _StoppedError(Exception):
    """Nobody waits for the result any more."""


class _Writer:
    def __init__(
        self, commit: Commit, root: Path, limits: TreeLimits, stop: threading.Event
    ) -> None:
        self._commit = commit
        self._root = root
        self._limits = limits
        self._stop = stop
        self._files = 0
        self._bytes = 0
        self._links: list[str] = []

    def write_all(self) -> None:
        """Write every file, folder and link; then look where the links lead."""
        self._root.mkdir(mode=0o700)
        self._folder("", self._commit.root, depth=0)
        self._check_links()

    def _folder(self, folder: str, tree: str, *, depth: int) -> None:
        if depth > self._limits.max_depth:
            raise self._too_large(f"folders deeper than {self._limits.max_depth} (max_depth)")
        for entry in self._commit.folder(tree):
            path = f"{folder}/{entry.name}" if folder else entry.name
            self._count()
            self._check_name(path, entry.name)
            target = self._root / path
            if entry.kind in {Kind.TREE, Kind.SUBMODULE}:
                target.mkdir(mode=0o700)
                if entry.kind is Kind.TREE:
                    self._folder(path, entry.blob, depth=depth + 1)
            elif entry.kind is Kind.LINK:
                self._link(path, entry)
            else:
                self._file(path, target, entry)

    def _file(self, path: str, target: Path, entry: Entry) -> None:
        size = self._commit.size(entry.blob)
        self._bytes += size
        limits = self._limits
        if size > limits.max_file_bytes:
            raise self._too_large(
                f"a file over {limits.max_file_bytes / MIB:g} MiB (max_file_bytes): {path!a}"
            )
        if self._bytes > limits.max_bytes:
            raise self._too_large(f"more than {limits.max_bytes / MIB:g} MiB (max_bytes)")
        mode = 0o700 if entry.kind is Kind.EXECUTABLE else 0o600
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(self._commit.read(entry.blob))

    def _link(self, path: str, entry: Entry) -> None:
        if self._commit.size(entry.blob) > os.pathconf(self._root, "PC_PATH_MAX"):
            raise self._bad_link(path)
        to = self._commit.read(entry.blob).decode(errors="surrogateescape")
        if not to or "\0" in to:
            raise self._bad_link(path)
        self._links.append(path)
        (self._root / path).symlink_to(to)

    def _check_links(self) -> None:
        """Refuse links that lead out, resolved as the kernel does: links may lead through links."""
        root = os.path.realpath(self._root)
        for path in self._links:
            end = os.path.realpath(self._root / path)
            if end != root and not end.startswith(f"{root}{os.sep}"):
                raise self._bad_link(path)

    def _check_name(self, path: str, name: str) -> None:
        bad = name in {"", "."} or "/" in name or "\0" in name
        for part in name.split("\\"):  # a backslash is a slash to other systems
            bad = bad or part == ".." or _GIT_NAME.fullmatch(_IGNORED.sub("", part)) is not None
        if bad:
            raise SourceError(
                f"the name {path!a} may not be in a repository, at {self._commit.commit[:12]}",
                remedy="remove it from the repository; git itself refuses it",
            )

    def _count(self) -> None:
        if self._stop.is_set():
            raise _StoppedError
        self._files += 1
        if self._files > self._limits.max_files:
            raise self._too_large(f"more than {self._limits.max_files} files (max_files)")

    def _bad_link(self, path: str) -> SourceError:
        return SourceError(
            f"the link {path!a} leads out of the repository at {self._commit.commit[:12]}",
            remedy="remove the link, or let it lead to a file of the repository",
        )

    def _too_large(self, what: str) -> SourceError:
        return SourceError(
            f"the repository at {self._commit.commit[:12]} has {what}",
            remedy="deliver from a repository that holds manifests only",
        )


def _pretend_to_be_a_clone(root: Path, repository: Path, commit: str) -> None:
    """Let scripts of Flux v1 days ask `git rev-parse HEAD` or `git status`: objects are borrowed.

    There is no remote, no hook and no configuration of the repository's own in it. The index costs
    4 ms for 2,000 files.
    """
    git = root / ".git"
    for folder in (git / "objects" / "info", git / "refs"):
        folder.mkdir(mode=0o700, parents=True)
    (git / "HEAD").write_text(f"{commit}\n")
    (git / "objects" / "info" / "alternates").write_text(f"{repository.absolute() / 'objects'}\n")
    (git / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
    try:
        clone = pygit2.Repository(str(root))
        clone.index.read_tree(clone[commit].peel(pygit2.Tree))
        clone.index.write()
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise DamagedRepositoryError(
            f"commit {commit[:12]} cannot be read from the copy of the repository",
            remedy="the copy is made anew at the next try",
        ) from error
