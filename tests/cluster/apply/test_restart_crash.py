"""An agent that ends at each of its steps: no restart is lost, and none is done twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import pytest

from cluster.apply.rotating import Agent, consumer, env, generations
from cluster.apply.world import World, secret
from flux_secret.errors import UnreachableError
from flux_secret.model.restart import RestartPolicy
from flux_secret.outside.kubernetes import Applied, Client, LiveObject, ServedKind

T = TypeVar("T")
POLICY = RestartPolicy()
THEM = [consumer(name, env("s", "k")) for name in ("a", "b")]
ONCE = {"a": 2, "b": 2}


@dataclass
class Death:
    """At which write of which kind the agent ends, and whether the write still happens."""

    method: str
    about: str
    number: int
    happens: bool


class Mortal(Client):
    """A client whose agent ends: from then on nothing reaches the cluster."""

    def __init__(self, world: World, death: Death) -> None:
        super().__init__(world.transport, "default")
        self._death = death
        self._left = death.number
        self.is_dead = False

    async def _written(self, method: str, about: str, act: Callable[[], Awaitable[T]]) -> T:
        if self.is_dead:
            raise UnreachableError("dead", remedy="none")
        death = self._death
        if method == death.method and about.startswith(death.about):
            self._left -= 1
            if self._left == 0:
                self.is_dead = True
                if death.happens:
                    await act()
                raise UnreachableError("killed", remedy="none")
        return await act()

    async def replace(self, kind: ServedKind, namespace: str, name: str, body: bytes) -> LiveObject:
        act = partial(super().replace, kind, namespace, name, body)
        return await self._written("replace", name, act)

    async def own(
        self, kind: ServedKind, namespace: str, name: str, body: bytes, manager: str
    ) -> Applied:
        act = partial(super().own, kind, namespace, name, body, manager)
        return await self._written("own", name, act)

    async def apply(
        self, kind: ServedKind, namespace: str, name: str, body: bytes, *, force: bool = True
    ) -> Applied:
        act = partial(super().apply, kind, namespace, name, body, force=force)
        return await self._written("apply", name, act)


RESTARTS, LIST = "flux-secret-restarts-", "flux-secret-demo-"
DEATHS: Mapping[str, Death] = {
    "before the Secret is written": Death("apply", "s", 1, happens=False),
    "after the Secret is written": Death("apply", "s", 1, happens=True),
    "before the list has it": Death("replace", LIST, 1, happens=False),
    "after the list has it": Death("replace", LIST, 1, happens=True),
    "before it is noted": Death("replace", RESTARTS, 1, happens=False),
    "after it is noted": Death("replace", RESTARTS, 1, happens=True),
    "before the first restart": Death("own", "", 1, happens=False),
    "after the first restart": Death("own", "", 1, happens=True),
    "after the second restart": Death("own", "", 2, happens=True),
    "before restarts are noted": Death("replace", RESTARTS, 2, happens=False),
    "after restarts are noted": Death("replace", RESTARTS, 2, happens=True),
}


@pytest.mark.parametrize("when", DEATHS)
async def test_whenever_it_ends_each_consumer_is_restarted_once(world: World, when: str) -> None:
    agent = Agent(world, POLICY)
    await agent.rotate("first", *THEM)
    client = Mortal(world, DEATHS[when])
    dying = Agent(world, POLICY, agent.now, client)
    applier = world.new_applier(client)
    await dying.restarter.before([world.target("demo")])
    rotated = secret("s", {"k": b"second", "l": b"same"})
    done = await world.deliver({"demo": [rotated, *THEM]}, applier=applier)
    if not client.is_dead:
        await dying.restarter.after(done.deliveries)
    assert client.is_dead
    heir = Agent(world, POLICY, agent.now)
    await heir.rotate("second", *THEM)
    assert await generations(world) == ONCE
    await heir.rotate("second", *THEM)
    await heir.later(hours=1)
    assert await generations(world) == ONCE


async def test_a_value_that_changes_while_no_agent_runs_is_seen(world: World) -> None:
    """The first delivery ends before anything is noted; the next agent's first brings the value."""
    Agent(world, POLICY)
    applier = world.new_applier()
    await world.deliver(
        {"demo": [secret("s", {"k": b"first", "l": b"same"}), *THEM]}, applier=applier
    )
    heir = Agent(world, POLICY)
    await heir.rotate("second", *THEM)
    assert await generations(world) == ONCE


@pytest.mark.parametrize("happens", [False, True])
async def test_an_agent_that_ends_during_the_very_first_delivery_forgets_no_value(
    world: World, *, happens: bool
) -> None:
    Agent(world, POLICY)
    client = Mortal(world, Death("replace", LIST, 1, happens=happens))
    first = secret("s", {"k": b"first", "l": b"same"})
    await world.deliver({"demo": [first, *THEM]}, applier=world.new_applier(client))
    assert client.is_dead
    assert await generations(world) == {"a": 1, "b": 1}
    heir = Agent(world, POLICY)
    await heir.rotate("second", *THEM)
    assert await generations(world) == ONCE


async def test_two_agents_at_once_restart_once(world: World) -> None:
    one = Agent(world, POLICY)
    await one.rotate("first", *THEM)
    other = Agent(world, POLICY)
    await other.rotate("first", *THEM)
    await one.rotate("second", *THEM)
    await other.rotate("second", *THEM)  # its record is an old one: it writes nothing
    await other.later(minutes=1)
    assert await generations(world) == ONCE
    await other.rotate("third", *THEM)
    assert await generations(world) == {"a": 3, "b": 3}
