"""The words of `list-workloads`: Flux v1's formulas (pkg/cluster/kubernetes/resourcekinds.go)."""

from __future__ import annotations

import pytest

from flux_secret.apply.running import MAX_MESSAGE, workload
from flux_secret.model.names import ObjectKey
from flux_secret.model.workload import Container, Rollout
from flux_secret.outside.kubernetes import Json


def status_of(kind: str, **tree: Json) -> tuple[str, Rollout]:
    found = workload(ObjectKey("apps", kind, "dev", "demo"), tree)
    return found.status, found.rollout


def deployment(observed: int = 2, **status: Json) -> tuple[str, Rollout]:
    return status_of(
        "Deployment",
        metadata={"generation": 2},
        spec={"replicas": 2},
        status={"observedGeneration": observed, **status},
    )


def test_a_deployment_is_ready_when_all_its_pods_are_new_and_available() -> None:
    done: dict[str, Json] = {
        "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
    }  # fmt: skip
    assert deployment(2, **done) == ("ready", Rollout(2, 2, 2, 2, 0))
    assert deployment(1, **done)[0] == "started"
    assert deployment(2, **{**done, "availableReplicas": 1})[0] == "updating"
    assert deployment(2, **{**done, "replicas": 3}) == ("updating", Rollout(2, 2, 2, 2, 1))
    assert deployment()[0] == "updating"


@pytest.mark.parametrize(
    ("kind", "state", "status"),
    [
        ("Progressing", "False", "error"),
        ("ReplicaFailure", "True", "error"),
        ("Progressing", "True", "updating"),
        ("Available", "False", "updating"),
    ],
)
def test_a_deployment_that_is_stuck_is_an_error(kind: str, state: str, status: str) -> None:
    condition = {"type": kind, "status": state, "message": "m" * 2 * MAX_MESSAGE}
    found, rollout = deployment(conditions=[condition])
    assert found == status
    assert rollout.messages == (("m" * MAX_MESSAGE,) if status == "error" else ())


def test_a_daemon_set_counts_nodes() -> None:
    done = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 3,
            "numberAvailable": 3, "currentNumberScheduled": 3}  # fmt: skip
    assert status_of("DaemonSet", status=done) == ("ready", Rollout(3, 3, 3, 3, 0))
    assert status_of("DaemonSet", status={**done, "numberAvailable": 2})[0] == "updating"


@pytest.mark.parametrize(
    ("partition", "status", "word"),
    [
        (0, {"readyReplicas": 3, "currentReplicas": 3}, "ready"),
        (0, {"readyReplicas": 2, "currentReplicas": 3}, "updating"),
        (0, {"readyReplicas": 3, "updatedReplicas": 1, "updateRevision": "b"}, "updating"),
        (2, {"readyReplicas": 3, "updatedReplicas": 1, "updateRevision": "b"}, "ready"),
        (9, {"readyReplicas": 3, "updatedReplicas": 0, "updateRevision": "b"}, "ready"),
    ],
)
def test_a_stateful_set_is_ready_up_to_its_partition(
    partition: int, status: dict[str, Json], word: str
) -> None:
    spec: Json = {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": partition}}}
    revisions = {"currentRevision": "a", "updateRevision": "a"}
    assert status_of("StatefulSet", spec=spec, status={**revisions, **status})[0] == word


def test_others_say_what_there_is_to_say() -> None:
    assert status_of("CronJob")[0] == "ready"
    assert status_of("HelmRelease", status={"releaseStatus": "deployed"})[0] == "deployed"
    assert status_of("HelmRelease")[0] == "unknown"
    assert status_of("Another")[0] == "unknown"


def test_containers_come_before_those_that_start_first_and_policies_are_read() -> None:
    pods: Json = {
        "containers": [{"name": "a", "image": "a:1"}, "no container"],
        "initContainers": [{"name": "b"}],
    }
    template: dict[str, Json] = {"template": {"spec": pods}}
    metadata: Json = {
        "labels": {"app": "demo"},
        "annotations": {"fluxcd.io/locked": "true", "helm.fluxcd.io/antecedent": "a:b/c"},
    }
    plain = workload(
        ObjectKey("apps", "Deployment", "d", "n"), {"metadata": metadata, "spec": template}
    )
    assert plain.containers == (Container("a", "a:1"), Container("b", ""))
    assert (plain.labels, plain.policies) == ({"app": "demo"}, {"locked": "true"})
    assert plain.antecedent == "a:b/c"
    cron = workload(
        ObjectKey("batch", "CronJob", "d", "n"), {"spec": {"jobTemplate": {"spec": template}}}
    )
    assert cron.containers == plain.containers


def test_what_is_no_object_at_all_is_nothing_and_no_traceback() -> None:
    trees: list[dict[str, Json]] = [
        {}, {"spec": 1, "status": "x", "metadata": []}, {"spec": {"replicas": True}},
    ]  # fmt: skip
    for tree in trees:
        assert status_of("Deployment", **tree)[1] == Rollout()
