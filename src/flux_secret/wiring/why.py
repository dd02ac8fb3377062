"""Settings → why a secret is where it is, or is not: a chain for each target that it is about."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from flux_secret.apply.applier import ClusterApplier
from flux_secret.apply.users import Users
from flux_secret.errors import (
    AccessError,
    ConfigurationError,
    FluxSecretError,
    KeyFileError,
    ObjectError,
    UnreachableError,
)
from flux_secret.model.names import StoreName
from flux_secret.model.record import Recorder, Unrecorded
from flux_secret.model.reference import Lookup
from flux_secret.model.report import AppReport
from flux_secret.model.target import Source, Target
from flux_secret.model.why import Chain
from flux_secret.outside.git import Mirror
from flux_secret.outside.kubernetes import Client
from flux_secret.reconcile.interface import (
    Applies,
    Checkouts,
    GenerateStage,
    Readers,
    ResolveStage,
)
from flux_secret.reconcile.undertaking import Marked, undertaking
from flux_secret.reconcile.why.diagnose import diagnose
from flux_secret.reconcile.why.looking import look, seen
from flux_secret.reconcile.why.nobody import nobody
from flux_secret.reconcile.why.places import Texts, of_entry
from flux_secret.reconcile.why.seen import Again, EntryFacts, Trace
from flux_secret.reconcile.why.subject import Subject, parse_subject
from flux_secret.resolve.holders import holders
from flux_secret.settings import KeySettings, Settings
from flux_secret.store.kept import Looked
from flux_secret.store.standing import Standing
from flux_secret.wiring.access import connection_of, git_access
from flux_secret.wiring.agent import Connected, apply_options, connect
from flux_secret.wiring.keys import load_keys
from flux_secret.wiring.whyfacts import EntryLook, PinnedRepository

_NOWHERE: Final = """{apiVersion: v1, kind: Config, current-context: none,
clusters: [{name: none, cluster: {server: 'http://127.0.0.1:9'}}],
users: [{name: none, user: {}}], contexts: [{name: none, context: {cluster: none, user: none}}]}
"""


@dataclass(frozen=True, slots=True)
class _Stages:
    """The stages of a delivery that writes nothing."""

    source: Checkouts
    stores: Readers
    generator: GenerateStage
    resolver: ResolveStage
    applier: Applies


@dataclass(frozen=True, slots=True)
class _Around:
    """Who knows what a trace does not say."""

    entries: EntryLook
    users: Users
    cluster_error: FluxSecretError | None
    mirrors: Mapping[Source, Mirror]
    unseen: list[str]
    """What could not be looked at, in sentences; it grows."""

    def repository(self, target: Target, commit: str) -> PinnedRepository:
        """Open a target's repository at a commit."""
        return PinnedRepository(self.mirrors[target.source], commit)


async def explain(
    settings: Settings,
    text: str,
    again: Again,
    reports: Mapping[str, AppReport],
    recorder: Recorder | None = None,
) -> list[Chain]:
    """Give the chain of what a person asks about, for each target that it concerns.

    `reports` are what an agent says, by the names of its targets; `recorder` has each read before
    it is. Raises `UsageError` for what
    names nothing, and what keeps anything from being looked at.
    """
    names = [target.name for target in settings.targets]
    stores = {str(name) for target in settings.targets for name in target.stores}
    subject = parse_subject(text, apps=names, stores=stores)
    async with _connected(settings, recorder) as (connected, around):
        chains = []
        targets = [one for one in connected.targets if _is_asked(one, subject)]
        traces: list[Trace] = []
        for target in targets:
            stages = _dry(connected, settings)
            with undertaking(target.name, command="why", app=target.app, target=target.name):
                found, where, texts = await look(target, stages, holders, around, subject)
            traces.append(found)
            is_only = len(settings.targets) == 1 and bool(subject.kind) and not found.has_objects
            if is_only or _concerns(found, subject, texts):
                how = replace(again, app=target.app or again.app)
                report = reports.get(target.name)
                with undertaking(target.name, command="why", app=target.app, target=target.name):
                    facts = await seen(found, where, around, how, report)
                chains.append(diagnose(facts, subject))
        if chains:
            return chains
        entry = await _facts(subject, traces, around)
        made = {key for found in traces for key in found.origins}
        return [nobody(subject, [target.name for target in targets], entry, made)]


def _is_asked(target: Target, subject: Subject) -> bool:
    return not subject.app or subject.app in {target.name, target.app.rpartition("/")[2]}


def _concerns(found: Trace, subject: Subject, texts: Texts) -> bool:
    """Whether a target has to do with what is asked about."""
    delivery = found.delivery
    if subject.entry is not None:
        asks = any(read.lookup.path == subject.entry for read in delivery.reads)
        env = delivery.target.generation.env
        is_cut_short = delivery.error is not None  # it may not have come to its question
        return asks or (is_cut_short and of_entry(texts, Lookup(subject.entry), env) is not None)
    if subject.kind:
        made = [*found.origins, *(change.key for change in found.delivery.changes)]
        return any(map(subject.is_about, made))
    return True


async def _facts(subject: Subject, traces: list[Trace], around: _Around) -> EntryFacts | None:
    if subject.entry is None:
        return None
    found = None
    for one in traces:
        delivery = one.delivery
        found = await around.entries.facts(delivery.target, subject.entry, None, delivery.revision)
        if found.file:
            return found
    return found


def _dry(connected: Connected, settings: Settings) -> _Stages:
    options = replace(apply_options(settings), dry=True, tries=True)
    stages = connected.stages
    applier = ClusterApplier(connected.client, options).round()
    return _Stages(stages.source, stages.stores, stages.generator, stages.resolver, applier)


@asynccontextmanager
async def _connected(
    settings: Settings, recorder: Recorder | None
) -> AsyncIterator[tuple[Connected, _Around]]:
    """Connect what there is; keys or a cluster that cannot be used are a link's own break."""
    settings = replace(
        settings,
        apps=tuple(
            replace(app, targets=tuple(replace(one, restart=None) for one in app.targets))
            for app in settings.apps
        ),
        custom_resources=False,
        delivers=False,
    )
    async with contextlib.AsyncExitStack() as resources:
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="flux-secret-")))
        cluster_error = _cluster_error(settings)
        if cluster_error is not None:
            nowhere = folder / "kubeconfig"
            nowhere.write_text(_NOWHERE)
            cluster = replace(settings.cluster, kubeconfig=nowhere, context=None)
            settings = replace(settings, cluster=cluster)
        where, unseen = _where(settings.keys), list[str]()
        try:
            keys, problem = load_keys(settings.keys, settings.tool_path, resources), None
        except KeyFileError as failure:
            keys, problem = None, failure
            none = replace(
                settings.keys, files=(), passphrase_file=None, age_identities=(),
                gnupg_home=folder,
            )  # fmt: skip
            settings = replace(settings, keys=none)
        connected = await resources.enter_async_context(
            connect(
                settings,
                recorder=recorder,
                records=lambda client, own: _Standings(client, own, unseen),
            )
        )
        git, cache = git_access(settings), settings.git.cache
        stores = {name: Mirror(url, cache, git) for name, url in settings.stores.items()}
        sources = {one.source: Mirror(one.source.url, cache, git) for one in settings.targets}
        look_at = EntryLook(stores, keys, where, problem, Marked(recorder or Unrecorded()))
        users = Users(connected.client)
        yield connected, _Around(look_at, users, cluster_error, sources, unseen)


class _Standings(Looked):
    """How far stores were delivered, as far as that can be read; nothing is written."""

    def __init__(self, client: Client, namespace: str, unseen: list[str]) -> None:
        super().__init__(client, namespace)
        self._unseen = unseen

    async def read(self, name: StoreName) -> Standing:
        """Give a store's; an empty one, and a sentence, where it cannot be read from here."""
        try:
            return await super().read(name)
        except (ObjectError, AccessError, UnreachableError) as failure:
            self._unseen.append(
                f"how far store {name} was delivered, and what its owners agreed to: {failure.what}"
            )
            return Standing(name)


def _cluster_error(settings: Settings) -> FluxSecretError | None:
    try:
        connection_of(settings.cluster, settings.cluster_env)
    except ConfigurationError as failure:
        return failure
    return None


def _where(keys: KeySettings) -> str:
    files = ", ".join(map(str, (*keys.files, *keys.age_identities)))
    return files or f"the GnuPG home {keys.gnupg_home or ''}".rstrip()
