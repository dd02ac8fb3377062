"""Watches on a real API server, one that is started again included."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from cluster.control_plane import ControlPlane
from flux_secret.outside.kubernetes import Client, Following, Troubled, connect, load
from simulators.watching import MAPS, STORIES, a_namespace, following, make


@pytest.fixture
async def client(control_plane: ControlPlane) -> AsyncIterator[Client]:
    async with connect(load(control_plane.kubeconfig)) as client:
        yield client


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_watches(client: Client, story: Callable[[Client], Awaitable[None]]) -> None:
    await story(client)


async def test_a_watch_outlives_a_restart_of_the_api_server(
    our_control_plane: ControlPlane, client: Client
) -> None:
    async with a_namespace(client) as here, following(client, MAPS, here, "x=1") as seen:
        await make(client, MAPS, here, "before", x="1")
        await seen.until(lambda: Following in seen and "before" in seen.now)
        our_control_plane.stop_api_server()
        await seen.until(lambda: Troubled in seen)
        our_control_plane.restart_api_server()
        await seen.until(lambda: isinstance(seen.told[-1], Following))
        await make(client, MAPS, here, "after", x="1")
        await seen.until(lambda: seen.now == {"before", "after"})
