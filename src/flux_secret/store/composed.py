"""A store whose owned folders are read each at the commit that its owners have agreed to.

Everything about an entry comes from one commit: its ciphertext, who may read it, how it is
encrypted. A link is followed from folder to folder, each at its own commit, so that it leads to
nothing that nobody has agreed to.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from flux_secret.model.delivery import StoreRevision
from flux_secret.store.interface import OpenCommit
from flux_secret.store.tree import AGE, GPG, Located, StoreTree, layout_of, located

_EXTENSIONS = (GPG.extension, AGE.extension)


class ComposedTree:
    """The entries of several commits of one store, by name."""

    def __init__(self, head: StoreTree, approved: Mapping[str, StoreTree]) -> None:
        """Read `head`, but below each prefix what is `approved`; the longest prefix counts."""
        self._head = head
        self._approved = approved

    @property
    def commit(self) -> str:
        """The id of the commit that counts where nobody owns anything."""
        return self._head.commit

    def at(self, path: str) -> StoreTree:
        """Give the tree that a file of the store is read from; an entry's counts by its name."""
        if path.endswith(_EXTENSIONS):
            path = posixpath.splitext(path)[0]
        while path:
            if path in self._approved:
                return self._approved[path]
            path = path.rpartition("/")[0]
        return self._approved.get("", self._head)

    def find(self, name: str) -> Located | None:
        """Find an entry; raises as `StoreTree.find` does."""
        return located(name, self.at)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every entry's name, sorted bytewise."""
        trees = {id(tree): tree for tree in (self._head, *self._approved.values())}
        found = (
            name
            for tree in trees.values()
            for name in tree.names
            if self.at(f"{name}{tree.layout.extension}") is tree
        )
        return tuple(sorted(found, key=os.fsencode))


AnyTree: TypeAlias = StoreTree | ComposedTree


def opened(open_commit: OpenCommit, repository: Path, revision: StoreRevision) -> AnyTree:
    """Open a store at its commit, or at its commits; raise `DamagedRepositoryError`."""
    trees: dict[str, StoreTree] = {}
    for commit in (revision.commit, *(commit for _, commit in revision.approved)):
        if commit not in trees:
            tree = open_commit(repository, commit)
            trees[commit] = StoreTree(tree, layout_of(tree))
    if not revision.approved:
        return trees[revision.commit]
    approved = {prefix: trees[commit] for prefix, commit in revision.approved}
    return ComposedTree(trees[revision.commit], approved)
