"""An App that goes from one replica to another has one status: the one of who delivers it now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

import structlog

from flux_secret.api.interface import Repository
from flux_secret.model.app import App, AppName
from flux_secret.model.delivery import Delivery, Revision
from flux_secret.model.status import AppStatus
from flux_secret.outside.kubernetes import Synced, Upsert
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.chores import Chores
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.resources.deliverables import Deliverables, Kind
from flux_secret.reconcile.resources.interface import Surroundings
from flux_secret.reconcile.resources.teller import QUIET_SECONDS, Teller
from flux_secret.reconcile.round import Round
from simulators.virtualtime import in_virtual_time
from unit.reconcile import scheduled

NAME = AppName("dev", "a")
ROUND_SECONDS = 0.5


class Cluster:
    """An API server with one App; everybody hears at once of what is written."""

    def __init__(self) -> None:
        metadata = {"namespace": "dev", "name": "a", "generation": 1,
                    "finalizers": [kinds.FINALIZER]}  # fmt: skip
        self.tree: dict[str, Any] = {"metadata": metadata, "spec": {}, "status": {}}
        self.heard: list[Callable[[Upsert[Any]], None]] = []
        self.writes: list[tuple[float, str]] = []
        """When each was written, and what `Ready` said then."""
        self.takes_seconds = 0.0

    @property
    def ready(self) -> str:
        said: Mapping[str, Any] = self.tree["status"]
        return str(next((one["status"] for one in said.get("conditions", ())), ""))

    @property
    def applied(self) -> str:
        return str(self.tree["status"].get("lastAppliedRevision", ""))

    @property
    def conditions(self) -> list[str]:
        return [one["type"] for one in self.tree["status"].get("conditions", ())]

    async def apply_status(self, *what: object, manager: str) -> None:
        assert manager == kinds.STATUS_MANAGER
        await asyncio.sleep(self.takes_seconds)
        self.write(json.loads(what[-1])["status"])  # type: ignore[arg-type]

    def write(self, status: Mapping[str, Any]) -> None:
        self.tree = {**self.tree, "status": status}
        self.writes.append((asyncio.get_running_loop().time(), self.ready))
        for hear in self.heard:
            hear(Upsert(self.tree))


class Mounts:
    """Follows nothing."""

    def keep(self, wanted: Collection[object]) -> None:
        """Nothing to do."""


class Replica:
    """One of them: what it delivers it delivers at its `head`."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.owns = False
        self.head = "1"
        self.round_seconds = ROUND_SECONDS

    async def live(self) -> None:
        self.board = Board(Repository("", "", ""), [], owns=lambda _name: self.owns)
        async with Chores() as chores:
            around = Surroundings(
                self.cluster,  # type: ignore[arg-type]
                self.board,
                Mounts(),  # type: ignore[arg-type]
                None,  # type: ignore[arg-type]
                "flux",
                owns=lambda _name: self.owns,
            )
            kind = Kind(kinds.APPS, AppName, lambda *_said: scheduled.app("a", stores=()))
            self.made = made = Deliverables(kind, around, chores, Teller(around.client, chores))
            made.usable = dict
            self.board.changed = self.changed
            self.cluster.heard.append(made.hear)
            made.hear(Synced((self.cluster.tree,)))
            await self.board.scheduler.run(self.round, self)

    def changed(self, status: AppStatus, _round: Round | None) -> None:
        self.made.stands(status)

    async def poll(self, _urls: Collection[str] = ()) -> dict[Any, Any]:
        return {}

    async def round(
        self, app: App, *, anew: bool = False, confirmed: Collection[str] = ()
    ) -> Round:
        del anew, confirmed
        head = self.head
        await asyncio.sleep(self.round_seconds)
        return Round((Delivery(app.targets[0], Revision(head, {})),))

    def take(self, owns: bool) -> None:
        self.owns = owns
        self.made.settle()
        self.board.scheduler.wake()


def told(*steps: tuple[float, Callable[[Replica, Replica], object]], seconds: float) -> Cluster:
    """Run two replicas of which `one` begins with the App; steps are (when, what is done then)."""

    async def main() -> Cluster:
        cluster = Cluster()
        one, two = Replica(cluster), Replica(cluster)
        one.owns = True
        for when, act in steps:
            asyncio.get_running_loop().call_later(when, act, one, two)
        lives = [asyncio.ensure_future(each.live()) for each in (one, two)]
        await asyncio.sleep(seconds)
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        return cluster

    with structlog.testing.capture_logs():
        return in_virtual_time(main())


def goes(one: Replica, two: Replica) -> None:
    one.take(owns=False)
    two.take(owns=True)


def returns(one: Replica, two: Replica) -> None:
    goes(two, one)


def test_what_a_replica_was_about_to_say_is_not_said_once_the_app_is_anothers() -> None:
    cluster = told((ROUND_SECONDS / 2, goes), seconds=2 * QUIET_SECONDS)
    assert cluster.writes == [(ROUND_SECONDS * 1.5, "True")]


def test_a_replica_that_gets_an_app_back_says_again_what_it_had_said_before() -> None:
    def other_head(_one: Replica, two: Replica) -> None:
        two.head = "2"

    cluster = told((0, other_head), (10, goes), (20, returns), seconds=19)
    assert "2" in cluster.applied
    cluster = told((0, other_head), (10, goes), (20, returns), seconds=30)
    assert "1" in cluster.applied
    assert cluster.ready == "True"


def test_a_status_that_somebody_else_overwrote_is_said_again_once() -> None:
    def overwrites(one: Replica, _two: Replica) -> None:
        conditions = [{"type": "Ready", "status": "Unknown"}]
        one.cluster.write({"observedGeneration": 1, "conditions": conditions})

    cluster = told((5, overwrites), seconds=100)
    assert cluster.writes == [
        (ROUND_SECONDS, "True"), (5, "Unknown"), (5 + QUIET_SECONDS, "True")
    ]  # fmt: skip


def test_a_round_that_ends_while_it_is_shown_as_running_is_shown_as_ended() -> None:
    def slowly(one: Replica, _two: Replica) -> None:
        one.cluster.takes_seconds = 0.2
        one.round_seconds = QUIET_SECONDS + 0.1
        one.board.scheduler.wake()

    cluster = told((10, slowly), seconds=100)
    assert cluster.conditions == ["Ready"]
    assert cluster.ready == "True"


def test_two_that_both_take_it_for_theirs_do_not_write_without_end() -> None:
    def both(_one: Replica, two: Replica) -> None:
        two.head = "2"
        two.take(owns=True)

    cluster = told((1, both), seconds=250)
    assert len(cluster.writes) < 16
