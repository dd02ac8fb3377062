"""Nothing is made again from the same inputs, and everything is when one of them has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from flux_secret.errors import DecryptError, UnreachableError
from flux_secret.model.change import Action, Change
from flux_secret.model.delivery import Delivery, HeldBack, Read, Remark, StoreRevision
from flux_secret.model.names import SecretPath, StoreName
from flux_secret.model.reference import Lookup
from flux_secret.model.target import Generation
from flux_secret.reconcile.deliver import deliver
from flux_secret.reconcile.memory import Memory
from unit.reconcile.stages import KEY, World, target

APPS = StoreName.parse("apps")
READ = Read(Lookup(SecretPath.parse("apps/demo")), APPS, "c", "b")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Agent:
    """Delivers one target again and again."""

    def __init__(self, interval_seconds: float = 60.0) -> None:
        self.world = World()
        self.clock = Clock()
        self.memory = Memory(interval_seconds, self.clock)
        self.target = target("a")

    async def deliver(self) -> Delivery:
        self.world.log.clear()
        return await deliver(self.target, self.world.pinned(), self.memory)

    def generated(self) -> bool:
        return "generate a" in self.world.log


async def test_what_has_not_changed_is_not_generated_again() -> None:
    agent = Agent()
    await agent.deliver()
    assert agent.generated()
    again = await agent.deliver()
    assert not agent.generated()
    assert [change.action for change in again.changes] == [Action.UNCHANGED]
    assert again.revision is not None
    assert again.revision.commit == agent.world.commit
    assert again.exit_code == 0
    assert agent.world.log[-1] == "record a"


async def test_a_remark_is_made_when_a_target_is_generated_and_keeps_nothing_from_being_known() -> (
    None
):
    agent = Agent()
    agent.world.remarks = [Remark("demo/.flux.yaml, line 5", "'extra' counts for nothing")]
    assert (await agent.deliver()).remarks == agent.world.remarks
    assert (await agent.deliver()).remarks == []
    assert not agent.generated()


async def test_a_note_generates_anew_since_it_may_be_gone_next_time() -> None:
    agent = Agent()
    agent.world.notes = ["delivered from the last good copy"]
    await agent.deliver()
    await agent.deliver()
    assert agent.generated()


def commit(agent: Agent) -> None:
    agent.world.commit = "b" * 40


def entry(agent: Agent) -> None:
    agent.world.repeats = False


def drift(agent: Agent) -> None:
    agent.world.is_settled = False


def interval(agent: Agent) -> None:
    agent.clock.now = 60.0


def settings(agent: Agent) -> None:
    agent.target = replace(agent.target, generation=Generation(env={"STAGE": "prod"}))


def request(agent: Agent) -> None:
    agent.memory.forget([agent.target])


@pytest.mark.parametrize("change", [commit, entry, drift, interval, settings, request])
async def test_a_changed_input_or_object_generates_anew(change: Callable[[Agent], None]) -> None:
    agent = Agent()
    await agent.deliver()
    change(agent)
    await agent.deliver()
    assert agent.generated()


@pytest.mark.parametrize("listed", [True, False])
async def test_a_script_that_listed_entries_sees_every_change_of_the_store(*, listed: bool) -> None:
    agent = Agent()
    agent.world.listed = listed
    agent.world.revisions = {APPS: StoreRevision("1" * 40)}
    await agent.deliver()
    agent.world.revisions = {APPS: StoreRevision("2" * 40)}
    again = await agent.deliver()
    assert agent.generated() is listed
    assert again.revision is not None
    assert again.revision.stores == agent.world.revisions


@pytest.mark.parametrize("action", [Action.SKIPPED, Action.FAILED])
async def test_what_is_not_whole_is_tried_again(action: Action) -> None:
    agent = Agent()
    error = DecryptError("damaged") if action is Action.FAILED else None
    agent.world.outcome = Change(KEY, action, error=error)
    await agent.deliver()
    await agent.deliver()
    assert agent.generated()


async def test_what_somebody_in_the_cluster_wants_left_alone_makes_nothing_anew() -> None:
    agent = Agent()
    agent.world.outcome = Change(KEY, Action.SKIPPED, "ignored", lasting=True)
    await agent.deliver()
    await agent.deliver()
    assert not agent.generated()


async def test_a_failure_is_forgotten_with_what_was_known_before() -> None:
    agent = Agent()
    await agent.deliver()
    agent.world.commit = "b" * 40
    agent.world.failing["generate a"] = DecryptError("damaged")
    await agent.deliver()
    agent.world.commit = "a" * 40  # pushed back: what was delivered last may be half of "b"
    agent.world.failing.clear()
    await agent.deliver()
    assert agent.generated()


async def test_a_target_that_may_use_the_network_is_never_remembered() -> None:
    agent = Agent()
    agent.target = replace(agent.target, generation=Generation(network=True))
    await agent.deliver()
    await agent.deliver()
    assert agent.generated()


async def test_an_interval_of_zero_generates_at_every_sync() -> None:
    agent = Agent(interval_seconds=0.0)
    await agent.deliver()
    await agent.deliver()
    assert agent.generated()


async def test_an_outage_forgets_nothing() -> None:
    agent = Agent()
    await agent.deliver()
    agent.world.failing["head a"] = UnreachableError("no answer")
    await agent.deliver()
    agent.world.failing.clear()
    await agent.deliver()
    assert not agent.generated()


async def test_a_host_that_does_not_answer_is_the_deliverys_error() -> None:
    agent = Agent()
    await agent.deliver()
    agent.world.failing["head a"] = UnreachableError("no answer")
    assert (await agent.deliver()).exit_code == UnreachableError.exit_code


async def test_only_what_was_read_otherwise_is_touched_by_a_commit() -> None:
    agent = Agent()
    assert await agent.memory.is_touched(agent.target, agent.world)  # nothing is known of it
    await agent.deliver()
    assert not await agent.memory.is_touched(agent.target, agent.world)
    agent.world.repeats = False
    assert await agent.memory.is_touched(agent.target, agent.world)
    again = await agent.deliver()
    assert not again.repeated


async def test_a_delivery_that_holds_says_so() -> None:
    agent = Agent()
    assert not (await agent.deliver()).repeated
    assert (await agent.deliver()).repeated


async def test_a_change_that_waits_for_owners_touches_who_has_to_say_so() -> None:
    agent = Agent()
    await agent.deliver()
    held = HeldBack(APPS, "", "it is not approved")
    assert not await agent.memory.is_touched(agent.target, agent.world)
    agent.world.held, agent.world.reads = [held], [READ]
    agent.memory.forget([agent.target])
    await agent.deliver()
    assert not await agent.memory.is_touched(agent.target, agent.world), "it was said"
    agent.world.held = []
    assert await agent.memory.is_touched(agent.target, agent.world), "it waits no more"
    await agent.deliver()
    assert not await agent.memory.is_touched(agent.target, agent.world)
    agent.world.held = [held]
    assert await agent.memory.is_touched(agent.target, agent.world)
