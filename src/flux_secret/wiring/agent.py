"""Settings → the rooms of one agent, or of one delivery, connected."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import structlog

from flux_secret.api.interface import Repository
from flux_secret.api.server import listening
from flux_secret.apply.adopter import Adopter
from flux_secret.apply.applier import ClusterApplier
from flux_secret.apply.cluster import ApplyOptions
from flux_secret.apply.delivered import Delivered
from flux_secret.audit.log import LogAuditor
from flux_secret.errors import ConfigurationError
from flux_secret.generate.generator import Generator
from flux_secret.model.adoption import Mode
from flux_secret.model.identity import DeployKey
from flux_secret.model.sync import Verification
from flux_secret.model.target import Source, Target
from flux_secret.outside import kubernetes
from flux_secret.outside.git import (
    GitAccess,
    History,
    LastGood,
    Mirror,
    SyncTag,
    Tagger,
    public_identity,
)
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.layouts import Layouts
from flux_secret.outside.objects import Commit
from flux_secret.outside.sandbox.probe import find_sandbox
from flux_secret.outside.sandbox.sandbox import Kind, Sandbox
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.workshop import Workshops
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.interface import LiveObjects, Stages
from flux_secret.reconcile.memory import Memory
from flux_secret.reconcile.round import Round, deliver_round
from flux_secret.resolve.resolver import Resolver
from flux_secret.settings import ClusterSettings, Settings, SyncState
from flux_secret.source.branch import Branch, watched
from flux_secret.source.checkout import GitSource
from flux_secret.source.interface import Marker
from flux_secret.store.stores import Stores
from flux_secret.wiring.access import cluster_client, git_access
from flux_secret.wiring.encrypted import needs_sandbox, opener
from flux_secret.wiring.heads import Heads
from flux_secret.wiring.keys import load_keys

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Connected:
    """Everything that one agent, or one command, needs."""

    targets: tuple[Target, ...]
    stages: Stages
    heads: Heads
    memory: Memory
    adopter: Callable[[Mode], Adopter]
    confirm: Callable[[Collection[str]], None]
    live: LiveObjects

    async def round(self, *, anew: bool = False, confirmed: Collection[str] = ()) -> Round:
        """Deliver every target once, then sweep; `anew` generates also what has not changed.

        `confirmed` are the tokens of held changes that a person lets through.
        """
        if confirmed:
            _log.info("sync.confirmed", tokens=" ".join(sorted(confirmed)))
            self.confirm(confirmed)
        if anew:
            self.memory.forget()
        return await deliver_round(self.targets, self.stages, self.memory)

    async def adopt(self, mode: Mode) -> Round:
        """Go through all targets once, taking objects over from Flux v1 instead of applying."""
        return await deliver_round(self.targets, replace(self.stages, applier=self.adopter(mode)))


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Connected]:
    """Connect the rooms; private keys are read here, once."""
    async with contextlib.AsyncExitStack() as resources:
        git = git_access(settings)
        keys = load_keys(settings.keys, settings.tool_path, resources)
        client = await cluster_client(settings, resources)
        branches, sources = _branches(settings, git, keys.gpg, client)
        stores = {
            name: Mirror(url, settings.git.cache, git) for name, url in settings.stores.items()
        }
        last_good = {
            name: LastGood(mirror, allowed=settings.sync.goes_on) for name, mirror in stores.items()
        }
        applier = ClusterApplier(client, _options(settings.cluster))
        supervisors = await resources.enter_async_context(Supervisors())
        sandbox = await _sandbox(settings, supervisors)
        workshops = Workshops(settings.tool_path, sandbox, supervisors, settings.generator_bounds)
        stages = Stages(
            source=GitSource(branches.__getitem__, Layouts(settings.tool_path).lay_out),
            stores=Stores(last_good.__getitem__, Commit, keys.decryptors),
            generator=Generator(workshops.open, opener(settings, keys, workshops)),
            resolver=Resolver(),
            applier=applier,
            auditor=LogAuditor(),
        )
        memory = Memory(settings.regenerate_interval_seconds)
        adopter = partial(Adopter, client, _options(settings.cluster))
        heads = Heads(sources, stores)
        targets = _with_namespace(settings, client)
        live = Delivered(client, settings.cluster.namespace, targets)
        yield Connected(targets, stages, heads, memory, adopter, applier.confirm, live)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Board]:
    """Keep the board of one agent, and serve it where the settings say."""
    listen, source = settings.listen, settings.targets[0].source
    ssh_key = settings.git.ssh_key if listen.api else None
    key = await public_identity(ssh_key, settings.tool_path) if ssh_key else DeployKey()
    path = ",".join(target.path for target in settings.targets)
    repository = Repository(str(source.url), source.branch, path, key)
    board = Board(repository, settings.targets)
    async with contextlib.AsyncExitStack() as resources:
        resources.callback(board.requests.close)
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


def _branches(
    settings: Settings, git: GitAccess, gpg: Gpg, client: kubernetes.Client
) -> tuple[dict[Source, Branch], dict[Source, Mirror]]:
    """Follow each application repository; its marker is kept where the settings say."""
    sync, branches, mirrors = settings.sync, {}, {}
    marked = sync.moves_marker or sync.verification is not Verification.NONE
    tag = sync.tag if marked and sync.state is SyncState.GIT else None
    for source in {target.source for target in settings.targets}:
        mirror = Mirror(source.url, settings.git.cache, git, tag=tag)
        mirrors[source] = mirror
        branches[source] = Branch(
            source=source,
            mirror=LastGood(mirror, allowed=sync.goes_on),
            history=History(mirror, gpg.home),
            verification=sync.verification,
            marker=_marker(settings, mirror, gpg, client) if marked else None,
            moves=sync.moves_marker,
            paths=watched(target for target in settings.targets if target.source == source),
        )
    return branches, mirrors


def _marker(settings: Settings, mirror: Mirror, gpg: Gpg, client: kubernetes.Client) -> Marker:
    sync = settings.sync
    if sync.state is SyncState.SECRET:
        return kubernetes.SecretAnnotation(client, settings.cluster.namespace, sync.secret)
    tagger = Tagger(sync.tagger_name, sync.tagger_email)
    sign = partial(gpg.sign, key=sync.signing_key) if sync.signing_key else None
    return SyncTag(mirror, sync.tag, tagger, gnupg=gpg.home, sign=sign)


def _with_namespace(settings: Settings, client: kubernetes.Client) -> tuple[Target, ...]:
    """Say where objects go that name no namespace, as Flux v1 does (facts: flux-v1 §1.7).

    The flag, else the kubeconfig's context. A pod has none of its own: it is `default` there, as in
    the kubeconfig of Flux v1's image, and not the agent's namespace.
    """
    context = client.namespace if settings.cluster.kubeconfig else "default"
    namespace = settings.cluster.default_namespace or context
    return tuple(replace(target, default_namespace=namespace) for target in settings.targets)


def _options(cluster: ClusterSettings) -> ApplyOptions:
    return ApplyOptions(
        agent_namespace=cluster.namespace,
        adopt_existing=cluster.adopt_existing,
        daemon=cluster.daemon,
        excluded_resources=cluster.excluded_resources,
        confirmations=cluster.confirmations,
    )
