"""When rounds run: at once, on the interval, on a new commit; sooner after a failure.

Each App on its own: what fails or hangs delays no other.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from flux_secret.errors import ConfigurationError, UnreachableError, UsageError
from flux_secret.model.app import AppName
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.target import Source
from flux_secret.reconcile.round import Round
from flux_secret.reconcile.scheduler import Scheduler
from unit.reconcile.scheduled import OPS, STORE, History, World, app, every

OTHER = Source(GitUrl.parse("ssh://git@example.org/other"), "main")


def test_the_first_round_runs_at_once_and_then_on_the_interval() -> None:
    assert World(until=1000).live() == {"a": [0, 300, 600, 900]}


def test_a_new_commit_runs_a_round_at_the_next_poll_and_restarts_the_interval() -> None:
    world = World(
        until=700, poll_seconds=60, heads={OPS: [(0, "1"), (100, "2")], STORE: [(0, "1")]}
    )
    assert world.live() == {"a": [0, 120, 420]}
    assert world.forgotten[-1] == OPS


def test_polls_that_see_nothing_new_run_no_round() -> None:
    world = World(until=290, poll_seconds=60)
    assert world.live() == {"a": [0]}
    assert world.polls == [0, 60, 120, 180, 240]


def test_a_failed_round_is_tried_again_with_growing_pauses_up_to_the_interval() -> None:
    world = World(until=1000, failing={"a"})
    assert world.live() == {"a": [0, 10, 30, 70, 150, 310, 610, 910]}


def test_an_unreachable_host_stops_no_round_and_hides_no_other_head() -> None:
    heads: History = {OPS: [(0.0, "1")], STORE: [(0.0, "1"), (100.0, "2")]}
    world = World(until=400, poll_seconds=60, unreachable={OPS}, heads=heads)
    assert world.live() == {"a": [0, 120]}


def test_stopping_waits_for_no_interval() -> None:
    assert World(until=5).live() == {"a": [0]}


def test_only_the_apps_that_depend_on_a_repository_are_delivered_for_its_commit() -> None:
    heads: History = {
        OPS: [(0.0, "1")],
        OTHER: [(0.0, "1"), (50.0, "2")],
        STORE: [(0.0, "1"), (200.0, "2")],
    }
    apps = [app("a"), app("b", source=OTHER, stores=()), app("c", stores=())]
    world = World(until=290, poll_seconds=60, heads=heads, apps=apps)
    assert world.live() == {"a": [0, 240], "b": [0, 60], "c": [0]}


def test_a_commit_that_comes_while_a_round_runs_is_delivered_after_it() -> None:
    heads: History = {OPS: [(0.0, "1"), (30.0, "2")], STORE: [(0.0, "1")]}
    world = World(until=290, poll_seconds=20, heads=heads, hanging={"a": 45.0})
    assert world.live() == {"a": [0, 45]}


def test_a_hanging_app_delays_no_other() -> None:
    world = World(until=700, apps=[app("a"), app("b")], hanging={"a": 500.0})
    assert world.live() == {"a": [0], "b": [0, 300, 600]}


def test_apps_that_hang_and_fail_again_and_again_leave_half_of_the_places() -> None:
    poisoned = {f"p{number}": 400.0 for number in range(10)}
    apps = [*map(app, poisoned), app("a")]
    world = World(until=20_000, apps=apps, hanging=poisoned, failing=set(poisoned))
    rounds = world.live()["a"]
    gaps = [after - before for before, after in pairwise(rounds)]
    assert max(gaps[1:]) == 300  # once all of them have failed


def test_a_suspended_app_is_not_delivered_until_it_is_resumed_and_then_at_once() -> None:
    asleep = replace(app("a"), suspended=True)
    world = World(until=390, apps=[asleep, app("b")])
    rounds = world.live((100, lambda scheduler: scheduler.put(app("a"))))
    assert rounds == {"a": [100], "b": [0, 300]}


def test_an_app_of_another_replica_is_delivered_once_it_is_ours() -> None:
    world = World(until=250, not_owned={"a"})

    def take(scheduler: Scheduler) -> None:
        world.not_owned.clear()
        scheduler.wake()

    assert world.live((200, take)) == {"a": [200]}


def test_a_sync_is_for_what_is_not_anothers_and_who_waits_is_told_when_it_moves() -> None:
    world = World(until=250, apps=[app("a"), app("b"), app("c")], not_owned={"b", "c"})
    syncs: list[asyncio.Future[Round]] = []

    def ask(scheduler: Scheduler) -> None:
        scheduler.is_anothers = lambda name: name.name == "b"
        syncs.append(asyncio.ensure_future(scheduler.sync()))
        syncs.append(asyncio.ensure_future(scheduler.sync([AppName("dev", "c")])))

    def move(scheduler: Scheduler) -> None:
        assert not syncs[0].done(), "nobody has App c: it may come here"
        scheduler.is_anothers = lambda name: name.name in {"b", "c"}
        scheduler.wake()

    assert world.live((100, ask), (200, move)) == {"a": [0, 100, 200]}
    for sync in syncs:
        with pytest.raises(UnreachableError, match="App dev/c went to another replica"):
            sync.result()


def test_a_round_that_left_something_to_decide_is_followed_by_one_that_does() -> None:
    world = World(until=700, deciding={"a": [30.0, 400.0]})
    assert world.live() == {"a": [0, 30, 330, 630]}


def test_an_app_comes_changes_and_goes_while_the_others_run() -> None:
    world = World(until=1000, apps=[app("b")])
    changed = every(app("a"), 50)
    tasks = []

    def go(scheduler: Scheduler) -> None:
        tasks.append(asyncio.ensure_future(scheduler.drop(changed.name)))

    rounds = world.live(
        (100, lambda scheduler: scheduler.put(app("a"))),
        (150, lambda scheduler: scheduler.put(changed)),
        (260, go),
    )
    assert rounds == {"b": [0, 300, 600, 900], "a": [100, 150, 200, 250]}


def test_a_hint_asks_only_the_repositories_that_it_names() -> None:
    world = World(until=100)
    world.live((10, lambda scheduler: scheduler.poller.hint(["ssh://git@example.org/ops"])),
               (20, lambda scheduler: scheduler.poller.hint()))  # fmt: skip
    assert world.polls == [0, 10, 20]
    assert world.asked == [frozenset(), {"ssh://git@example.org/ops"}, frozenset()]


def test_a_sync_delivers_those_that_are_named_anew_and_gives_one_outcome() -> None:
    world = World(until=100, apps=[app("a"), app("b"), app("c")])
    outcomes = []

    async def ask(scheduler: Scheduler) -> None:
        done = await scheduler.sync([AppName("dev", "a"), AppName("dev", "c")], ["cafe"])
        outcomes.append([one.target.path for one in done.deliveries])

    tasks = []
    world.live((10, lambda one: tasks.append(asyncio.ensure_future(ask(one)))))
    assert outcomes == [["a", "c"]]
    assert world.anew == ["a", "c"]
    assert world.confirmed[-2:] == [{"cafe"}] * 2


async def test_a_sync_of_what_is_not_there_or_is_suspended_says_so() -> None:
    scheduler = World(until=1, apps=[replace(app("a"), suspended=True)]).scheduler()
    with pytest.raises(UsageError, match="there is no App dev/b here"):
        await scheduler.sync([AppName("dev", "b")])
    with pytest.raises(ConfigurationError, match="is suspended") as refused:
        await scheduler.sync([AppName("dev", "a")])
    assert "flux-secret resume dev/a --agent NAMESPACE (--all " in refused.value.remedy


def test_a_bug_in_a_round_ends_the_scheduler() -> None:
    class Broken(World):
        async def round(self, *_args: object, **_kw: object) -> None:  # type: ignore[override]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Broken(until=100).live()


def test_of_those_that_use_a_store_only_those_that_read_what_changed_are_delivered() -> None:
    heads: History = {OPS: [(0, "1")], STORE: [(0, "1"), (50, "2")]}
    apps = [app("a"), app("b"), app("c", stores=())]
    world = World(until=290, poll_seconds=60, heads=heads, apps=apps, touched={"b"})
    assert world.live() == {"a": [0], "b": [0, 60], "c": [0]}
    assert world.asked_of == [["a", "b"]] * 2


def test_a_store_that_no_app_reads_wakes_nobody() -> None:
    heads: History = {
        OPS: [(0.0, "1")],
        STORE: [(0.0, "1")],
        StoreName("x"): [(0.0, "1"), (9.0, "2")],
    }
    assert World(until=99, poll_seconds=10, heads=heads).live() == {"a": [0]}


def test_it_knows_for_how_long_a_round_is_due_and_whether_an_app_is_new() -> None:
    world = World(until=2000, apps=[app("a"), app("b")], not_owned={"b"}, hanging={"a": 500.0})
    seen: list[tuple[float, bool]] = []

    def look(one: Scheduler) -> None:
        seen.append((one.overdue(), one.has_new))

    def suspend(one: Scheduler) -> None:
        one.put(replace(app("a"), suspended=True))

    times: list[float] = [100, 501, 850, 1000]
    world.live(*((when, look) for when in times), (1001, suspend), (1400, look))
    # the first round takes 500 s, the next is due 300 s after it, and is due while it runs
    assert seen == [(100.0, True), (0.0, False), (50.0, False), (200.0, False), (0.0, False)]


def test_before_it_runs_nothing_is_due() -> None:
    scheduler = World(until=0).scheduler()
    assert scheduler.overdue() == 0.0
    assert scheduler.has_new
