"""fluxctl and an agent on a real API server: what controllers make of a workload is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from behaviour.test_fluxctl import *  # noqa: F403 -- the same suite, another cluster
from behaviour.test_fluxctl import QUIET, told
from simulators.agents import address, agent, until
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.programs import said
from simulators.world import World


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


def test_a_rollout_is_ready_when_its_pods_are(world: World, fluxctl: Path) -> None:
    with agent(world, *QUIET) as running:
        until(lambda: running.has_said("msg=delivery.finished"))
        url = address(running)

        def row() -> list[str]:
            return said(told(fluxctl, url, "list-workloads", "-a")).splitlines()[1].split()

        until(lambda: row()[3] == "ready")
        stuck = '{"spec": {"template": {"spec": {"serviceAccountName": "nobody-made-it"}}}}'
        world.kubectl("patch", "deployment", "demo", "-n", world.namespace, "-p", stuck)
        until(lambda: row()[3] == "error")
