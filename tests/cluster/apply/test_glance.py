"""A pass with nothing to do asks for each kind once; what has changed is seen all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from cluster.apply.account import Rights, agent_with
from cluster.apply.world import CONFIG_MAPS, Object, World, config_map, namespace, secret
from flux_secret.apply.applier import ApplyRound, ClusterApplier
from flux_secret.model.change import ChangeSet
from flux_secret.model.delivery import Delivery
from flux_secret.outside.kubernetes import Client, Connection

TARGETS = 6
DISCOVERY = 3  # two requests say what is served, one lists the inventories


def bundle(number: int, **metadata: object) -> list[Object]:
    """Make two ConfigMaps and a Secret."""
    return [
        config_map(f"c{number}", {"a": "b"}, **metadata),
        config_map(f"d{number}", {"a": "b"}, **metadata),
        secret(f"s{number}", {"k": b"value"}, **metadata),
    ]


@pytest.fixture
async def narrow(world: World, connection: Connection) -> AsyncIterator[Client]:
    """Be a service account that may do everything but list."""
    rights = Rights(["configmaps", "secrets"], ["get", "create", "patch", "update", "delete"])
    async with agent_with(world, connection, rights) as client:
        yield client


async def delivered(
    world: World, applier: ClusterApplier | None = None, **metadata: object
) -> list[Delivery]:
    targets = {f"demo/{number}": bundle(number, **metadata) for number in range(TARGETS)}
    done = await world.deliver(targets, applier=applier)
    assert not any(one.error or one.changes.failed for one in done.deliveries), done.lines
    return done.deliveries


async def apart(world: World) -> list[Delivery]:
    """Deliver each target to a namespace of its own."""
    places = [f"{world.name}-{number}" for number in range(TARGETS)]
    for place in places:
        await world.send("POST", "/api/v1/namespaces", namespace(place))
    done = await world.deliver({f"demo/{place}": bundle(1, namespace=place) for place in places})
    return done.deliveries


async def looked(
    deliveries: Sequence[Delivery],
    applier: ClusterApplier | ApplyRound,
    *,
    only: Sequence[str] = (),
) -> tuple[list[str], int]:
    """Look in one pass at what is there; give the targets that changed, and how many requests."""
    now = applier.round() if isinstance(applier, ClusterApplier) else applier
    traffic = now._cluster.client.traffic
    before = dict(traffic.requests)
    changed = [
        one.target.path
        for one in deliveries
        if not await now.settled(
            replace(one.target, allowed_namespaces=frozenset(only)), ChangeSet()
        )
    ]
    assert traffic.requests | {"GET": 0} == before | {"GET": 0}
    reads = traffic.requests["GET"] - before["GET"]
    return changed, reads


async def test_many_targets_are_looked_at_with_one_list_a_kind(world: World) -> None:
    deliveries = await delivered(world)
    for _ in range(2):
        assert await looked(deliveries, world.applier) == ([], DISCOVERY + 2)


async def test_what_lies_in_many_namespaces_is_listed_everywhere(world: World) -> None:
    assert await looked(await apart(world), world.applier) == ([], DISCOVERY + 2)


async def test_where_only_some_namespaces_may_be_touched_nothing_is_listed_everywhere(
    world: World,
) -> None:
    changed, reads = await looked(await apart(world), world.applier, only=["some"])
    assert (changed, reads) == ([], DISCOVERY + 3 * TARGETS)


@pytest.mark.parametrize("change", ["deleted", "edited", "unlabelled", "made anew"])
async def test_the_one_that_somebody_changed_is_found(world: World, change: str) -> None:
    deliveries = await delivered(world)
    if change == "edited":
        await world.edit(CONFIG_MAPS, "c4", {"data": {"a": "other"}})
    elif change == "unlabelled":
        label = {"applyset.kubernetes.io/part-of": None}
        await world.edit(CONFIG_MAPS, "c4", {"metadata": {"labels": label}})
    else:
        await world.delete(CONFIG_MAPS, "c4")
    if change == "made anew":
        await world.make(CONFIG_MAPS, config_map("c4", {"a": "b"}))
    changed, _ = await looked(deliveries, world.applier)
    assert changed == ["demo/4"]


async def test_a_change_during_a_pass_is_found_in_the_next(world: World) -> None:
    first, *others = await delivered(world)
    now = world.applier.round()
    assert await now.settled(first.target, ChangeSet())
    await world.edit(CONFIG_MAPS, "c4", {"data": {"a": "other"}})
    await looked(others, now)
    changed, _ = await looked(others, world.applier)
    assert changed == ["demo/4"]


async def test_a_role_that_may_not_list_is_asked_once_and_reads_one_by_one(
    world: World, narrow: Client
) -> None:
    applier = world.new_applier(narrow)
    deliveries = await delivered(world, applier)
    refused = 2  # a list of each kind
    assert await looked(deliveries, applier) == ([], DISCOVERY + refused + 3 * TARGETS)
    assert await looked(deliveries, applier) == ([], DISCOVERY + 3 * TARGETS)
