"""What runs pods in a cluster, as Flux v1's `list-workloads` shows it."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from flux_secret.model.names import ObjectKey

WORKLOADS: Final = frozenset(
    {
        ("apps", "Deployment"),
        ("apps", "DaemonSet"),
        ("apps", "StatefulSet"),
        ("batch", "CronJob"),
        ("helm.fluxcd.io", "HelmRelease"),
    }
)
"""API group and kind of what Flux v1 calls a workload (pkg/cluster/kubernetes/resourcekinds.go)."""


class State(enum.Enum):
    """How far a workload's rollout is, in Flux v1's words (pkg/cluster/cluster.go)."""

    UNKNOWN = "unknown"
    ERROR = "error"
    READY = "ready"
    UPDATING = "updating"
    STARTED = "started"


@dataclass(frozen=True, slots=True)
class Rollout:
    """How many pods are in which state."""

    desired: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    outdated: int = 0
    messages: Sequence[str] = ()
    """Why it goes no further by itself."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container of its pods."""

    name: str
    image: str


@dataclass(frozen=True, slots=True)
class Workload:
    """One object that runs pods, as it is in the cluster now; no value of it is here."""

    key: ObjectKey
    status: str = State.UNKNOWN.value
    """A `State`, or the operator's own word for a HelmRelease."""
    containers: Sequence[Container] = ()
    rollout: Rollout = field(default_factory=Rollout)
    labels: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)
    """What annotations with Flux v1's prefixes say: `ignore`, `locked`, `tag.NAME` and so on."""
    antecedent: str = ""
    """Flux v1's id of the HelmRelease that made it."""
    error: str = ""
    """Why it was not applied the last time; never a value."""


def is_workload(key: ObjectKey) -> bool:
    """Whether an object is one that Flux v1 calls a workload."""
    return (key.group, key.kind) in WORKLOADS
