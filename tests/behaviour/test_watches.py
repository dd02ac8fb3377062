"""Watches on the embedded API server; `tests/cluster/test_watches.py` has the same stories."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from flux_secret.embedded import EmbeddedCluster
from flux_secret.errors import ForbiddenError, UnreachableError
from flux_secret.outside.kubernetes import Client, Following, Synced, Troubled, connect, load
from simulators.watching import MAPS, STORIES, a_namespace, following, make


@pytest.fixture
async def cluster() -> AsyncIterator[EmbeddedCluster]:
    async with EmbeddedCluster.serve() as cluster:
        yield cluster


@pytest.fixture
async def client(cluster: EmbeddedCluster, tmp_path: Path) -> AsyncIterator[Client]:
    async with connect(load(cluster.write_kubeconfig(tmp_path / "kubeconfig"))) as client:
        yield client


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_watches(client: Client, story: Callable[[Client], Awaitable[None]]) -> None:
    await story(client)


async def test_a_dropped_watch_misses_nothing(cluster: EmbeddedCluster, client: Client) -> None:
    async with a_namespace(client) as here, following(client, MAPS, here) as seen:
        await seen.until(lambda: Following in seen)
        cluster.drop_watches()
        for name in ("a", "b"):
            await make(client, MAPS, here, name)
        await seen.until(lambda: seen.now == {"a", "b"})
        assert [one for one in seen.told if isinstance(one, Synced)] == [Synced(())]
        assert Troubled not in seen


async def test_a_watch_whose_past_is_forgotten_lists_again(
    cluster: EmbeddedCluster, client: Client
) -> None:
    async with a_namespace(client) as here, following(client, MAPS, here) as seen:
        await seen.until(lambda: Following in seen)
        await make(client, MAPS, here, "a")
        cluster.unreachable()
        await seen.until(lambda: Troubled in seen)
        cluster.reachable()
        cluster.fail_next(lambda asked: asked.verb == "watch", 410)
        await seen.until(lambda: seen.told.count(Synced(("a",))) == 1)
        assert cluster.requests.count("list", "configmaps") == 2


async def test_an_api_server_that_is_gone_is_told_and_so_is_its_return(
    cluster: EmbeddedCluster, client: Client
) -> None:
    async with a_namespace(client) as here, following(client, MAPS, here) as seen:
        await seen.until(lambda: Following in seen)
        cluster.unreachable()
        await seen.until(lambda: Troubled in seen)
        trouble = next(one for one in seen.told if isinstance(one, Troubled))
        assert isinstance(trouble.error, UnreachableError)
        cluster.reachable()
        await seen.until(lambda: isinstance(seen.told[-1], Following))


@pytest.mark.parametrize("verb", ["list", "watch"])
async def test_the_verb_that_is_missing_is_named(
    cluster: EmbeddedCluster, client: Client, verb: str
) -> None:
    cluster.forbid(verb, "configmaps")
    async with a_namespace(client) as here, following(client, MAPS, here) as seen:
        await seen.until(lambda: Troubled in seen)
        trouble = next(one for one in seen.told if isinstance(one, Troubled))
        assert isinstance(trouble.error, ForbiddenError)
        assert f"to {verb} configmaps in {here}" in trouble.error.what
        assert verb in trouble.error.remedy
        cluster.allow_all()
        await make(client, MAPS, here, "a")
        await seen.until(lambda: "a" in seen.now)
