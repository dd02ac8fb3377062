"""A clone's history → every version of every file in it, the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pygit2
from pygit2.enums import FileMode, SortMode

from flux_secret.outside.git.clone import Clone

_FILES = frozenset({FileMode.BLOB, FileMode.BLOB_EXECUTABLE})


class Made(NamedTuple):
    """Who says to have made a commit, and when; anybody can write anything there."""

    commit: str
    committed: int
    """Seconds since the epoch; git sets it anew when a commit is rebased."""
    authored: int
    """The same; it stays."""
    author: str
    """Name and address."""
    parent: str
    """The first commit that it builds upon; empty for the first of all."""


class Version(NamedTuple):
    """A file's content that one commit brought in."""

    commit: str
    when: int
    """When it was committed, in seconds since the epoch."""
    path: str
    blob: str


def versions(clone: Clone, since: str) -> Iterator[Version]:
    """Give what each commit that leads to one changed; links and removals are left out.

    A merge brings in only what none of its parents has.
    """
    repository = pygit2.Repository(str(clone.git_dir), pygit2.enums.RepositoryOpenFlag.BARE)
    for commit in repository.walk(since, SortMode.TOPOLOGICAL | SortMode.TIME):
        changed: dict[str, str] | None = None
        parents: list[pygit2.Commit | None] = [*commit.parents]
        for parent in parents or [None]:
            brought = _brought(commit, parent)
            if changed is None:
                changed = brought
            else:
                changed = {path: blob for path, blob in changed.items() if path in brought}
        for path, blob in (changed or {}).items():
            yield Version(str(commit.id), commit.commit_time, path, blob)


def makers(clone: Clone, since: str) -> Iterator[Made]:
    """Give each commit that leads to one, children first, in the order of `versions`."""
    repository = pygit2.Repository(str(clone.git_dir), pygit2.enums.RepositoryOpenFlag.BARE)
    for commit in repository.walk(since, SortMode.TOPOLOGICAL | SortMode.TIME):
        author = commit.author
        name = f"{_text(author.raw_name)} <{_text(author.raw_email)}>"
        parent = str(commit.parent_ids[0]) if commit.parent_ids else ""
        yield Made(str(commit.id), commit.commit_time, author.time, name, parent)


def _text(untrusted: bytes | None) -> str:
    return (untrusted or b"").decode(errors="replace")


def _brought(commit: pygit2.Commit, parent: pygit2.Commit | None) -> dict[str, str]:
    if parent is None:
        diff = commit.tree.diff_to_tree(swap=True)
    else:
        diff = parent.tree.diff_to_tree(commit.tree)
    files = (delta.new_file for delta in diff.deltas)
    return {
        file.raw_path.decode(errors="surrogateescape"): str(file.id)
        for file in files
        if file.mode in _FILES
    }
