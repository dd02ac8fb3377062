"""Rounds → what is known of them: the latest outcome, who runs pods, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from flux_secret.api.interface import Repository, SyncOutcome, TargetOutcome
from flux_secret.api.metrics import Metrics
from flux_secret.errors import ConfigurationError, FluxSecretError, UnreachableError
from flux_secret.model.app import App, AppName
from flux_secret.model.delivery import Delivery
from flux_secret.model.hold import Hold
from flux_secret.model.names import ObjectKey
from flux_secret.model.report import AppReport, report
from flux_secret.model.restart import SecretRollout
from flux_secret.model.status import AppStatus, Reason
from flux_secret.model.target import Target
from flux_secret.model.workload import State, Workload
from flux_secret.reconcile import standing
from flux_secret.reconcile.health import Limits
from flux_secret.reconcile.interface import LiveObjects
from flux_secret.reconcile.outcomes import Outcomes
from flux_secret.reconcile.poller import Answers
from flux_secret.reconcile.relay import Elsewhere, joined
from flux_secret.reconcile.round import CONCURRENT_DELIVERIES, Round
from flux_secret.reconcile.scheduler import Scheduler, Told
from flux_secret.reconcile.standing import errors_of, said
from flux_secret.reconcile.vitals import Vitals

CONNECTING_SECONDS: Final = 10.0  # that a question waits for the agent to connect
POLL_SECONDS: Final = 600.0  # within which a poll ends: each git command has a limit of its own


class Board:
    """What one agent has done; answers the API, and passes requests on to the loop."""

    def __init__(  # noqa: PLR0913 -- what one agent is
        self,
        repository: Repository,
        apps: Sequence[App],
        *,
        poll_seconds: float = 300.0,
        owns: Callable[[AppName], bool] = lambda _name: True,
        limits: Limits | None = None,
        places: int = CONCURRENT_DELIVERIES,
    ) -> None:
        """Begin with these Apps; `owns` says which of them this replica delivers.

        `limits` say when it counts as unhealthy; so many `places` there are for deliveries.
        """
        self._beat_seconds = poll_seconds + POLL_SECONDS
        self.addresses: Callable[[], Collection[str]] = frozenset
        """Gives `repositories`: what is followed comes and goes."""
        self._owns = owns
        self._hold: Hold | None = Hold()
        self._said: dict[AppName, App] = {}
        told = Told(self._begins, self._ended, self._polled)
        self.scheduler = Scheduler(poll_seconds, told, owns=self._may, places=places)
        self.spread: Callable[[Collection[str]], None] = lambda _urls: None
        """Has the other replicas look for commits, too."""
        self.elsewhere: Elsewhere = _nowhere
        self.departed: Elsewhere = _nowhere
        """Removes what these tokens let go of Apps that nobody configures any more."""
        self.vitals = Vitals(limits, overdue=self.scheduler.overdue)
        self._statuses: dict[AppName, AppStatus] = {}
        self.changed: Callable[[AppStatus, Round | None], None] = lambda _status, _round: None
        """Told how an App stands now, and of the round that says so."""
        self.uid_of: Callable[[AppName], str] = lambda _name: ""
        """Gives `uid`: set by who follows the objects."""
        self.noted: Callable[[AppStatus, AppStatus, Round | None], None] = _nobody
        """Told how an App stood before, and stands now."""
        self.left: Callable[[AppName], None] = lambda _name: None
        """Told of an App that is no more."""
        self.rested: Callable[[], None] = lambda: None
        """Told when others may be suspended than before."""
        self.polled: Callable[[Answers], None] = lambda _answers: None
        """Told what repositories answered."""
        self.complete = True
        """Whether every App is known; not before custom resources have been listed."""
        self._live: LiveObjects | None = None
        self._connected = asyncio.Event()
        self._repository = repository
        self._metrics = Metrics(
            ((target.name, target.generation.network) for app in apps for target in app.targets),
            lambda: self.scheduler.waiting,
            lambda: self.vitals.facts.unrecorded_since is not None,
            lambda: self.vitals.facts.unpushed_since is not None,
        )
        self._outcomes = Outcomes()
        for app in apps:
            self.put(app)

    @property
    def repository(self) -> Repository:
        """The application repository."""
        return self._repository

    def connected(self, live: LiveObjects | None) -> None:
        """Note which cluster to ask; None while the agent connects anew."""
        self._live = live
        self._connected.set() if live else self._connected.clear()

    async def sync(
        self, confirmed: Collection[str] = (), *, begun: Callable[[], None] = lambda: None
    ) -> SyncOutcome:
        """Do a round, everything made anew; other replicas do theirs, and are waited for.

        `confirmed` are tokens of held changes.
        """
        elsewhere = asyncio.ensure_future(self.elsewhere(confirmed))
        try:
            here = await self.sync_here(confirmed, begun=begun)
            return self._with_reason(joined([here, *await elsewhere]))
        finally:
            elsewhere.cancel()

    def _with_reason(self, done: SyncOutcome) -> SyncOutcome:
        """Say why, when nothing was delivered since everything is suspended."""
        if done.targets or done.error or not any(app.suspended for app in self.scheduler.apps):
            return done
        why = ConfigurationError(
            "everything that this agent delivers is suspended",
            remedy="deliver it again: flux-secret resume --all -A, or where the agent was told to "
            "rest: flux-secret resume --all --agent NAMESPACE",
        )
        return dataclasses.replace(done, exit_code=why.exit_code, error=said(why))

    async def sync_here(
        self, confirmed: Collection[str] = (), *, begun: Callable[[], None] = lambda: None
    ) -> SyncOutcome:
        """Do it for what this replica delivers."""
        asked = time.monotonic()
        started: float | None = None

        def starts() -> None:
            nonlocal started
            started = time.monotonic()
            self._metrics.job_begun(started - asked)
            begun()

        exit_code = 1
        try:
            done = await self.scheduler.sync((), confirmed, starts)
            exit_code = done.exit_code
        finally:
            if started is not None:
                self._metrics.job_ended(time.monotonic() - started, success=exit_code == 0)
        return joined([outcome_of(done), *await self.departed(confirmed)])

    @property
    def repositories(self) -> Collection[str]:
        """The addresses where it looks for new commits."""
        return self.addresses()

    @property
    def counted(self) -> Callable[[str, str], None]:
        """Counts a webhook's call, by host and outcome."""
        return self._metrics.called

    def hint(self, urls: Collection[str] = ()) -> None:
        """Look for new commits now: at these addresses, or at all; and so shall others."""
        self.look_at(urls)
        self.spread(urls)

    def look_at(self, urls: Collection[str]) -> None:
        """Do it in this replica."""
        self.scheduler.poller.hint(urls)

    async def workloads(self, namespace: str) -> Sequence[Workload]:
        """Give what runs pods, as it is in the cluster now, and what went wrong with it here.

        One that could not be created is among them, so that a person sees why it is not there.
        """
        errors = dict(self._outcomes.errors())
        found = [
            dataclasses.replace(one, error=errors.pop(one.key, ""))
            for one in await (await self._cluster()).workloads(namespace)
        ]
        missing = [
            Workload(key, status=State.ERROR.value, error=error)
            for key, error in errors.items()
            if namespace in {"", key.namespace}
        ]
        return sorted(found + missing, key=_by_key)

    async def export(self) -> bytes:
        """Give what was delivered and holds no value, as YAML."""
        return await (await self._cluster()).export()

    async def _cluster(self) -> LiveObjects:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._connected.wait(), CONNECTING_SECONDS)
        if self._live is None:
            raise UnreachableError(
                "the agent is not connected to the cluster yet", remedy="ask again in a moment"
            )
        return self._live

    def look(self) -> None:
        """Look now for new commits, and at every App: SIGHUP asks this process for it."""
        self.look_at(())
        self.scheduler.wake()

    def status(self, name: AppName) -> AppStatus:
        """Say how an App stands."""
        return self._statuses.get(name) or AppStatus(name)

    def uid(self, name: AppName) -> str:
        """Give the uid of an App's object; empty for one that is none."""
        return self.uid_of(name)

    def statuses(self) -> Sequence[AppStatus]:
        """Say how every App stands."""
        return [self.status(app.name) for app in self.scheduler.apps]

    def delivers(self, target: Target) -> bool:
        """Whether a target is delivered here now: by this replica, and not suspended."""
        if target.app:
            namespace, _, name = target.app.partition("/")
            return self.scheduler.delivers(AppName(namespace, name))
        named = (app for app in self.scheduler.apps if any(map(target.is_same_as, app.targets)))
        return any(self.scheduler.delivers(app.name) for app in named)

    def rolls(self, rollouts: Sequence[SecretRollout]) -> None:
        """Take in how far workloads are with changed Secrets: all that are not done.

        While an App is suspended, what is due of it stays due, and nobody's target.
        """
        undone = {one.workload for one in rollouts}
        for app in self.scheduler.apps:
            names, before = {target.name for target in app.targets}, self.status(app.name)
            if app.suspended:
                mine = tuple(one for one in before.rollouts if one.workload in undone)
            else:
                mine = tuple(one for one in rollouts if one.targets & names)
            if tuple(before.rollouts) != mine:
                self._stands(dataclasses.replace(before, rollouts=mine), None)

    def put(self, app: App) -> None:
        """Schedule an App, or take what it says now; whether it is suspended is shown at once."""
        self._said[app.name] = app
        app, before = self.held(app), self.status(app.name)
        self.scheduler.put(app)
        if app.suspended != before.suspended:
            self._stands(standing.suspended(before, app.suspended), None)

    def held(self, app: App) -> App:
        """Give an App as it is scheduled: suspended also where a person says so beside it."""
        return app if self._hold is None else self._hold.on(app)

    def hold(self, hold: Hold | None) -> None:
        """Leave these as they are from now on; None: nobody knows yet, so nothing is delivered.

        What is scheduled no more, since it is refused or being removed, is not scheduled by this.
        """
        was_unknown, self._hold = self._hold is None, hold
        for app in tuple(self._said.values()):
            if self.scheduler.lane(app.name) is not None:
                self.put(app)
        self.rested()
        if was_unknown:
            self.scheduler.wake()

    def rests(self, name: AppName, *, said: bool) -> bool:
        """Whether an App is left as it is: its object says so, a person, or nobody knows yet."""
        return said or self._hold is None or self._hold.holds(name)

    def _may(self, name: AppName) -> bool:
        return self._hold is not None and self._owns(name)

    def reports(self) -> Sequence[AppReport]:
        """Say it for people."""
        return [report(status) for status in self.statuses()]

    def forget(self, name: AppName) -> None:
        """Know nothing of an App any more."""
        self._statuses.pop(name, None)
        if (app := self._said.pop(name, None)) is not None:
            self._outcomes.forget([target.name for target in app.targets])
        self._metrics.apps.forget(name)
        self.vitals.forget(name)
        self.left(name)

    def quiet(self) -> None:
        """Tell nobody any more what happens to Apps."""
        self.noted, self.left = _nobody, lambda _name: None

    def _begins(self, app: App) -> None:
        self.vitals.moves()
        self._stands(standing.begun(app, self.status(app.name)), None)

    def _ended(self, app: App, done: Round, seconds: float) -> None:
        self.note(done, seconds, app)
        self.vitals.moves()
        self._see_whether_started()
        lane = self.scheduler.lane(app.name)
        if lane is None:
            return
        self._metrics.apps.ended(app.name, seconds, success=done.exit_code == 0)
        now = datetime.now(UTC)
        wait = max(0.0, lane.due - asyncio.get_running_loop().time())
        next_try = now + timedelta(seconds=min(wait, 10 * 365 * 86400))
        before = self.status(app.name)
        outlook = standing.Outlook(now, next_try, lane.failures)
        self._stands(standing.ended(app, done, before, outlook), done)

    def refuse(self, name: AppName, reason: Reason, error: FluxSecretError) -> None:
        """Say why an App is not delivered at all."""
        now = datetime.now(UTC)
        self._stands(standing.refused(self.status(name), reason, error, now), None)

    def _stands(self, status: AppStatus, done: Round | None) -> None:
        before = self.status(status.name)
        self._statuses[status.name] = status
        self._metrics.apps.stands(status)
        if self._owns(status.name):
            self.noted(before, status, done)
        self.changed(status, done)

    def _see_whether_started(self) -> None:
        known = self.complete and self._hold is not None
        if known and not self.vitals.started and not self.scheduler.has_new:
            self.vitals.starts()

    def _polled(self, answers: Answers) -> None:
        self.vitals.beat(self._beat_seconds)
        self._see_whether_started()
        failed = [head for head in answers.values() if isinstance(head, FluxSecretError)]
        self._metrics.polled(ready=not failed)
        self.polled(answers)

    def metrics(self) -> bytes:
        """Give them in Prometheus' text format."""
        self._metrics.apps.keep(self._owns)
        return self._metrics.text()

    def note(self, done: Round, seconds: float, app: App | None = None) -> None:
        """Take in a round that has ended, and whose it was."""
        due = (app.name, app.sync_seconds) if app else (None, 0.0)
        self.vitals.noted(done.deliveries, *due)
        for one in done.deliveries:
            self._outcomes.note(one)
        loaded = any(one.error is None for one in done.deliveries)
        self._metrics.synced(
            seconds,
            success=done.exit_code == 0,
            applied=self._outcomes.applied if loaded else None,
            failed=self._outcomes.failed,
        )
        for one in done.deliveries:
            at = time.time() if one.exit_code == 0 else None
            self._metrics.delivered(one.target.name, at=at)
            for store, revision in (one.revision.stores if one.revision else {}).items():
                self._metrics.read_from(store.value, rewound=bool(revision.head))


async def _nowhere(_confirmed: Collection[str]) -> Sequence[SyncOutcome]:
    """There are no others."""
    return ()


def _nobody(_before: AppStatus, _after: AppStatus, _done: Round | None) -> None:
    """Nobody is told."""


def _by_key(one: Workload) -> ObjectKey:
    return one.key


def outcome_of(done: Round) -> SyncOutcome:
    """Say how a round ended, in words for people; no value is among them."""
    return SyncOutcome(
        exit_code=done.exit_code,
        commit=next((sync.commit for sync in done.syncs), ""),
        targets=[_target(one) for one in done.deliveries],
        error="\n".join(errors_of(done)),
        head=next((sync.head for sync in done.syncs), ""),
    )


def _target(one: Delivery) -> TargetOutcome:
    return TargetOutcome(
        target=one.target.name,
        revision=str(one.revision) if one.revision else "",
        error=said(one.error) if one.error else "",
        changes=[str(change) for change in one.changes],
        notes=[*one.notes, *map(str, [*one.held, *one.remarks])],
    )
