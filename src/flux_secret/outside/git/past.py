"""A clone's history → every version of every file in it, the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pygit2
from pygit2.enums import FileMode, SortMode

from flux_secret.outside.git.clone import Clone

_FILES = frozenset({FileMode.BLOB, FileMode.BLOB_EXECUTABLE})


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
