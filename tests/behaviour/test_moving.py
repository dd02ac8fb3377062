"""An object moves from one App of the cluster to another, and is never deleted in between."""

from __future__ import annotations

from typing import Any

import yaml

from behaviour.test_custom_resources import (
    cluster,  # noqa: F401 -- a fixture
    put_app,
    ready,
    running,
)
from behaviour.test_passing_on import SHARED
from simulators.agents import until
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import World

NAMES = tuple(f"app-{number}" for number in range(6))


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}}


def put(world: World, *, at: int) -> None:
    """Commit that an App of each two has the object that both have had in turn."""
    files = {}
    for number, name in enumerate(NAMES):
        own = [config_map(f"own-{name}")]
        moves = [config_map(f"moves-{number // 2}")] if number % 2 == at else []
        files[f"{name}/objects.yaml"] = yaml.safe_dump_all([*own, *moves])
    world.ops.commit(files, f"move to {at}")


def uids(world: World) -> dict[str, str]:
    found = {f"moves-{one}": world.get("configmap", f"moves-{one}") for one in range(3)}
    return {name: tree["metadata"]["uid"] for name, tree in found.items() if tree is not None}


def owners(world: World) -> dict[str, str]:
    """Say which App's label each has."""
    found = {f"moves-{one}": world.get("configmap", f"moves-{one}") for one in range(3)}
    label = "applyset.kubernetes.io/part-of"
    return {name: tree["metadata"]["labels"][label] for name, tree in found.items() if tree}


def test_objects_move_between_apps_of_two_replicas_and_keep_their_uids(
    cluster: World,  # noqa: F811
) -> None:
    put(cluster, at=0)
    for name in NAMES:
        put_app(cluster, name, path=name, stores=[], interval="10m")
    with (
        running(cluster, f"--cache-dir={cluster.root}/c1", *SHARED, name="one"),
        running(cluster, f"--cache-dir={cluster.root}/c2", *SHARED, name="two"),
    ):
        until(lambda: all(ready(cluster, name=name) == "True" for name in NAMES))
        before, had = uids(cluster), owners(cluster)
        assert len(before) == 3
        put(cluster, at=1)
        until(lambda: not set(owners(cluster).items()) & set(had.items()))
        until(lambda: all(ready(cluster, name=name) == "True" for name in NAMES))
        assert uids(cluster) == before


def test_what_nobody_takes_over_goes_without_waiting_for_the_interval(
    cluster: World,  # noqa: F811
) -> None:
    put(cluster, at=0)
    put_app(cluster, NAMES[0], path=NAMES[0], stores=[], interval="10m")
    with running(cluster):
        until(lambda: len(uids(cluster)) == 1)
        put(cluster, at=1)
        until(lambda: uids(cluster) == {})
        assert cluster.get("configmap", f"own-{NAMES[0]}") is not None
