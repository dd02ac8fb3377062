"""A scheduler in virtual time: repositories whose heads change, and rounds that are noted."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import structlog

from flux_secret.errors import FluxSecretError, UnreachableError
from flux_secret.model.app import App, AppName, Followed
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.delivery import Delivery, Revision, StoreRevision
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey, StoreName
from flux_secret.model.sync import Sync
from flux_secret.model.target import Source, Target
from flux_secret.reconcile.round import Round
from flux_secret.reconcile.scheduler import Scheduler, Told
from simulators.virtualtime import VirtualTime

OPS = Source(GitUrl.parse("ssh://git@example.org/ops"), "main")
STORE = StoreName("apps")
History: TypeAlias = dict[Followed, list[tuple[float, str]]]


def app(name: str, *, source: Source = OPS, stores: Collection[StoreName] = (STORE,)) -> App:
    target = Target(source, name, frozenset(stores))
    return App(AppName("dev", name), (target,))


@dataclass
class World:
    """What happened when, in seconds of virtual time."""

    until: float
    apps: list[App] = field(default_factory=lambda: [app("a")])
    poll_seconds: float = 5000.0
    heads: History = field(default_factory=lambda: {OPS: [(0, "1")], STORE: [(0, "1")]})
    """When each has which head."""
    unreachable: set[Followed] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    deciding: dict[str, list[float]] = field(default_factory=dict)
    """After how many seconds an App's next rounds have something to decide, each in its turn."""
    hanging: dict[str, float] = field(default_factory=dict)
    """How many seconds a round of an App takes."""
    rounds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    anew: list[str] = field(default_factory=list)
    confirmed: list[set[str]] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)
    asked: list[frozenset[str]] = field(default_factory=list)
    not_owned: set[str] = field(default_factory=set)
    forgotten: list[Followed] = field(default_factory=list)
    touched: set[str] | None = None
    """Which Apps read what a store's commits change; None for all."""
    asked_of: list[list[str]] = field(default_factory=list)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def head(self, one: Followed) -> str:
        return next(head for when, head in reversed(self.heads[one]) if self.now() >= when)

    async def poll(self, urls: Collection[str] = ()) -> dict[Followed, str | FluxSecretError]:
        self.polls.append(self.now())
        self.asked.append(frozenset(urls))
        gone = UnreachableError("the host does not answer")
        return {one: gone if one in self.unreachable else self.head(one) for one in self.heads}

    async def round(
        self, app: App, *, anew: bool = False, confirmed: Collection[str] = ()
    ) -> Round:
        name = app.name.name
        self.rounds[name].append(self.now())
        self.anew += [name] * anew
        self.confirmed.append(set(confirmed))
        (target,) = app.targets
        head = self.head(target.source)
        stores = {store: StoreRevision(self.head(store)) for store in target.stores}
        if name in self.hanging:
            await asyncio.sleep(self.hanging[name])
        delivery = Delivery(target, Revision(head, stores))
        if name in self.failing:
            delivery.error = UnreachableError("gone")
        swept = ChangeSet()
        if self.deciding.get(name):
            wait = self.deciding[name].pop(0)
            key = ObjectKey("", "Secret", "dev", "s")
            swept.add(Change(key, Action.SKIPPED, "it leaves", again_seconds=wait))
        return Round((delivery,), swept, syncs=(Sync(target.source, commit=head, head=head),))

    async def those(self, _store: StoreName, apps: Sequence[App]) -> Collection[AppName]:
        self.asked_of.append([one.name.name for one in apps])
        touched = self.touched
        return [one.name for one in apps if touched is None or one.name.name in touched]

    def scheduler(self) -> Scheduler:
        one = Scheduler(
            self.poll_seconds,
            Told(),
            owns=lambda name: name.name not in self.not_owned,
            jitter=lambda seconds: seconds,
        )
        for each in self.apps:
            one.put(each)
        return one

    def live(self, *also: tuple[float, Callable[[Scheduler], object]]) -> dict[str, list[float]]:
        """Run until the end; `also` are (when, what to do with the scheduler)."""

        async def main() -> None:
            scheduler, loop = self.scheduler(), asyncio.get_running_loop()
            for when, act in also:
                loop.call_later(when, act, scheduler)
            loop.call_later(self.until, scheduler.stop)
            await scheduler.run(self.round, self, self.forgotten.extend, self.those)

        with structlog.testing.capture_logs(), asyncio.Runner(loop_factory=VirtualTime) as runner:
            runner.run(main())
        return dict(self.rounds)


def every(one: App, seconds: float) -> App:
    return replace(one, sync_seconds=seconds)
