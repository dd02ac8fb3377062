"""Kind → rank: what is applied before what; deletion goes the other way round.

The order is Flux v1's (facts/flux-v1.md §2.6; its kinds are compared without their group), with
CustomResourceDefinitions moved before everything but namespaces, so that their instances can wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Final, TypeVar

from flux_secret.model.names import ObjectKey

Item = TypeVar("Item")

RANKS: Final[tuple[frozenset[str], ...]] = (
    frozenset({"namespace"}),
    frozenset({"customresourcedefinition"}),
    frozenset({"serviceaccount", "clusterrole", "role", "persistentvolume", "service"}),
    frozenset(
        {
            "resourcequota", "limitrange", "secret", "configmap", "rolebinding",
            "clusterrolebinding", "persistentvolumeclaim", "ingress",
        }
    ),
    frozenset(
        {
            "daemonset", "deployment", "replicationcontroller", "replicaset", "job", "cronjob",
            "statefulset",
        }
    ),
)  # fmt: skip
LAST: Final = len(RANKS)


def rank(key: ObjectKey) -> int:
    """Give the kind's place: 0 is applied first, and deleted last."""
    kind = key.kind.lower()
    for place, kinds in enumerate(RANKS):
        if kind in kinds:
            return place
    return LAST


def in_ranks(
    items: Iterable[Item], key: Callable[[Item], ObjectKey], *, reverse: bool = False
) -> list[list[Item]]:
    """Group by rank, each rank sorted by name; `reverse` for deletion."""
    ordered = sorted(items, key=lambda item: (rank(key(item)), key(item).name, key(item)))
    if reverse:
        ordered.reverse()
    return [list(group) for _, group in groupby(ordered, lambda item: rank(key(item)))]
