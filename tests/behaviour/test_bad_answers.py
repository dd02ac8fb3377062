"""An API server with bad moments in the middle of a delivery: the last good stays, and it heals."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_secret.embedded import EmbeddedCluster
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import FIRST, SECOND, World


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    """Serve one beside us, which can be told what to do wrong."""
    begun, served = threading.Event(), list[EmbeddedCluster]()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with EmbeddedCluster.serve() as one:
            served.append(one)
            begun.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert begun.wait(30)
    yield served[0]
    loop.call_soon_threadsafe(over.set)
    thread.join(30)
    loop.close()


@pytest.fixture(scope="module")
def kubeconfig(cluster: EmbeddedCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cluster.write_kubeconfig(tmp_path_factory.mktemp("cluster") / "kubeconfig")


def of_the_secret(cluster: EmbeddedCluster, code: int, times: int = 1) -> None:
    """Answer the next writes of the walkthrough's Secret with that code."""
    for _ in range(times):
        cluster.fail_next(lambda asked: asked.verb == "patch" and asked.name == "demo-secret", code)


def test_a_500_in_the_middle_leaves_the_last_good_value_and_the_next_pass_heals(
    cluster: EmbeddedCluster, world: World
) -> None:
    assert world.deliver().code == 0
    world.put("demo", SECOND)
    of_the_secret(cluster, 500)
    failed = world.deliver()
    assert failed.code == 7, failed.err
    assert "secret/demo-secret" in failed.out + failed.err
    assert SECOND.decode().strip() not in failed.out + failed.err
    assert world.secret()[0] == FIRST
    assert world.deliver().code == 0
    assert world.secret()[0] == SECOND


@pytest.mark.parametrize("code", [429, 503])
def test_a_server_that_is_busy_for_a_moment_is_asked_again(
    cluster: EmbeddedCluster, world: World, code: int
) -> None:
    of_the_secret(cluster, code, times=2)
    assert world.deliver().code == 0
    assert world.secret()[0] == FIRST


def test_a_server_that_stays_busy_leaves_the_last_good_value(
    cluster: EmbeddedCluster, world: World
) -> None:
    assert world.deliver().code == 0
    world.put("demo", SECOND)
    of_the_secret(cluster, 429, times=4)
    failed = world.deliver()
    assert failed.code in {5, 7}, failed.err
    assert world.secret()[0] == FIRST
    assert world.deliver().code == 0
    assert world.secret()[0] == SECOND
