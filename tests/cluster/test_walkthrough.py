"""The walkthrough on a real API server: its own tables, then every behaviour test again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from behaviour.test_bad_input import *  # noqa: F403 -- the same suite, another cluster
from behaviour.test_flux_v1_annotations import *  # noqa: F403 -- the same
from behaviour.test_removal_events import *  # noqa: F403 -- the same
from behaviour.test_walkthrough import *  # noqa: F403 -- the same
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import FIRST, World

POD_SECONDS = 60.0


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + POD_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.1)


def test_the_walkthroughs_own_tables(walkthrough: World) -> None:
    """Issue 1: the exact `kubectl get secrets` and `kubectl get all`, the pod Running."""
    world = walkthrough
    assert world.namespace == "dev-demo"
    done = world.deliver("--sync-garbage-collection")
    assert done.code == 0, done.err
    assert world.secret()[0] == FIRST
    secrets = world.kubectl("get", "secrets", "-n", "dev-demo").out
    assert re.fullmatch(r"NAME +TYPE +DATA +AGE\ndemo-secret +Opaque +1 +\S+\n", secrets), secrets

    def running() -> bool:
        pods = world.kubectl("get", "pods", "-n", "dev-demo", "--no-headers").out
        return re.fullmatch(r"demo-\S+ +1/1 +Running +0 +\S+\n", pods) is not None

    until(running)
    everything = world.kubectl("get", "all", "-n", "dev-demo").out
    for row in (
        r"^pod/demo-[0-9a-f]+-\w+ +1/1 +Running +0 ",
        r"^service/demo-service +ClusterIP +[\d.]+ +<none> +80/TCP,443/TCP ",
        r"^deployment\.apps/demo +1/1 +1 +1 ",
        r"^replicaset\.apps/demo-[0-9a-f]+ +1 +1 +1 ",
    ):
        assert re.search(row, everything, re.MULTILINE), everything
