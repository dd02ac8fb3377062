"""What reaches one replica reaches all: hints and syncs through Leases, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import pytest

from flux_secret.api.interface import SyncOutcome, TargetOutcome
from flux_secret.errors import IntegrityError, UnreachableError
from flux_secret.outside.kubernetes.lease import Lease
from flux_secret.reconcile.relay import Relay, joined
from flux_secret.reconcile.word import Ask, Word
from simulators.leases import LeaseServer, Replica, is_shared, until
from simulators.virtualtime import in_virtual_time

OPS = "ssh://git@example.org/ops"
STORE = "ssh://git@example.org/store"
BEAT = 5.5
SOON = 1.2
"""A beat's shortest pause, a write, and what the watch tells."""


@dataclass
class Loop:
    """What one replica delivers, and what it was asked for."""

    name: str
    repositories: Collection[str] = (OPS, STORE)
    looked: list[Collection[str]] = field(default_factory=list)
    syncs: list[Collection[str]] = field(default_factory=list)
    takes_seconds: float = 0.0
    fails: bool = False

    def look_at(self, urls: Collection[str]) -> None:
        self.looked.append(tuple(urls))

    async def sync_here(self, confirmed: Collection[str]) -> SyncOutcome:
        self.syncs.append(sorted(confirmed))
        await asyncio.sleep(self.takes_seconds)
        if self.fails:
            raise IntegrityError("it is broken", remedy="mend it")
        return SyncOutcome(0, "abc", [TargetOutcome(self.name, "abc")])


@dataclass
class Talking:
    """Replicas that pass on."""

    server: LeaseServer
    replicas: list[Replica]
    loops: list[Loop]
    relays: list[Relay]

    def add(self, replica: Replica) -> None:
        loop = Loop(replica.membership.identity)
        relay = Relay(replica.membership, loop)
        replica.membership.listen(relay.hear)
        replica.membership.subscribe(relay.changed)
        self.replicas.append(replica)
        self.loops.append(loop)
        self.relays.append(relay)

    def said(self) -> list[str]:
        return [lease.says for lease in self.server.leases.values() if lease.says]


World = Callable[[Talking], Awaitable[None]]


def played(world: World, count: int = 3, **server: object) -> None:
    async def play() -> None:
        talking = Talking(LeaseServer(**server), [], [], [])  # type: ignore[arg-type]
        for number in range(count):
            talking.add(await Replica.start(talking.server, f"agent-{number}"))
        await until(lambda: is_shared(talking.replicas), within=40)
        await asyncio.sleep(6)  # everybody has said something
        async with asyncio.timeout(3600):
            await world(talking)
        for relay in talking.relays:
            await relay.close()

    in_virtual_time(play())


def test_a_hint_reaches_the_others_at_once_and_names_what_they_look_at() -> None:
    async def world(talking: Talking) -> None:
        talking.relays[0].hint([STORE])
        others = talking.loops[1:]
        await until(lambda: all(one.looked for one in others), within=SOON)
        await asyncio.sleep(300)
        assert [one.looked for one in talking.loops] == [[], [(STORE,)], [(STORE,)]]
        assert not any("example.org" in text for text in talking.said())
        assert all(text == "{}" for text in talking.said()), "what is old is said no more"

    played(world)


def test_without_a_watch_it_reaches_them_with_their_next_beats() -> None:
    async def world(talking: Talking) -> None:
        talking.relays[0].hint()
        await until(lambda: all(one.looked for one in talking.loops[1:]), within=SOON + BEAT)
        await asyncio.sleep(300)
        assert talking.loops[1].looked == [()]

    played(world, hints=False)


def test_many_hints_are_few_writes_and_none_is_forgotten() -> None:
    async def world(talking: Talking) -> None:
        talking.server.writes = 0
        for _ in range(1000):
            talking.relays[0].hint([OPS])
            await asyncio.sleep(0.01)
        last = len(talking.loops[1].looked)
        assert talking.server.writes < 10 / 0.5 * 2 + 20, "a beat in half a second, two writes each"
        talking.relays[0].hint([STORE])
        after = talking.loops[1].looked
        await until(lambda: any(STORE in urls for urls in after[last:]), within=SOON)

    played(world)


def test_hints_of_very_many_repositories_are_a_hint_of_all() -> None:
    async def world(talking: Talking) -> None:
        for number in range(200):
            talking.relays[0].hint([f"{OPS}/{number}"])
        await until(lambda: () in talking.loops[1].looked, within=SOON)
        assert max(map(len, talking.said())) < 200

    played(world)


def test_a_hint_about_what_is_not_followed_here_is_none() -> None:
    async def world(talking: Talking) -> None:
        talking.loops[1].repositories = (OPS,)
        talking.relays[0].hint([STORE])
        await until(lambda: talking.loops[2].looked, within=SOON)
        assert talking.loops[1].looked == []

    played(world)


def test_a_hint_is_told_when_the_api_server_is_back() -> None:
    async def world(talking: Talking) -> None:
        talking.server.unreachable.add("agent-0")
        talking.relays[0].hint([STORE])
        await asyncio.sleep(20)
        assert talking.loops[1].looked == []
        talking.server.unreachable.clear()
        await until(lambda: talking.loops[1].looked == [(STORE,)], within=BEAT)

    played(world)


def test_a_sync_is_done_by_all_and_each_says_how_it_ended() -> None:
    async def world(talking: Talking) -> None:
        talking.loops[1].takes_seconds, talking.loops[2].fails = 20.0, True
        outcomes = await talking.relays[0].sync(["cafe"])
        done = joined(sorted(outcomes, key=lambda one: one.exit_code))
        assert done.exit_code == 6
        assert [target.target for target in done.targets] == ["agent-1"]
        assert done.error == "it is broken (mend it)"
        assert [one.syncs for one in talking.loops] == [[], [["cafe"]], [["cafe"]]]
        await asyncio.sleep(100)
        assert [len(one.syncs) for one in talking.loops] == [0, 1, 1]
        assert all(text == "{}" for text in talking.said())

    played(world)
    played(world, hints=False)


def test_who_asks_while_a_sync_runs_shares_the_next_one() -> None:
    async def world(talking: Talking) -> None:
        talking.loops[1].takes_seconds = 10.0
        first = asyncio.ensure_future(talking.relays[0].sync())
        await until(lambda: talking.loops[1].syncs, within=SOON)
        await asyncio.gather(first, *(talking.relays[0].sync([token]) for token in ("aa", "bb")))
        assert talking.loops[1].syncs == [[], ["aa", "bb"]]

    played(world)


def test_all_may_ask_each_other_at_the_same_time() -> None:
    async def world(talking: Talking) -> None:
        async with asyncio.timeout(10):
            done = await asyncio.gather(*(relay.sync() for relay in talking.relays))
        assert [len(one) for one in done] == [2, 2, 2]

    played(world)


def test_who_is_killed_before_it_answers_is_told_of_and_not_waited_for_longer() -> None:
    async def world(talking: Talking) -> None:
        talking.loops[1].takes_seconds = 1000.0
        asked = asyncio.ensure_future(talking.relays[0].sync())
        await until(lambda: talking.loops[1].syncs, within=SOON)
        talking.replicas[1].kill()
        await until(asked.done, within=41)
        done = joined(asked.result())
        assert done.exit_code == UnreachableError.exit_code
        assert "replica agent-1 went away before it had answered" in done.error
        assert [target.target for target in done.targets] == ["agent-2"]

    played(world)


def test_one_of_an_older_version_is_not_waited_for() -> None:
    async def world(talking: Talking) -> None:
        outcomes = await talking.relays[0].sync()
        assert "takes no syncs from others" in joined(outcomes).error

    played(world, count=2, strips=True)


def test_one_that_is_alone_asks_nobody() -> None:
    async def world(talking: Talking) -> None:
        assert await talking.relays[0].sync() == ()
        talking.relays[0].hint([OPS])
        await asyncio.sleep(10)
        assert talking.said() == ["{}"]

    played(world, count=1)


def test_a_stranger_in_the_group_is_not_heard() -> None:
    async def world(talking: Talking) -> None:
        says = '{"hints": {"*": 1}, "sync": {"number": 1, "confirm": []}}'
        member = next(one for one in talking.server.leases.values() if one.says)
        talking.server.stored(replace(member, name="mine", holder="somebody"))
        talking.server.stored(Lease("flux-secret-member-x", "another", 10**9, says=says))
        await asyncio.sleep(20)
        assert not any(one.looked or one.syncs for one in talking.loops)

    played(world)


def test_who_waits_is_told_when_the_agent_stops() -> None:
    async def world(talking: Talking) -> None:
        talking.loops[1].takes_seconds = 1000.0
        asked = asyncio.ensure_future(talking.relays[0].sync())
        await until(lambda: talking.loops[1].syncs, within=SOON)
        await talking.relays[0].close()
        with pytest.raises(UnreachableError, match="stopping"):
            await asked

    played(world)


def test_outcomes_of_several_are_one() -> None:
    each: Sequence[SyncOutcome] = [
        SyncOutcome(0, "", (), "", ""), SyncOutcome(7, "a", (), "x", "b"),
        SyncOutcome(4, "c", (), "y", "d"),
    ]  # fmt: skip
    assert joined(each) == SyncOutcome(4, "a", [], "x\ny", "b")


@dataclass
class Alone:
    """A replica whose words are kept; nobody reads them."""

    words: list[str] = field(default_factory=list)
    others: frozenset[str] = frozenset({"asker"})
    identity: str = "me"

    def say(self, text: str, *, soon: bool) -> None:
        del soon
        self.words.append(text)


def test_an_answer_that_a_late_read_took_back_is_given_again() -> None:
    async def world() -> None:
        neighbours, loop = Alone(), Loop("me")
        relay = Relay(neighbours, loop)
        asks = Word(ask=Ask(7)).text()
        relay.hear("asker", asks)
        await until(lambda: '"answers"' in neighbours.words[-1], within=1)
        answer = neighbours.words[-1]
        relay.hear("asker", Word().text())  # read before it asked, told after
        assert '"answers"' not in neighbours.words[-1]
        relay.hear("asker", asks)
        assert neighbours.words[-1] == answer
        assert loop.syncs == [[]], "it was done once"
        relay.hear("asker", Word().text())
        assert '"answers"' not in neighbours.words[-1], "it has read it"
        await relay.close()

    in_virtual_time(world())
