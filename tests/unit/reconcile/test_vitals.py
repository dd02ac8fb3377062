"""What happens → the facts that health is judged by."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from flux_secret.errors import (
    DecryptError,
    EntryNotFoundError,
    FluxSecretError,
    RejectedError,
    UnreachableError,
)
from flux_secret.model.app import AppName
from flux_secret.model.change import Action, Change
from flux_secret.model.delivery import Delivery, Read
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey, SecretPath, StoreName
from flux_secret.model.reference import Lookup
from flux_secret.model.target import Source, Target
from flux_secret.reconcile import vitals as module
from flux_secret.reconcile.health import Limits
from flux_secret.reconcile.vitals import BEGINNING_SECONDS, ROUND_SECONDS, Vitals

APPS, TEAM = StoreName.parse("apps"), StoreName.parse("team")
TARGET = Target(
    Source(GitUrl.parse("ssh://git@example.org/ops"), "main"), "demo", frozenset({APPS, TEAM})
)
KEY = ObjectKey("", "Secret", "dev", "demo")
GOOD = Change(KEY, Action.CONFIGURED)
BAD = Change(KEY, Action.FAILED, error=RejectedError("no"))


RARE, OFTEN = AppName("dev", "rare"), AppName("dev", "often")


@dataclass
class World:
    now: float = 100.0
    overdue: float = 0.0
    vitals: Vitals = field(init=False)

    def __post_init__(self) -> None:
        self.vitals = Vitals(Limits(), lambda: self.now, overdue=lambda: self.overdue)

    def failing(self) -> float | None:
        return self.vitals.facts.failing_since

    def unreadable(self) -> float | None:
        return self.vitals.facts.unreadable_since

    def failed(self) -> set[str]:
        return {one.name for one in self.vitals.ready() if one.failed}


def delivery(
    *changes: Change, error: FluxSecretError | None = None,
    reads: tuple[tuple[StoreName, FluxSecretError | None], ...] = (),
) -> Delivery:  # fmt: skip
    one = Delivery(TARGET, error=error)
    for change in changes:
        one.changes.add(change)
    for store, failure in reads:
        lookup = Lookup(SecretPath.parse(f"{store}/demo"))
        one.reads.append(Read(lookup, store, "c" * 40, "b" * 40, failure))
    return one


def test_it_is_ready_once_everything_was_gone_through_however_that_went() -> None:
    world = World()
    assert world.failed() == {"started"}
    world.vitals.noted([delivery(error=UnreachableError("gone"))])
    assert world.failed() == {"started"}
    world.vitals.starts()
    assert world.failed() == set()


def test_one_application_that_is_delivered_is_enough() -> None:
    world = World()
    broken = delivery(error=UnreachableError("gone"))
    world.vitals.noted([broken])
    assert world.failing() == 100.0
    world.now += 50
    world.vitals.noted([broken, delivery(BAD)])  # an application whose every object fails, too
    assert world.failing() == 100.0
    world.vitals.noted([broken, delivery(GOOD, BAD)])
    assert world.failing() is None
    world.vitals.noted([broken])  # one by one it is the same
    assert world.failing() == 150.0
    world.vitals.noted([delivery()])
    assert world.failing() is None


def test_a_store_is_readable_while_one_of_its_entries_is() -> None:
    world, no = World(), DecryptError("no key")
    world.vitals.noted([delivery(error=no, reads=((APPS, None), (APPS, no)))])
    assert world.unreadable() is None
    world.vitals.noted([delivery(error=no, reads=((APPS, no),))])
    assert world.unreadable() == 100.0
    world.vitals.noted([delivery(error=no, reads=((TEAM, None), (APPS, no)))])  # another one is
    assert world.unreadable() is None


def test_a_missing_entry_says_nothing_of_its_store() -> None:
    world = World()
    missing = EntryNotFoundError("no entry")
    world.vitals.noted([delivery(error=missing, reads=((APPS, missing),))])
    assert world.unreadable() is None


def test_a_store_that_can_be_neither_fetched_nor_found_here_is_unreadable() -> None:
    world = World()
    world.vitals.fetched(APPS, here=False)
    world.now += 61
    assert "stores" in world.failed()
    world.vitals.fetched(TEAM, here=True)
    assert "stores" not in world.failed()
    world.vitals.stores([APPS])  # the other one is no longer configured
    assert world.unreadable() == 161.0
    world.vitals.fetched(APPS, here=True)
    assert world.unreadable() is None


def test_what_need_not_be_read_again_is_readable() -> None:
    world, no = World(), DecryptError("no key")
    world.vitals.noted([delivery(error=no, reads=((APPS, no), (TEAM, no)))])
    assert world.unreadable() == 100.0
    world.vitals.noted([delivery(GOOD)])
    assert world.unreadable() is None


def test_without_stores_none_is_unreadable() -> None:
    world = World()
    world.vitals.noted([delivery()])
    world.vitals.stores([])
    assert world.unreadable() is None


def test_the_loop_has_to_move_within_the_time_that_it_gave() -> None:
    world = World()
    world.now += BEGINNING_SECONDS + 121
    assert [one.name for one in world.vitals.live() if one.failed] == ["loop"]
    world.vitals.beat(30)
    assert not any(one.failed for one in world.vitals.live())
    world.now += 30 + 121
    assert any(one.failed for one in world.vitals.live())


def test_rounds_that_are_due_count_only_while_none_begins_or_ends() -> None:
    world = World()
    world.vitals.beat(1e9)
    world.now += 5000
    assert not any(one.failed for one in world.vitals.live())  # nothing is due
    world.overdue = 4000.0
    assert [one.name for one in world.vitals.live() if one.failed] == ["rounds"]
    world.vitals.moves()  # one after another: there are many
    assert not any(one.failed for one in world.vitals.live())
    world.now += 3601
    assert any(one.failed for one in world.vitals.live())
    world.overdue = 0.0
    assert not any(one.failed for one in world.vitals.live())


async def test_the_api_server_is_asked_until_it_answers_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, known = World(), []
    monkeypatch.setattr(module, "ASKING_SECONDS", 0.0)
    answers = iter([True, False, False, True])

    async def ask() -> None:
        known.append(world.vitals.facts.api_gone_since)
        world.now += 10
        answer = next(answers, None)
        if answer is None:
            raise asyncio.CancelledError
        if not answer:
            raise UnreachableError("gone")

    with pytest.raises(asyncio.CancelledError):
        await world.vitals.watch_cluster(ask)
    assert known == [None, None, 120.0, 120.0, None]


def test_a_replica_that_does_not_lead_and_one_that_stops_say_so() -> None:
    world = World()
    for leading in (False, True):
        world.vitals.elected(leading=leading)
        assert world.failed() == {"started"}  # its own share counts, whoever leads
    world.vitals.stops()
    assert world.failed() == {"started", "shutdown"}
    assert not any(one.failed for one in world.vitals.live())


def test_one_that_is_as_it_should_be_and_rarely_due_counts_while_another_fails() -> None:
    """Some applications fail, others are delivered: that is the state of those applications."""
    world, broken = World(), delivery(error=UnreachableError("gone"))
    world.vitals.starts()
    world.vitals.noted([delivery(GOOD)], RARE, 3600)
    for _ in range(4):
        world.now += 800
        world.vitals.noted([broken], OFTEN, 300)
        assert "syncs" not in world.failed()
    world.now += 450
    world.vitals.noted([broken], RARE, 3600)
    assert world.failing() == world.now
    world.now += 901
    world.vitals.noted([broken], OFTEN, 300)
    assert "syncs" in world.failed()


@pytest.mark.parametrize("is_gone", [True, False])
def test_one_that_is_gone_or_comes_no_more_counts_no_longer_than_it_was_due(is_gone: bool) -> None:
    world, broken = World(), delivery(error=UnreachableError("gone"))
    world.vitals.noted([delivery(GOOD)], RARE, 3600)
    if is_gone:
        world.vitals.forget(RARE)
    world.vitals.noted([broken], OFTEN, 300)
    assert world.failing() == (100 if is_gone else 100 + 3600 + ROUND_SECONDS)
    world.vitals.noted([delivery(GOOD)], OFTEN, 300)
    assert world.failing() is None
