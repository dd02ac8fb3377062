"""A delivery that is made by a worker says the same as one that is made here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from flux_secret.errors import BugError, DecryptError, FluxSecretError, UnreachableError
from flux_secret.model.change import Action
from flux_secret.model.delivery import Delivery, Remark, Revision, StoreRevision
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.reconcile.deliver import deliver
from flux_secret.reconcile.making import Here
from flux_secret.reconcile.memory import Memory
from flux_secret.reconcile.workers import Job, Made, Workers, work
from unit.reconcile.stages import World, target

APPS = {StoreName("apps"): StoreRevision("b" * 40)}


@dataclass
class Crew:
    """Does jobs in this process, in a world of their own."""

    inside: World
    questions: tuple[object, ...] = ()
    lost: FluxSecretError | None = None
    jobs: list[Job] = field(default_factory=list)
    answers: list[object] = field(default_factory=list)
    gives: object = None

    async def work(self, job: Job, answer: Callable[[Any], Awaitable[object]]) -> Any:  # noqa: ANN401 -- a `Crew`'s
        self.jobs.append(job)
        self.answers += [await answer(question) for question in self.questions]
        if self.lost is not None:
            raise self.lost
        return self.gives or await work(job, self.inside.pinned())


def by_worker(inside: World, **about: Any) -> tuple[World, Crew]:  # noqa: ANN401 -- a crew's
    crew = Crew(inside, **about)
    return World(maker=Workers(crew), revisions=APPS), crew


async def test_what_a_worker_did_is_what_the_delivery_says() -> None:
    remark, note = Remark("demo/.flux.yaml", "says"), "delivered from the last good copy"
    inside = World(remarks=[remark], notes=[note], revisions=APPS)
    here = await deliver(target("a"), replace(inside, maker=Here()).pinned())
    world, _ = by_worker(inside)
    elsewhere = await deliver(target("a"), world.pinned())
    assert elsewhere == here
    assert elsewhere.revision == Revision("a" * 40, APPS)
    assert [change.action for change in elsewhere.changes] == [Action.CREATED]


async def test_the_agent_pins_and_lays_out_and_the_worker_takes_the_rest() -> None:
    inside = World()
    world, crew = by_worker(inside)
    await deliver(target("a"), world.pinned())
    assert world.log == ["checkout a", "pins a", "order a", "record a"]
    assert inside.log == ["checkout a", "reader a", "generate a", "apply a"]
    (job,) = crew.jobs
    assert (job.checkout, job.pins, job.order) == (world, world, "order of a")
    assert world.released == 1


async def test_a_worker_never_has_the_login_of_a_repository() -> None:
    one = target("a")
    url = GitUrl.parse("https://user:token@host/ops")
    secret = replace(one, source=replace(one.source, url=url))
    world, crew = by_worker(World())
    done = await deliver(secret, world.pinned())
    assert crew.jobs[0].target.source.url.login is None
    assert crew.jobs[0].target.name == "a"
    assert done.target == secret


async def test_whoever_applies_elsewhere_is_answered_by_the_round() -> None:
    world, crew = by_worker(World(), questions=("whose?",))
    await deliver(target("a"), world.pinned())
    assert world.questions == ["whose?"]
    assert crew.answers == ["answer to whose?"]


@pytest.mark.parametrize("step", ["generate a", "apply a"])
async def test_a_failure_in_a_worker_is_the_deliverys_and_what_was_done_stays_known(
    step: str,
) -> None:
    inside = World(failing={step: DecryptError("entry apps/demo is damaged")}, revisions=APPS)
    world, _ = by_worker(inside)
    done = await deliver(target("a"), world.pinned())
    assert isinstance(done.error, DecryptError)
    assert done.revision == Revision("a" * 40, APPS)
    assert world.released == 1
    assert world.log[-1] == "record a"


async def test_a_worker_that_is_lost_is_a_delivery_that_failed_and_can_be_tried_again() -> None:
    world, _ = by_worker(World(), lost=UnreachableError("the worker was killed"))
    memory = Memory(3600)
    done = await deliver(target("a"), world.pinned(), memory)
    assert done.error is not None
    assert done.error.retryable
    assert done.revision == Revision("a" * 40, APPS)
    world.log.clear()
    await deliver(target("a"), world.pinned(), memory)
    assert "order a" in world.log  # nothing was remembered


async def test_what_a_worker_made_is_remembered_with_whether_a_script_listed_entries() -> None:
    world, _ = by_worker(World(listed=True, revisions=APPS))
    memory = Memory(3600)
    await deliver(target("a"), world.pinned(), memory)
    world.log.clear()
    again = await deliver(target("a"), world.pinned(), memory)
    assert "order a" not in world.log
    assert [change.action for change in again.changes] == [Action.UNCHANGED]
    world.revisions = {StoreName("apps"): StoreRevision("c" * 40)}
    await deliver(target("a"), world.pinned(), memory)
    assert "order a" in world.log


async def test_something_else_than_a_delivery_is_refused() -> None:
    for gives in ("text", Delivery(target("a"))):
        world, _ = by_worker(World(), gives=gives)
        done = await deliver(target("a"), world.pinned())
        assert isinstance(done.error, BugError)
    world, _ = by_worker(World(), gives=Made(Delivery(target("a"))))
    assert (await deliver(target("a"), world.pinned())).error is None
