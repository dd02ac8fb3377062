"""Commit → files in memory, written from blobs: no hook, filter, submodule or monitor runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.errors import SourceError
from flux_secret.outside.files import scratch
from flux_secret.outside.objects import Commit, Entry, Kind
from flux_secret.outside.process import MIB

_GIT_NAMES: Final = frozenset({".git", "git~1"})  # CVE-2014-9390: also under case folding


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """How large a repository's tree may be."""

    max_files: int = 50_000
    max_bytes: int = 512 * MIB
    max_file_bytes: int = 64 * MIB
    max_depth: int = 64


@contextlib.contextmanager
def lay_out(repository: Path, commit: str, limits: TreeLimits | None = None) -> Iterator[Path]:
    """Lend a private writable copy of a commit's tree, in memory where there is memory.

    Raises `SourceError` when the tree is larger than the limits, has a name that git itself would
    refuse, or a link that leads out of it. Submodules become empty folders.
    """
    with scratch("checkout", runnable=True) as place:  # scripts start from it
        root = place / "tree"
        root.mkdir(mode=0o700)
        writer = _Writer(Commit(repository, commit), root, limits or TreeLimits())
        writer.write("", depth=0)
        writer.check_links()
        _pretend_to_be_a_clone(root, repository, commit)
        yield root


class _Writer:
    def __init__(self, commit: Commit, root: Path, limits: TreeLimits) -> None:
        self._commit = commit
        self._root = root
        self._limits = limits
        self._files = 0
        self._bytes = 0
        self._links: list[str] = []

    def check_links(self) -> None:
        """Refuse links that lead out, resolved as the kernel does: links may lead through links."""
        root = os.path.realpath(self._root)
        for path in self._links:
            end = os.path.realpath(self._root / path)
            if end != root and not end.startswith(f"{root}{os.sep}"):
                raise SourceError(
                    f"the link {path!r} leads out of the repository at {self._commit.commit[:12]}",
                    remedy="remove the link, or let it lead to a file of the repository",
                )

    def write(self, folder: str, *, depth: int) -> None:
        if depth > self._limits.max_depth:
            raise self._too_large(f"folders deeper than {self._limits.max_depth}")
        for entry in self._commit.children(folder):
            path = f"{folder}/{entry.name}" if folder else entry.name
            self._check_name(path, entry.name)
            self._count()
            target = self._root / path
            if entry.kind in {Kind.TREE, Kind.SUBMODULE}:
                target.mkdir(mode=0o700)
                if entry.kind is Kind.TREE:
                    self.write(path, depth=depth + 1)
            elif entry.kind is Kind.LINK:
                self._link(path, entry)
            else:
                self._file(target, entry)

    def _file(self, target: Path, entry: Entry) -> None:
        size = self._commit.size(entry.blob)
        self._bytes += size
        if size > self._limits.max_file_bytes:
            raise self._too_large(f"a file over {self._limits.max_file_bytes // MIB} MiB")
        if self._bytes > self._limits.max_bytes:
            raise self._too_large(f"more than {self._limits.max_bytes // MIB} MiB")
        mode = 0o700 if entry.kind is Kind.EXECUTABLE else 0o600
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(self._commit.read(entry.blob))

    def _link(self, path: str, entry: Entry) -> None:
        to = self._commit.read(entry.blob).decode(errors="surrogateescape")
        if "\0" in to or not to:
            raise self._too_large("a link without an end")
        self._links.append(path)
        (self._root / path).symlink_to(to)

    def _check_name(self, path: str, name: str) -> None:
        if name.lower() in _GIT_NAMES or name in {"", ".", ".."} or "/" in name or "\0" in name:
            raise SourceError(
                f"the name {path!r} may not be in a repository, at {self._commit.commit[:12]}",
                remedy="remove it from the repository; git itself refuses it",
            )

    def _count(self) -> None:
        self._files += 1
        if self._files > self._limits.max_files:
            raise self._too_large(f"more than {self._limits.max_files} files")

    def _too_large(self, what: str) -> SourceError:
        return SourceError(
            f"the repository at {self._commit.commit[:12]} has {what}",
            remedy="deliver from a repository that holds manifests only",
        )


def _pretend_to_be_a_clone(root: Path, repository: Path, commit: str) -> None:
    """Let scripts of Flux v1 days ask `git rev-parse HEAD`: a detached HEAD, objects borrowed.

    There is no remote, no hook and no configuration of the repository's own in it.
    """
    git = root / ".git"
    for folder in (git / "objects" / "info", git / "refs"):
        folder.mkdir(mode=0o700, parents=True)
    (git / "HEAD").write_text(f"{commit}\n")
    (git / "objects" / "info" / "alternates").write_text(f"{repository / 'objects'}\n")
    (git / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
