"""`/scale`: replicas of a workload as an object of their own (autoscaling/v1 Scale)."""

from __future__ import annotations

from typing import Final

from flux_secret.embedded.status import bad_request
from flux_secret.embedded.tables.columns import selector_text
from flux_secret.embedded.tree import Tree, child, copied

SCALE_STRUCT: Final = "autoscaling.v1.Scale"
_NAMED: Final = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(tree: Tree) -> Tree:
    """Give a workload's scale."""
    metadata = tree["metadata"]
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in _NAMED if name in metadata},
        "spec": {"replicas": child(tree, "spec").get("replicas", 0)},
        "status": {
            "replicas": child(tree, "status").get("replicas", 0),
            "selector": selector_text(child(tree, "spec", "selector")),
        },
    }


def scaled(live: Tree, scale: Tree) -> Tree:
    """Give the workload as a scale wants it; raise `StatusError` 400."""
    replicas = child(scale, "spec").get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request("spec.replicas of a Scale is a number")
    tree: Tree = copied(live)
    tree["spec"]["replicas"] = replicas
    version = child(scale, "metadata").get("resourceVersion")
    if version:
        tree["metadata"]["resourceVersion"] = version
    return tree
