"""An API server with one App, and replicas that deliver it, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from flux_secret.api.interface import Repository
from flux_secret.errors import ConfigurationError, ObjectError
from flux_secret.model.app import App, AppName
from flux_secret.model.delivery import Delivery, Revision
from flux_secret.model.status import AppStatus
from flux_secret.outside.kubernetes import LiveObject, ServedKind, Synced, Upsert
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.chores import Chores
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.resources.deliverables import Deliverables, Kind
from flux_secret.reconcile.resources.interface import Surroundings
from flux_secret.reconcile.resources.teller import Teller
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
        self.retired: list[tuple[float, bool]] = []
        """When what was delivered was given up, and whether it was removed."""
        self.takes_seconds = 0.0
        self.refuses_to_retire = False
        self.log: Sequence[MutableMapping[str, Any]] = ()

    @property
    def ready(self) -> str:
        return _ready_of(self.tree["status"])

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
        self.writes.append((asyncio.get_running_loop().time(), _ready_of(status)))
        self.change(status=status)

    def change(self, **parts: Mapping[str, Any]) -> None:
        """Change fields of the App's parts, or its whole status."""
        kept = {name: {**self.tree[name], **new} for name, new in parts.items()}
        before = self.tree
        self.tree = {**before, **kept, **{k: v for k, v in parts.items() if k == "status"}}
        if self.tree != before:  # else it has no event
            for hear in self.heard:
                hear(Upsert(self.tree))

    async def metadata(self, kind: ServedKind, _namespace: str, name: str) -> LiveObject:
        assert kind == kinds.DEFINITIONS
        return LiveObject(name, "", "uid", "1", {}, {}, ())

    async def set_finalizers(self, _kind: ServedKind, _live: LiveObject, left: list[str]) -> None:
        self.change(metadata={"finalizers": left})

    async def retire(self, name: AppName, account: str, *, prune: bool) -> None:
        assert (name, account) == (NAME, "")
        if self.refuses_to_retire:
            raise ObjectError("something holds it", remedy="see what")
        self.retired.append((asyncio.get_running_loop().time(), prune))


def _ready_of(status: Mapping[str, Any]) -> str:
    return str(next((one["status"] for one in status.get("conditions", ())), ""))


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
        self.rounds: list[tuple[float, bool]] = []
        """When each began, and whether everything was made anew."""
        self.round_seconds = ROUND_SECONDS

    async def live(self) -> None:
        self.board = Board(Repository("", "", ""), [], owns=lambda _name: self.owns)
        async with Chores(at_once=1) as chores:
            around = Surroundings(
                self.cluster,  # type: ignore[arg-type]
                self.board,
                Mounts(),  # type: ignore[arg-type]
                self.cluster.retire,
                "flux",
                owns=lambda _name: self.owns,
            )
            kind = Kind(kinds.APPS, AppName, self.parse)
            self.made = made = Deliverables(kind, around, chores, Teller(around.client, chores))
            made.usable = dict
            self.board.changed, self.board.rested = self.changed, made.settle
            self.cluster.heard.append(made.hear)
            made.hear(Synced((self.cluster.tree,)))
            await self.board.scheduler.run(self.round, self)

    def parse(self, _name: AppName, spec: object, *_others: object) -> App:
        said = spec if isinstance(spec, dict) else {}
        if ".." in said.get("path", ""):
            raise ConfigurationError("the path leads out of the repository", remedy="name a folder")
        suspended = said.get("suspend") is True
        return replace(scheduled.app("a", stores=()), suspended=suspended)

    def changed(self, status: AppStatus, _round: Round | None) -> None:
        self.made.stands(status)

    async def poll(self, _urls: Collection[str] = ()) -> dict[Any, Any]:
        return {}

    async def round(
        self, app: App, *, anew: bool = False, confirmed: Collection[str] = ()
    ) -> Round:
        del confirmed
        self.rounds.append((asyncio.get_running_loop().time(), anew))
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

    with structlog.testing.capture_logs() as log:
        cluster = in_virtual_time(main())
    cluster.log = log
    return cluster
