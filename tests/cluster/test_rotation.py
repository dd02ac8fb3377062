"""A rotation on a real API server: the same tests, and the pods run the new value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

import pytest

from behaviour.test_app_rotation import *  # noqa: F403 -- the same suites, another cluster
from behaviour.test_rotation import *  # noqa: F403 -- the same
from behaviour.test_rotation import QUIET, mark
from simulators.agents import agent, until, value
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import FIRST, SECOND, World


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


def test_every_pod_is_a_new_one_and_a_persons_own_restart_stays(world: World) -> None:
    def pods() -> dict[str, str]:
        found = json.loads(world.kubectl("get", "pods", "-n", world.namespace, "-o", "json").out)
        return {
            pod["metadata"]["uid"]: pod["metadata"]
            .get("annotations", {})
            .get("flux-secret.io/restarted-for", "")
            for pod in found["items"]
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        }

    with agent(world, *QUIET, "--restart-workloads") as running:
        until(lambda: value(world) == FIRST)
        until(lambda: len(pods()) == 1)
        (before,) = pods()
        world.put("demo", SECOND)
        until(lambda: mark(world) != "")
        until(lambda: list(pods().values()) == [mark(world)])
        assert before not in pods()
        said = mark(world)
        done = world.kubectl("rollout", "restart", "deployment/demo", "-n", world.namespace)
        assert done.code == 0, done.err
        until(lambda: running.has_said("msg=restart.over"))
        done = world.kubectl("rollout", "status", "deployment/demo", "-n", world.namespace)
        assert done.code == 0, done.err
        found = world.get("deployment", "demo")
        assert found is not None
        noted = found["spec"]["template"]["metadata"]["annotations"]
        assert noted["flux-secret.io/restarted-for"] == said
        assert "kubectl.kubernetes.io/restartedAt" in noted
        assert found["metadata"]["generation"] == 3
