"""Which objects were left out for want of a scope; said once, and once when it is found.

The words are Flux v1's, for those who look for them in a log (pkg/cluster/kubernetes/manifests.go).
"""

from __future__ import annotations

from flux_secret.apply.inventory import TargetId
from flux_secret.apply.scope import Placed
from flux_secret.model.names import ObjectKey


class Scopes:
    """Remembers what was left out, for as long as the agent runs."""

    def __init__(self) -> None:
        self._left_out: dict[TargetId, set[str]] = {}

    def told(self, target: TargetId, placed: Placed) -> list[str]:
        """Give what is new about a target's scopes, a sentence each."""
        before = self._left_out.get(target, set())
        now = {_name(key) for key, _ in placed.left_out}
        self._left_out[target] = now
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
            if _name(want.key) in before - now
        ]
        return lost + found


def _name(key: ObjectKey) -> str:
    return f"{key.kind.lower()}/{key.name}"
