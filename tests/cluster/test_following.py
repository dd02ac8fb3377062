"""The sync marker at a Secret of a real API server: a metadata-only patch leaves its data alone."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from behaviour.test_following import (
    test_a_read_only_agent_keeps_its_marker_at_a_secret_and_pushes_nothing,
)
from flux_secret.errors import ConfigurationError
from flux_secret.outside import kubernetes
from simulators.fixtures import gnupg, world
from simulators.world import World

__all__ = [
    "gnupg",
    "test_a_read_only_agent_keeps_its_marker_at_a_secret_and_pushes_nothing",
    "world",
]


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


async def test_the_annotation_is_written_beside_the_data(world: World) -> None:
    place = f"{world.namespace}-flux"
    world.kubectl("create", "namespace", place)
    connection = kubernetes.load(world.kubeconfig, None, environ={})
    async with kubernetes.connect(connection) as client:
        marker = kubernetes.SecretAnnotation(client, place, "flux-git-deploy")
        for lost in (marker.read(), marker.move("a" * 40)):
            with pytest.raises(ConfigurationError, match="there is no Secret flux-git-deploy"):
                await lost
        made = ("create", "secret", "generic", "flux-git-deploy", "--from-literal=identity=x")
        world.kubectl(*made, "-n", place)
        assert await marker.read() is None
        await marker.move("a" * 40)
        assert await marker.read() == "a" * 40
    found = world.get("secret", "flux-git-deploy", place)
    assert found is not None
    assert found["data"] == {"identity": "eA=="}
