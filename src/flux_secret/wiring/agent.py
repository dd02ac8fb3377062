"""Settings → the rooms of one agent, or of one delivery, connected."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import structlog

from flux_secret.api.interface import Repository
from flux_secret.api.server import listening
from flux_secret.apply.adopter import Adopter
from flux_secret.apply.applier import ClusterApplier
from flux_secret.apply.cluster import ApplyOptions
from flux_secret.apply.delivered import Delivered
from flux_secret.apply.restart.restarter import Restarter
from flux_secret.audit.log import LogAuditor
from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.generate.generator import Generator
from flux_secret.model.adoption import Mode
from flux_secret.model.app import App, AppName, Followed
from flux_secret.model.identity import DeployKey
from flux_secret.model.names import StoreName
from flux_secret.model.record import Recorder
from flux_secret.model.target import Source, Target
from flux_secret.outside import kubernetes
from flux_secret.outside.deadline import Deadline
from flux_secret.outside.git import (
    public_identity,
)
from flux_secret.outside.layouts import Layouts
from flux_secret.outside.objects import Commit
from flux_secret.outside.sandbox.probe import find_sandbox
from flux_secret.outside.sandbox.sandbox import Kind, Sandbox
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.workshop import Workshops
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.health import Limits
from flux_secret.reconcile.interface import LiveObjects, Stages
from flux_secret.reconcile.making import Here
from flux_secret.reconcile.memory import Memory
from flux_secret.reconcile.replicas import Replicas
from flux_secret.reconcile.round import Round, deliver_round
from flux_secret.reconcile.undertaking import Marked
from flux_secret.reconcile.vitals import Vitals
from flux_secret.reconcile.watched import Watched
from flux_secret.reconcile.workers import Workers
from flux_secret.resolve.resolver import Resolver
from flux_secret.settings import Settings
from flux_secret.source.checkout import GitSource
from flux_secret.store.advance import Advance, Records
from flux_secret.store.kept import Kept, Looked
from flux_secret.store.stores import Mirrors, Stores
from flux_secret.wiring.access import cluster_client, git_access
from flux_secret.wiring.crew import Crew, nursery_of
from flux_secret.wiring.encrypted import needs_sandbox, opener
from flux_secret.wiring.keys import load_keys
from flux_secret.wiring.listeners import listen_for_strangers, noting
from flux_secret.wiring.onrecord import record_of
from flux_secret.wiring.owners import Owners
from flux_secret.wiring.replicas import deliver_what_is_ours, pass_on
from flux_secret.wiring.repositories import Repositories

HANDOVER_SECONDS: Final = 30.0
"""How long another App may take over what left one: it tries again 10 s after it could not."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Connected:
    """Everything that one agent, or one command, needs."""

    targets: tuple[Target, ...]
    client: kubernetes.Client
    applier: ClusterApplier
    stages: Stages
    memory: Memory
    repositories: Repositories
    git: GitSource
    opened: Stores
    namespace: str
    """For objects that name none."""
    concurrent_targets: int
    """How many of one App's are delivered at once."""
    adopter: Callable[[Mode], Adopter]
    live: LiveObjects
    restarter: Restarter | None
    record: Watched | None
    """Where what happens is recorded; None where nobody keeps a record."""
    ping: Callable[[], Awaitable[None]]
    """Asks the API server whether it is there; raises what the client raises."""

    async def round(self, *, anew: bool = False, confirmed: Collection[str] = ()) -> Round:
        """Deliver every target once, then sweep; `anew` generates also what has not changed.

        `confirmed` are the tokens of held changes that a person lets through.
        """
        return await self._deliver(self.targets, anew=anew, confirmed=confirmed)

    async def deliver(
        self, app: App, *, anew: bool = False, confirmed: Collection[str] = ()
    ) -> Round:
        """Do the same for one App."""
        targets = placed(app, self.namespace).targets
        return await self._deliver(targets, anew=anew, confirmed=confirmed)

    async def touched(self, _store: StoreName, apps: Sequence[App]) -> Collection[AppName]:
        """Say which Apps read an entry that the stores' newest commits change; all, if unsure."""
        found = set()
        try:
            async with self.opened.round() as stores:
                for app in apps:
                    for target in placed(app, self.namespace).targets:
                        is_refused = await stores.refused(target) is not None
                        if is_refused or await self.memory.is_touched(target, stores):
                            found.add(app.name)
        except FluxSecretError:
            return [app.name for app in apps]  # each says itself what is wrong
        return found

    def forget(self, repositories: Collection[Followed]) -> None:
        """Fetch these anew: they have new commits."""
        for one in repositories:
            if isinstance(one, Source):
                self.git.forget(one)
            else:
                self.opened.forget(one)

    async def _deliver(
        self, targets: Sequence[Target], *, anew: bool, confirmed: Collection[str]
    ) -> Round:
        if confirmed:
            _log.info("sync.confirmed", tokens=" ".join(sorted(confirmed)))
            self.applier.confirm(confirmed)
        if anew:
            self.memory.forget(targets)
            self.forget([*{target.source for target in targets}, *self.repositories.stores])
        return await deliver_round(
            targets, self.stages, self.memory, at_once=self.concurrent_targets
        )

    async def adopt(self, mode: Mode) -> Round:
        """Go through all targets once, taking objects over from Flux v1 instead of applying."""
        applier = self.adopter(mode)
        stages = replace(self.stages, applier=applier, maker=Here(), restarter=None)
        return await deliver_round(self.targets, stages)


def placed(app: App, namespace: str) -> App:
    """Say where objects go that name no namespace, where the App does not say it itself."""
    targets = (
        target if target.default_namespace else replace(target, default_namespace=namespace)
        for target in app.targets
    )
    return replace(app, targets=tuple(targets))


@asynccontextmanager
async def connect(  # noqa: PLR0913 -- one for each whom it connects
    settings: Settings,
    vitals: Vitals | None = None,
    held: Deadline | None = None,
    *,
    workers: bool = False,
    recorder: Recorder | None = None,
    records: Callable[[kubernetes.Client, str], Records] | None = None,
) -> AsyncIterator[Connected]:
    """Connect the rooms; private keys are read here, once.

    `vitals` learn how stores are; when what is `held` has run out, nothing is written.
    `workers`: each delivery is made by a process of its own, and this one holds no value.
    `recorder` has what is done before it is; without one, that which the settings name. `records`
    say how far stores were delivered, where not those of the cluster count.
    """
    async with contextlib.AsyncExitStack() as resources:
        held = held or Deadline()
        git = git_access(settings)
        keys = load_keys(settings.keys, settings.tool_path, resources)
        record = await record_of(settings, keys, git, resources, recorder, vitals=vitals)
        recorder = Marked(record) if record is not None else None
        client = await cluster_client(settings, resources, held)
        repositories = Repositories(settings, git, keys.gpg, client)
        fresh = settings.fresh_seconds
        layouts = Layouts(settings.tool_path)
        if not settings.unsafe_no_sandbox:  # else a script may leave somebody who writes later
            await resources.enter_async_context(layouts)
        source = GitSource(repositories.branch, layouts.lay_out, fresh, apart=layouts.lay_out_apart)
        noted = noting(repositories, vitals)
        records = records or (Kept if settings.delivers else Looked)
        standings = records(client, settings.cluster.namespace)
        owners = Owners(settings.tool_path, repositories.anchor)
        gate = Advance(
            standings, repositories.ancestry, settings.accepted_rewinds, owners, recorder
        )
        mirrors = Mirrors(noted, gate, settings.cluster_name)
        stores = Stores(mirrors, Commit, keys.decryptors, fresh, recorder)
        options = apply_options(settings)
        if workers and settings.fresh_seconds:  # an agent with Apps that have a round each
            options = replace(options, handover_seconds=HANDOVER_SECONDS)
        applier = ClusterApplier(client, options, recorder)
        supervisors = await resources.enter_async_context(Supervisors())
        sandbox = await _sandbox(settings, supervisors)
        workshops = Workshops(settings.tool_path, sandbox, supervisors, settings.generator_bounds)
        stages = Stages(
            source=source,
            stores=stores,
            generator=Generator(workshops.open, opener(settings.keys.age_file, keys, workshops)),
            resolver=Resolver(),
            applier=applier,
            auditor=LogAuditor(),
            maker=Here(),
            restarter=(restarter := await _restarter(settings, client, resources, recorder)),
        )
        if workers:
            nursery = nursery_of(settings, supervisors, options, sandbox, held)
            await resources.enter_async_context(nursery)
            crew = Crew(
                nursery, keys, client.traffic, workshops.tools, settings.tool_path, recorder
            )
            stages = replace(stages, maker=Workers(crew))
        memory = Memory(settings.regenerate_interval_seconds)
        adopter = partial(Adopter, client, options, recorder=recorder)
        namespace = _namespace(settings, client)
        targets = tuple(
            target for app in settings.apps for target in placed(app, namespace).targets
        )
        live = Delivered(client, settings.cluster.namespace, targets)
        yield Connected(
            targets=targets,
            client=client,
            applier=applier,
            stages=stages,
            memory=memory,
            repositories=repositories,
            git=source,
            opened=stores,
            namespace=namespace,
            concurrent_targets=settings.concurrent_targets,
            adopter=adopter,
            live=live,
            restarter=restarter,
            record=record,
            ping=client.ping,
        )


async def _restarter(
    settings: Settings,
    client: kubernetes.Client,
    resources: contextlib.AsyncExitStack,
    recorder: Recorder | None,
) -> Restarter | None:
    """Restart workloads while this agent runs, if any target asks for it."""
    if not settings.custom_resources and not any(target.restart for target in settings.targets):
        return None
    restarter = Restarter(
        client, settings.cluster.namespace, acting=client.acting_as, recorder=recorder
    )
    await resources.enter_async_context(restarter.running())
    return restarter


@asynccontextmanager
async def serving(settings: Settings, replicas: Replicas) -> AsyncIterator[Board]:
    """Keep the board of one agent, and serve it where the settings say."""
    listen = settings.listen
    ssh_key = settings.git.ssh_key if listen.api else None
    key = await public_identity(ssh_key, settings.tool_path) if ssh_key else DeployKey()
    repository = _repository(settings, key)
    board = Board(
        repository,
        settings.apps,
        poll_seconds=settings.git_poll_interval_seconds,
        owns=lambda name: replicas.owns(str(name)),
        limits=Limits(syncs_seconds=listen.unhealthy_after_seconds),
        places=settings.concurrent,
    )
    deliver_what_is_ours(board, replicas)
    async with contextlib.AsyncExitStack() as resources:
        resources.callback(board.scheduler.close)
        pass_on(board, replicas, resources)
        await listen_for_strangers(settings, board, resources)
        if listen.api is not None:
            address = await resources.enter_async_context(
                listening(
                    board,
                    board.metrics,
                    api=listen.api,
                    metrics_at=listen.metrics,
                    token=listen.token(),
                )
            )
            _log.info("listening", address=str(address))
        yield board


def _repository(settings: Settings, key: DeployKey) -> Repository:
    """Give the application repository of Flux v1's flags, for fluxctl; without them, none."""
    if settings.flagged is None:
        return Repository("", "", "", key)
    targets = settings.flagged.targets
    source, path = targets[0].source, ",".join(target.path for target in targets)
    return Repository(str(source.url), source.branch, path, key)


async def _sandbox(settings: Settings, supervisors: Supervisors) -> Sandbox | ConfigurationError:
    """Try out what confines generators; where nothing does, targets without any still work."""
    if settings.unsafe_no_sandbox:
        _log.warning("sandbox.off", reason="--unsafe-no-sandbox: generators can read the key")
        return Sandbox(Kind.OPEN)
    if not needs_sandbox(settings):
        return ConfigurationError("no command may run", remedy="give --manifest-generation")
    try:
        return await find_sandbox(settings.tool_path, supervisors)
    except ConfigurationError as error:
        _log.warning("sandbox.none", err=error.what, remedy=error.remedy)
        return error


def _namespace(settings: Settings, client: kubernetes.Client) -> str:
    """Say where objects go that name no namespace, as Flux v1 does (facts: flux-v1 §1.7).

    The flag, else the kubeconfig's context. A pod has none of its own: it is `default` there, as in
    the kubeconfig of Flux v1's image, and not the agent's namespace.
    """
    context = client.namespace if settings.cluster.kubeconfig else "default"
    return settings.cluster.default_namespace or context


def apply_options(settings: Settings) -> ApplyOptions:
    """Give what the settings decide about applying."""
    cluster = settings.cluster
    return ApplyOptions(
        agent_namespace=cluster.namespace,
        adopt_existing=cluster.adopt_existing,
        daemon=cluster.daemon,
        excluded_resources=cluster.excluded_resources,
        confirmations=cluster.confirmations,
        fresh_seconds=settings.fresh_seconds,
    )
