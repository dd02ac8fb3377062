"""An entry that does not say whom it is for → whom its recipients file named when it was written.

Messages of age name nobody, and those of OpenPGP may hide their recipients. Who wrote the entry
encrypted it to those that the file of that commit names, as far as anybody can tell.
"""

from __future__ import annotations

import enum
import posixpath
from collections.abc import Collection

from flux_secret.errors import AccessError
from flux_secret.outside.git.clone import Clone
from flux_secret.outside.git.past import versions
from flux_secret.store.tree import StoreTree
from flux_secret.store.working.store import WorkingStore


class Past(enum.Enum):
    """Whether other people were named then than now."""

    SAME = "same"
    OTHERS = "others"
    UNKNOWN = "unknown"
    """There is no history of it."""


async def pasts(
    store: WorkingStore, tree: StoreTree, paths: Collection[str], wanted: StoreTree | None = None
) -> dict[str, Past]:
    """Compare whom each file of a tree was written for with what `wanted` (else the tree) says."""
    found = dict.fromkeys(paths, Past.UNKNOWN)
    head = await store.clone.head() if store.clone is not None and paths else None
    if store.clone is not None and head is not None:
        found |= _found(store.clone, head, tree, set(paths), wanted or tree)
    return found


def _found(
    clone: Clone, head: str, tree: StoreTree, paths: set[str], wanted: StoreTree
) -> dict[str, Past]:
    trees: dict[str, StoreTree] = {}
    found = {}
    for version in versions(clone, head):
        if version.path not in paths:
            continue
        paths.remove(version.path)
        data = tree.plain_file(version.path)
        if data is not None and clone.blob_id(data) == version.blob:
            if version.commit not in trees:
                trees[version.commit] = StoreTree(clone.at(version.commit), tree.layout)
            same = _ids(trees[version.commit], version.path) == _ids(wanted, version.path)
            found[version.path] = Past.SAME if same else Past.OTHERS
        if not paths:
            break
    return found


def _ids(tree: StoreTree, path: str) -> tuple[str, ...] | None:
    try:
        return tree.recipients_file(posixpath.dirname(path))[1].ids
    except AccessError:
        return None
