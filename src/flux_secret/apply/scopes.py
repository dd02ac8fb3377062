"""Which objects were left out for want of a scope; said once, and once when it is found.

The words are Flux v1's, for those who look for them in a log (pkg/cluster/kubernetes/manifests.go).
"""

from __future__ import annotations

from collections.abc import Collection

from flux_secret.apply.scope import Placed
from flux_secret.model.names import ObjectKey


def left_out(placed: Placed) -> frozenset[str]:
    """Name what is left out of a target."""
    return frozenset(_name(key) for key, _ in placed.left_out)


def told(before: Collection[str], placed: Placed) -> list[str]:
    """Give what is new about a target's scopes, a sentence each; `before` was left out before."""
    lost = [
        f"cannot find scope of resource {_name(key)}: {why.reason}; "
        f"resource {_name(key)} will be excluded until its scope is available"
        for key, why in placed.left_out
        if _name(key) not in before
    ]
    found = [
        f"found scope of resource {want.key.namespace or '<cluster>'}:{_name(want.key)}, "
        "back in business!"
        for want in placed.wanted
        if _name(want.key) in frozenset(before) - left_out(placed)
    ]
    return lost + found


def _name(key: ObjectKey) -> str:
    return f"{key.kind.lower()}/{key.name}"
