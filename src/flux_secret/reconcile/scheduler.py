"""Apps → a lane each: who is delivered when, and who asked for it."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.model.app import App, AppName, Followed
from flux_secret.model.change import ChangeSet
from flux_secret.model.names import StoreName
from flux_secret.reconcile.lane import Driver, Lane, RunRound
from flux_secret.reconcile.poller import Answers, Heads, Poller
from flux_secret.reconcile.round import CONCURRENT_DELIVERIES, Round
from flux_secret.reconcile.slots import Slots

JITTER: Final = 0.25  # of a pause after a failure, up or down


Touched: TypeAlias = Callable[[StoreName, Sequence[App]], Awaitable[Collection[AppName]]]
"""Says which of these Apps a store's newest commit concerns."""


async def _everybody(_store: StoreName, apps: Sequence[App]) -> Collection[AppName]:
    return [app.name for app in apps]


@dataclass(frozen=True, slots=True)
class Told:
    """Who is told of rounds."""

    begins: Callable[[App], None] = lambda _app: None
    ended: Callable[[App, Round, float], None] = lambda _app, _round, _seconds: None
    """With how many seconds the round took."""
    polled: Callable[[Answers], None] = lambda _answers: None


class Scheduler:
    """Runs every App's rounds until it is told to stop; Apps come and go meanwhile.

    It outlives a connection: who asked for a sync is answered by a round of the next one.
    """

    def __init__(
        self,
        poll_seconds: float,
        told: Told,
        *,
        owns: Callable[[AppName], bool] = lambda _name: True,
        jitter: Callable[[float], float] | None = None,
        places: int = CONCURRENT_DELIVERIES,
    ) -> None:
        """`owns` says which Apps this replica delivers now."""
        self._told = told
        self._owns = owns
        self.is_anothers: Callable[[AppName], bool] = lambda _name: False
        """Says which Apps one of the others delivers; there are moments at which nobody does."""
        self._jitter = jitter or _jittered
        self._slots = Slots(places)
        self._lanes: dict[AppName, Lane] = {}
        self._tasks: dict[AppName, asyncio.Task[None]] = {}
        self._driver: Driver | None = None
        self._stopping = asyncio.Event()
        self._failed: asyncio.Future[None] | None = None
        self._forget: Callable[[Collection[Followed]], None] = lambda _repositories: None
        self._touched: Touched = _everybody
        self._sifting: set[asyncio.Task[None]] = set()
        self.poller = Poller(poll_seconds, self._changed, told.polled)

    @property
    def apps(self) -> Sequence[App]:
        """Every App, by name."""
        return [self._lanes[name].app for name in sorted(self._lanes)]

    @property
    def waiting(self) -> int:
        """How many wait for a round that has not begun."""
        return sum(lane.requests.waiting for lane in self._lanes.values())

    @property
    def has_new(self) -> bool:
        """Whether an App that is delivered here has not had its first round yet."""
        return any(lane.is_new for lane in self._lanes.values() if self._may(lane))

    def overdue(self) -> float:
        """Say for how many seconds a round has been due that has not ended; 0.0 when none is."""
        if self._driver is None or self._stopping.is_set():
            return 0.0
        now = asyncio.get_running_loop().time()
        begun = (lane for lane in self._lanes.values() if self._may(lane) and lane.due > -math.inf)
        return max([0.0, *(now - lane.due for lane in begun)])

    def _may(self, lane: Lane) -> bool:
        return not lane.app.suspended and self._owns(lane.app.name)

    def _went(self, name: AppName) -> bool:
        return self.is_anothers(name)

    def delivers(self, name: AppName) -> bool:
        """Whether an App is delivered here: by this replica, and not suspended."""
        return name in self._lanes and self._may(self._lanes[name])

    def lane(self, name: AppName) -> Lane | None:
        """Give an App's lane."""
        return self._lanes.get(name)

    def put(self, app: App) -> None:
        """Add an App, or take what it says now."""
        lane = self._lanes.get(app.name)
        if lane is not None:
            lane.put(app)
            return
        self._lanes[app.name] = Lane(app)
        self._start(app.name)

    async def drop(self, name: AppName) -> None:
        """Deliver an App no more; wait for the round that is running."""
        lane, task = self._lanes.pop(name, None), self._tasks.pop(name, None)
        if lane is not None:
            lane.leave()
        if task is not None:
            await asyncio.wait([task])

    def wake(self, names: Collection[AppName] = ()) -> None:
        """Deliver these now, or all."""
        for name in names or tuple(self._lanes):
            if name in self._lanes:
                self._lanes[name].requests.hint()

    async def sync(
        self,
        names: Collection[AppName] = (),
        confirmed: Collection[str] = (),
        begun: Callable[[], None] = lambda: None,
    ) -> Round:
        """Deliver these, or all that are not another replica's, everything made anew; wait for it.

        `begun` is called when the first round begins. Raises `UsageError` for an App that is not
        there, `ConfigurationError` for one that is suspended, `UnreachableError` when the agent
        stops first.
        """
        lanes = [self._asked(name) for name in names] or [
            lane
            for lane in self._lanes.values()
            if not lane.app.suspended and not self.is_anothers(lane.app.name)
        ]
        if len(lanes) == 1:
            return await lanes[0].requests.sync(confirmed, begun)
        begins = _once(begun)
        return merged(
            await asyncio.gather(*(lane.requests.sync(confirmed, begins) for lane in lanes))
        )

    def _asked(self, name: AppName) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            raise UsageError(
                f"there is no App {name} here", remedy="see which there are: flux-secret status"
            )
        if lane.app.suspended:
            raise ConfigurationError(
                f"App {name} is suspended",
                remedy=f"flux-secret resume {name.name} -n {name.namespace}; or where it "
                f"was suspended so: flux-secret resume {name} --agent NAMESPACE (--all in place of "
                "the name, when all of that agent were)",
            )
        return lane

    def stop(self) -> None:
        """Finish the rounds that are running, and start no other."""
        self._stopping.set()

    def close(self) -> None:
        """Tell who still waits that no round will come."""
        for lane in self._lanes.values():
            lane.requests.close()

    async def run(
        self,
        run_round: RunRound,
        heads: Heads,
        forget: Callable[[Collection[Followed]], None] = lambda _repositories: None,
        touched: Touched | None = None,
    ) -> None:
        """Run until `stop`; every App's first round at once.

        `forget` is told which repositories have new commits, before anybody is delivered from them.
        `touched` says which Apps a store's commit concerns: those that read what it changed.
        Raises what is no expected failure of a round: a bug ends the agent.
        """
        self._stopping.clear()
        self._forget, self._touched = forget, touched or _everybody
        self._failed = asyncio.get_running_loop().create_future()
        self._driver = Driver(
            run_round,
            self._slots,
            self._told.ended,
            self._told.begins,
            self._owns,
            self._jitter,
            self._went,
        )
        polling = asyncio.ensure_future(self.poller.run(heads))
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            for name in self._lanes:
                self._start(name)
            ends: set[asyncio.Future[Any]] = {polling, stopped, self._failed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if polling.done():
                polling.result()
            if self._failed.done():
                self._failed.result()
            self._stopping.set()
            polling.cancel()
            if not self._failed.done():
                await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        finally:  # rounds that are running now are abandoned
            self._stopping.set()
            self._driver = None
            tasks, self._tasks = list(self._tasks.values()), {}
            others = (*self._sifting, polling, stopped)
            for task in (*tasks, *others):
                task.cancel()
            await asyncio.gather(*tasks, *others, return_exceptions=True)
            self._failed.cancel()

    def _start(self, name: AppName) -> None:
        if self._driver is None or name in self._tasks:
            return
        task = asyncio.ensure_future(self._lanes[name].run(self._driver, self._stopping))
        self._tasks[name] = task
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)

    def _changed(self, heads: Mapping[Followed, str]) -> None:
        self._forget(heads)
        for repository, head in heads.items():
            if isinstance(repository, StoreName):
                task = asyncio.ensure_future(self._sift(repository, head))
                self._sifting.add(task)
                task.add_done_callback(self._sifting.discard)
                task.add_done_callback(self._ended)
                continue
            for lane in self._lanes.values():
                lane.saw(repository, head)

    async def _sift(self, store: StoreName, head: str) -> None:
        """Tell those whom a store's new commit concerns."""
        apps = [app for app in self.apps if app.depends_on(store) and self._owns(app.name)]
        touched = await self._touched(store, apps)
        for name, lane in tuple(self._lanes.items()):
            if name in touched or lane.running:
                lane.saw(store, head)


def merged(rounds: Sequence[Round]) -> Round:
    """Give several rounds as one."""
    swept = ChangeSet([change for one in rounds for change in one.swept])
    error = next((one.sweep_error for one in rounds if one.sweep_error is not None), None)
    deliveries = tuple(delivery for one in rounds for delivery in one.deliveries)
    return Round(deliveries, swept, error, tuple(sync for one in rounds for sync in one.syncs))


def _once(call: Callable[[], None]) -> Callable[[], None]:
    """Call the first time only."""
    with contextlib.ExitStack() as pending:
        pending.callback(call)
        return pending.pop_all().close


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 -- nothing to guess
