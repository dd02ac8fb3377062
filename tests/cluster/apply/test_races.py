"""What happens between our reading and our writing, and when the API server goes away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cluster.apply.world import CONFIG_MAPS, World, config_map
from flux_secret.errors import NotOursError, UnreachableError
from flux_secret.model.change import Action, ChangeSet
from flux_secret.outside.kubernetes import Client, ConflictError, Limits
from flux_secret.outside.kubernetes.transport import Answer, Transport

APP = "demo"


class Vanishing(Transport):
    """An API server that goes away after some writes."""

    writes_left = 2
    refused = 0

    async def send(
        self,
        method: str,
        path: str,
        **details: Any,  # noqa: ANN401 -- the same
    ) -> Answer:
        if method == "PATCH":
            if self.writes_left == 0:
                self.refused += 1
                raise UnreachableError("the API server cannot be reached")
            self.writes_left -= 1
        elif self.writes_left == 0:
            raise UnreachableError("the API server cannot be reached")
        return await super().send(method, path, **details)


async def test_an_api_server_that_goes_away_leaves_the_union_listed(world: World) -> None:
    async with Vanishing(world.connection, Limits(tries=1)) as transport:
        applier = world.new_applier(Client(transport, "default"))
        objects = [config_map(f"c{number}", {}) for number in range(5)]
        done = await world.deliver({APP: objects}, applier=applier)
        assert isinstance(done.deliveries[0].error, UnreachableError)
        assert [change.action for change in done.deliveries[0].changes] == [Action.CREATED] * 2
    world.new_applier()
    done = await world.deliver({APP: objects})
    assert (
        sorted(change.action.value for change in done.changes)
        == ["created"] * 3 + ["unchanged"] * 2
    )
    world.new_applier()
    done = await world.deliver({APP: objects[4:]})
    assert [change.action for change in done.swept] == [Action.DELETED] * 4


async def test_an_api_server_that_is_gone_is_not_asked_once_an_object(world: World) -> None:
    async with Vanishing(world.connection, Limits(tries=1)) as transport:
        applier = world.new_applier(Client(transport, "default"))
        await world.deliver({APP: [config_map(f"c{n}", {}) for n in range(100)]}, applier=applier)
        assert transport.refused <= 32


async def test_a_target_that_failed_on_the_way_prunes_nothing(world: World) -> None:
    await world.deliver({APP: [config_map("gone", {}), config_map("c", {})]})
    async with Vanishing(world.connection, Limits(tries=1)) as transport:
        applier = world.new_applier(Client(transport, "default"))
        transport.writes_left = 1
        fewer = [config_map("c", {"a": "b"}), config_map("d", {})]
        now = applier.round()
        delivery = await world.one(APP, fewer, applier=now)
        assert isinstance(delivery.error, UnreachableError)
        transport.writes_left = 100
        swept = ChangeSet()
        await now.sweep([delivery], swept)
    assert list(swept) == []
    assert await world.live(CONFIG_MAPS, "gone") is not None


class Interfering(Transport):
    """An API server where somebody does something just before one of our requests arrives."""

    interfere: Callable[[], Awaitable[None]] | None = None
    method = "DELETE"

    async def send(
        self,
        method: str,
        path: str,
        **details: Any,  # noqa: ANN401 -- passes on whatever it is given
    ) -> Answer:
        interfere = self.interfere
        if method == self.method and interfere is not None:
            self.interfere = None
            await interfere()
        return await super().send(method, path, **details)


async def test_an_object_replaced_at_the_last_moment_is_not_deleted(world: World) -> None:
    await world.deliver({APP: [config_map("c", {}), config_map("d", {})]})
    label = (await world.must(CONFIG_MAPS, "d")).labels

    async def replace_it() -> None:
        await world.delete(CONFIG_MAPS, "d")
        await world.make(CONFIG_MAPS, config_map("d", {}, labels=label))

    async with Interfering(world.connection) as transport:
        transport.interfere = replace_it
        applier = world.new_applier(Client(transport, "default"))
        done = await world.deliver({APP: [config_map("c", {})]}, applier=applier)
    assert isinstance(done.error("d"), ConflictError)
    assert await world.live(CONFIG_MAPS, "d") is not None


async def test_an_object_that_appears_at_the_last_moment_is_never_ours(world: World) -> None:
    async def make_it() -> None:
        await world.make(CONFIG_MAPS, config_map("c", {"by": "them"}))

    async with Interfering(world.connection) as transport:
        transport.method, transport.interfere = "PATCH", make_it
        applier = world.new_applier(Client(transport, "default"))
        done = await world.deliver({APP: [config_map("c", {"a": "b"})]}, applier=applier)
    assert isinstance(done.error("c"), NotOursError)
    world.new_applier()
    done = await world.deliver({APP: [config_map("c", {"a": "b"})]})
    assert isinstance(done.error("c"), NotOursError)
    done = await world.deliver({APP: [config_map("d", {})]})
    assert await world.live(CONFIG_MAPS, "c") is not None


async def test_an_object_replaced_at_the_last_moment_is_not_overwritten(world: World) -> None:
    await world.deliver({APP: [config_map("c", {})]})

    async def replace_it() -> None:
        await world.delete(CONFIG_MAPS, "c")
        await world.make(CONFIG_MAPS, config_map("c", {"by": "them"}))

    async with Interfering(world.connection) as transport:
        transport.method, transport.interfere = "PATCH", replace_it
        applier = world.new_applier(Client(transport, "default"))
        done = await world.deliver({APP: [config_map("c", {"a": "b"})]}, applier=applier)
    assert isinstance(done.error("c"), ConflictError)
    assert (await world.read(CONFIG_MAPS, "c"))["data"] == {"by": "them"}


async def test_two_agents_on_one_target_notice_each_other(world: World) -> None:
    first, second = world.new_applier(), world.new_applier()
    await world.deliver({APP: [config_map("c", {})]}, applier=first)
    now = second.round()
    await second._cluster.ledger.open()
    await world.deliver({APP: [config_map("c", {}), config_map("d", {})]}, applier=first)
    done = await world.one(APP, [config_map("c", {}), config_map("e", {})], applier=now)
    assert isinstance(done.error, UnreachableError)
    assert done.error.retryable
    assert await world.live(CONFIG_MAPS, "e") is None
