"""A live object's JSON → how its rollout stands, by Flux v1's formulas.

They are those of pkg/cluster/kubernetes/resourcekinds.go of fluxd 1.25, so that `fluxctl
list-workloads` says `ready` when it used to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from flux_secret.model.flux_v1 import policies
from flux_secret.model.names import ObjectKey
from flux_secret.model.workload import Container, Rollout, State, Workload
from flux_secret.outside.kubernetes import Json
from flux_secret.outside.kubernetes.body import items, mapping, number, text, text_map

Tree = Mapping[str, Json]
MAX_MESSAGE: Final = 500  # characters of a controller's words
_ANTECEDENT: Final = "helm.fluxcd.io/antecedent"
_PODS: Final = ("spec", "template", "spec")
_JOB_PODS: Final = ("spec", "jobTemplate", *_PODS)


def workload(key: ObjectKey, tree: Tree) -> Workload:
    """Read one that is in the cluster."""
    rollout, status = _STANDING.get(key.kind, _unknown)(tree)
    annotations = text_map(tree, "metadata", "annotations")
    return Workload(
        key=key,
        status=status,
        containers=tuple(_containers(tree, _JOB_PODS if key.kind == "CronJob" else _PODS)),
        rollout=rollout,
        labels=text_map(tree, "metadata", "labels"),
        policies=policies(annotations),
        antecedent=annotations.get(_ANTECEDENT, ""),
    )


def _containers(tree: Tree, pods: tuple[str, ...]) -> Iterator[Container]:
    for place in ("containers", "initContainers"):  # Flux v1's order
        for one in items(tree, *pods, place):
            yield Container(text(one, "name"), text(one, "image"))


def _deployment(tree: Tree) -> tuple[Rollout, str]:
    updated = number(tree, "status", "updatedReplicas")
    rollout = Rollout(
        desired=number(tree, "spec", "replicas"),
        updated=updated,
        ready=number(tree, "status", "readyReplicas"),
        available=number(tree, "status", "availableReplicas"),
        outdated=number(tree, "status", "replicas") - updated,
        messages=tuple(_stuck(tree)),
    )
    is_there = rollout.updated == rollout.available == rollout.desired and rollout.outdated == 0
    return rollout, State.ERROR.value if _is_stuck(tree, rollout) else _state(tree, is_there)


def _is_stuck(tree: Tree, rollout: Rollout) -> bool:
    return _is_seen(tree) and bool(rollout.messages)


def _stuck(tree: Tree) -> Iterator[str]:
    for one in items(tree, "status", "conditions"):
        condition = (text(one, "type"), text(one, "status"))
        if condition in {("Progressing", "False"), ("ReplicaFailure", "True")}:
            yield text(one, "message")[:MAX_MESSAGE]


def _daemon_set(tree: Tree) -> tuple[Rollout, str]:
    updated = number(tree, "status", "updatedNumberScheduled")
    rollout = Rollout(
        desired=number(tree, "status", "desiredNumberScheduled"),
        updated=updated,
        ready=number(tree, "status", "numberReady"),
        available=number(tree, "status", "numberAvailable"),
        outdated=number(tree, "status", "currentNumberScheduled") - updated,
    )
    is_there = rollout.updated == rollout.available == rollout.desired and rollout.outdated == 0
    return rollout, _state(tree, is_there)


def _stateful_set(tree: Tree) -> tuple[Rollout, str]:
    replicas, ready = number(tree, "spec", "replicas"), number(tree, "status", "readyReplicas")
    partition = number(tree, "spec", "updateStrategy", "rollingUpdate", "partition")
    desired = max(0, replicas - partition)
    status = mapping(tree, "status")
    rolling = text(status, "currentRevision") != text(status, "updateRevision")
    updated = number(status, "updatedReplicas" if rolling else "currentReplicas")
    rollout = Rollout(
        desired=desired,
        updated=updated,
        ready=ready,
        available=ready,  # there is no other number of it
        outdated=desired - updated,
    )
    # where there is a partition, the pods below it are ready too
    return rollout, _state(tree, updated == desired and ready == replicas)


def _cron_job(_tree: Tree) -> tuple[Rollout, str]:
    return Rollout(), State.READY.value


def _helm_release(tree: Tree) -> tuple[Rollout, str]:
    return Rollout(), text(tree, "status", "releaseStatus")[:MAX_MESSAGE] or State.UNKNOWN.value


def _unknown(_tree: Tree) -> tuple[Rollout, str]:
    return Rollout(), State.UNKNOWN.value


def _state(tree: Tree, is_there: bool) -> str:  # noqa: FBT001 -- the one thing it is asked
    if not _is_seen(tree):
        return State.STARTED.value
    return State.READY.value if is_there else State.UPDATING.value


def _is_seen(tree: Tree) -> bool:
    """Whether its controller has seen the newest version of it."""
    seen = number(tree, "status", "observedGeneration")
    return seen >= number(tree, "metadata", "generation")


_STANDING: Final[Mapping[str, Callable[[Tree], tuple[Rollout, str]]]] = {
    "CronJob": _cron_job,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "HelmRelease": _helm_release,
    "StatefulSet": _stateful_set,
}
