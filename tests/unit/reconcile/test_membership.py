"""Who delivers what when replicas come, go, hang and lose their API server; in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Final

import pytest

from flux_secret.errors import ConfigurationError
from flux_secret.outside.kubernetes.lease import Lease
from flux_secret.reconcile.replicas import Solo, Timing, identity_of
from simulators.leases import APPS, LeaseServer, Replica, is_shared, never_twice, until
from simulators.virtualtime import in_virtual_time

HAND_OVER: Final = 35.0 + 5.0
"""Lease duration and retry period."""
SOON: Final = 1.0
World = Callable[[LeaseServer, list[Replica]], Awaitable[None]]


@contextlib.asynccontextmanager
async def watched(*replicas: Replica) -> AsyncIterator[None]:
    """Fail when something is owned twice while the block runs."""
    watch = asyncio.create_task(never_twice(replicas))
    try:
        yield
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch


def played(world: World, count: int = 3, **server: float) -> None:
    """Play with `count` replicas that share the Apps already."""

    async def play() -> None:
        shared = LeaseServer(**server)  # type: ignore[arg-type]
        replicas = [await Replica.start(shared, f"agent-{number}") for number in range(count)]
        async with watched(*replicas):
            await until(lambda: is_shared(replicas), within=10)
            await world(shared, replicas)

    in_virtual_time(play())


def test_a_single_replica_owns_everything_at_once() -> None:
    async def play() -> None:
        server = LeaseServer()
        alone = await Replica.start(server, "agent")
        await until(lambda: is_shared([alone]), within=0.2)
        await alone.stop()
        assert alone.apps == set()
        assert [lease.holder for lease in server.leases.values()] == [""]

    in_virtual_time(play())


def test_replicas_that_start_together_share_and_nothing_is_owned_twice() -> None:
    async def world(_: LeaseServer, replicas: list[Replica]) -> None:
        await asyncio.sleep(200)
        assert is_shared(replicas)
        assert all(len(replica.apps) > len(APPS) / 6 for replica in replicas)

    played(world)


def test_a_new_replica_takes_its_share_at_once_and_moves_nothing_else() -> None:
    async def world(server: LeaseServer, replicas: list[Replica]) -> None:
        before = [replica.apps for replica in replicas]
        late = await Replica.start(server, "agent-late")
        async with watched(*replicas, late):
            took = await until(lambda: late.apps and is_shared([*replicas, late]), within=10)
        assert took < 2 * SOON
        for replica, had in zip(replicas, before, strict=True):
            assert replica.apps == had - late.apps

    played(world)


def test_without_a_watch_a_new_replica_waits_for_the_next_beats() -> None:
    async def world(server: LeaseServer, replicas: list[Replica]) -> None:
        late = await Replica.start(server, "agent-late")
        async with watched(*replicas, late):
            await until(lambda: late.apps and is_shared([*replicas, late]), within=11)

    played(world, hints=False)


def test_a_replica_takes_nothing_from_one_that_does_not_answer_until_that_cannot_write() -> None:
    async def world(server: LeaseServer, replicas: list[Replica]) -> None:
        [old] = replicas
        server.unreachable.add("agent-0")
        began = asyncio.get_running_loop().time()
        late = await Replica.start(server, "agent-late")
        async with watched(old, late):
            await until(lambda: late.apps, within=HAND_OVER)
        assert old.membership.deadline() <= asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began > 29

    played(world, count=1)


def test_after_kill_9_others_take_over_within_lease_and_retry() -> None:
    async def world(_: LeaseServer, replicas: list[Replica]) -> None:
        await asyncio.sleep(21.3)
        killed, *others = sorted(replicas, key=lambda one: not one.membership.is_leader)
        killed.kill()
        took = await until(lambda: is_shared(others), within=HAND_OVER)
        assert took > 25, "nobody takes over from who may still write"

    played(world)
    played(world, hints=False)


def test_on_sigterm_others_take_over_at_once() -> None:
    async def world(server: LeaseServer, replicas: list[Replica]) -> None:
        leading, *others = sorted(replicas, key=lambda one: not one.membership.is_leader)
        await leading.stop()
        assert f"flux-secret-member-{leading.membership.identity}" not in server.leases
        assert await until(lambda: is_shared(others), within=HAND_OVER) < SOON

    played(world)


def test_when_the_api_server_is_gone_everybody_stops_at_the_renew_deadline() -> None:
    async def world(server: LeaseServer, replicas: list[Replica]) -> None:
        server.unreachable.add("*")
        loop = asyncio.get_running_loop()
        began = loop.time()
        for replica in replicas:
            replica.notified.clear()
        took = await until(lambda: not any(replica.apps for replica in replicas), within=30)
        assert took > 20
        assert not any(replica.membership.is_leader for replica in replicas)
        assert all(one.notified and one.notified[-1] - began <= 30 for one in replicas)
        server.requests = 0
        await asyncio.sleep(600)
        assert server.requests <= 3 * 600 / 3.5, "one request a beat, and no circle"
        server.unreachable.clear()
        await until(lambda: is_shared(replicas), within=12)

    played(world)
    played(world, hints=False)


def test_a_replica_that_is_cut_off_stops_before_others_take_over_and_comes_back() -> None:
    async def world(server: LeaseServer, replicas: list[Replica]) -> None:
        cut, *others = sorted(replicas, key=lambda one: not one.membership.is_leader)
        server.unreachable.add(cut.membership.identity)
        await until(lambda: not cut.apps, within=30)
        await until(lambda: is_shared(others), within=HAND_OVER - 25)
        await asyncio.sleep(100)
        server.unreachable.clear()
        await until(lambda: cut.apps and is_shared(replicas), within=12)
        await asyncio.sleep(10)

    played(world)


def test_a_replica_that_comes_back_waits_until_the_others_give_way() -> None:
    async def world(server: LeaseServer, replicas: list[Replica]) -> None:
        cut, *others = replicas
        server.unreachable.add(cut.membership.identity)
        await until(lambda: is_shared(others), within=HAND_OVER)
        assert f"flux-secret-member-{cut.membership.identity}" in server.leases, "not removed yet"
        server.unreachable.clear()
        await until(lambda: cut.apps and is_shared(replicas), within=20)
        await asyncio.sleep(10)

    played(world)
    played(world, hints=False)


def test_nobody_is_declared_dead_by_one_who_cannot_read() -> None:
    async def world(server: LeaseServer, replicas: list[Replica]) -> None:
        cut, *_ = replicas
        server.unreachable.add(cut.membership.identity)
        await asyncio.sleep(28)
        assert cut.membership.members == {one.membership.identity for one in replicas}
        await asyncio.sleep(60)
        assert cut.membership.members == set()

    played(world)


def test_setting_the_time_of_day_changes_nothing() -> None:
    async def world(_: LeaseServer, replicas: list[Replica]) -> None:
        before = [replica.apps for replica in replicas]
        for hours in (24 * 365, -24 * 365, 0):
            for replica in replicas[:2]:
                replica.clock.of_day = timedelta(hours=hours)
            await asyncio.sleep(100)
            assert [replica.apps for replica in replicas] == before

    played(world)


def test_a_time_of_day_that_stands_still_still_renews() -> None:
    async def world(_: LeaseServer, replicas: list[Replica]) -> None:
        for replica in replicas:
            replica.clock.stands_still = True
        await asyncio.sleep(200)
        assert is_shared(replicas)

    played(world)


def test_a_machine_that_slept_owns_nothing_when_it_wakes() -> None:
    async def world(_: LeaseServer, replicas: list[Replica]) -> None:
        [sleeper] = [one for one in replicas if one.membership.is_leader]
        assert sleeper.apps
        sleeper.clock.slept += 3600
        assert sleeper.apps == set()
        assert not sleeper.membership.is_leader
        assert sleeper.membership.members == set()
        await until(lambda: sleeper.apps and is_shared(replicas), within=12)

    played(world)


def test_two_agents_of_one_name_are_told_apart() -> None:
    async def play() -> None:
        server = LeaseServer()
        names = [identity_of("flux-secret-0"), identity_of("flux-secret-0")]
        assert names[0] != names[1]
        twins = [await Replica.start(server, name) for name in names]
        async with watched(*twins):
            await until(lambda: is_shared(twins), within=10)
            assert all(twin.apps for twin in twins)

    in_virtual_time(play())


@pytest.mark.parametrize(
    ("host", "name"),
    [("flux-secret-7d9f-x2", "flux-secret-7d9f-x2"), ("Node.Example_1", "node-example-1"),
     ("", "agent"), ("ü", "agent"), ("a" * 300, "a" * 40)],
)  # fmt: skip
def test_an_identity_is_readable_and_fits_in_a_name(host: str, name: str) -> None:
    made = identity_of(host)
    assert made[: -len("-01234567")] == name
    assert len(Timing().member_name(made)) < 100


def test_a_lease_that_somebody_deletes_is_made_again() -> None:
    async def world(server: LeaseServer, replicas: list[Replica]) -> None:
        for replica in replicas:
            server.dropped(f"flux-secret-member-{replica.membership.identity}")
        await asyncio.sleep(SOON)
        await until(lambda: is_shared(replicas), within=12)
        assert len(server.leases) == 4

    played(world)


def test_from_who_dies_during_a_beat_it_is_taken_over_at_once() -> None:
    """A beat reads just before the lease runs out, and ends just after: the next is not awaited."""

    async def play() -> None:
        server = LeaseServer(seconds=0.02)
        left, dead = [await Replica.start(server, f"agent-{number}") for number in range(2)]
        await until(lambda: is_shared([left, dead]), within=10)
        dead.kill()
        await asyncio.sleep(10)  # what it wrote last was read by now
        dies = left.membership._next_death
        await asyncio.sleep(dies - left.clock.uptime() - 0.03)
        assert left.apps != set(APPS)
        left.membership.say("news", soon=True)
        await until(lambda: left.apps == set(APPS), within=0.2, every=0.01)

    in_virtual_time(play())


def test_leases_of_the_dead_are_removed_by_the_leader_and_never_those_of_the_living() -> None:
    async def world(server: LeaseServer, replicas: list[Replica]) -> None:
        replicas[0].kill()
        others = replicas[1:]
        await until(lambda: is_shared(others), within=HAND_OVER)
        await until(lambda: len(server.leases) == 3, within=60)
        await asyncio.sleep(600)
        assert len(server.leases) == 3
        assert is_shared(others)

    played(world)


def test_where_something_takes_the_annotation_away_nobody_waits_for_ever() -> None:
    async def play() -> None:
        server = LeaseServer(strips=True)
        replicas = [await Replica.start(server, f"agent-{number}") for number in range(2)]
        took = await until(lambda: is_shared(replicas), within=40)
        assert took > 29, "until then the other one might still hold what is ours"
        assert all(replica.apps for replica in replicas)

    in_virtual_time(play())


def test_strange_leases_of_the_group_change_nothing() -> None:
    async def world(server: LeaseServer, replicas: list[Replica]) -> None:
        before = [replica.apps for replica in replicas]
        server.stored(Lease("flux-secret-member-x", "another", 10**9))
        server.stored(Lease("flux-secret-member-", "", 35))
        server.stored(Lease("mine", "agent-0", 35))
        await asyncio.sleep(300)
        assert [replica.apps for replica in replicas] == before

    played(world)


def test_a_slow_api_server_is_borne() -> None:
    async def world(_server: LeaseServer, replicas: list[Replica]) -> None:
        for _ in range(50):
            await asyncio.sleep(5)
            assert is_shared(replicas)

    played(world, seconds=1.5)


def test_renewing_costs_two_writes_a_beat_for_the_leader_and_one_for_the_others() -> None:
    async def world(server: LeaseServer, _: list[Replica]) -> None:
        await asyncio.sleep(10)
        server.writes = 0
        await asyncio.sleep(350)
        assert server.writes <= 4 * 350 / 3.5

    played(world)


def test_alone_without_leases_everything_is_ours() -> None:
    solo = Solo()
    assert solo.owns("x")
    assert solo.is_leader
    assert solo.deadline() == float("inf")


@pytest.mark.parametrize("times", [(30, 30.0, 5.0), (35, 5.0, 5.0), (35, 30.0, 0.0)])
def test_times_that_do_not_go_together_are_refused(times: tuple[int, float, float]) -> None:
    with pytest.raises(ConfigurationError, match="do not go together"):
        Timing(*times)
