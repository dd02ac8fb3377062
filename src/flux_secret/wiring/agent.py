"""Settings → connected rooms: the only module that knows every concrete class."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog

from flux_secret.api.interface import Repository
from flux_secret.api.server import listening
from flux_secret.apply.adopter import Adopter
from flux_secret.apply.applier import ClusterApplier
from flux_secret.apply.cluster import ApplyOptions
from flux_secret.apply.delivered import Delivered
from flux_secret.audit.log import LogAuditor
from flux_secret.errors import ConfigurationError, FluxSecretError, KeyFileError
from flux_secret.generate.generator import Generator
from flux_secret.model.adoption import Mode
from flux_secret.model.finding import Finding, Level
from flux_secret.model.names import StoreName
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
from flux_secret.settings import ClusterSettings, KeySettings, Settings, SyncState
from flux_secret.settings.risks import risks
from flux_secret.source.branch import Branch, watched
from flux_secret.source.checkout import GitSource
from flux_secret.source.interface import Marker
from flux_secret.store.crypto.openpgp import GnuPgHome, OpenPgp
from flux_secret.store.crypto.packets import is_public_only
from flux_secret.store.interface import Decryptor
from flux_secret.store.stores import Stores

_log = structlog.get_logger("flux_secret.wiring")


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


class Heads:
    """Asks every repository for its newest commit."""

    def __init__(self, sources: dict[Source, Mirror], stores: dict[StoreName, Mirror]) -> None:
        self._mirrors: list[tuple[str, Mirror, str | None]] = [
            *((f"repository {one.url}", mirror, one.branch) for one, mirror in sources.items()),
            *((f"store {name}", mirror, None) for name, mirror in stores.items()),
        ]

    async def poll(self) -> Hashable:
        """Give all heads; raise when one repository cannot be asked."""
        heads = [mirror.remote_head(branch) for _, mirror, branch in self._mirrors]
        return tuple(await asyncio.gather(*heads))

    async def findings(self) -> list[Finding]:
        """Say of every repository and store whether it can be asked, and what it has."""

        async def one(about: str, mirror: Mirror, branch: str | None) -> Finding:
            try:
                head = await mirror.remote_head(branch)
            except FluxSecretError as failure:
                return Finding.of(about, failure)
            return Finding(Level.OK, about, f"{branch or 'its branch'} is at {head[:12]}")

        return list(await asyncio.gather(*(one(*given) for given in self._mirrors)))


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Connected]:
    """Connect the rooms; private keys are read here, once."""
    async with contextlib.AsyncExitStack() as resources:
        git = _git_access(settings)
        keys = _keys(settings.keys, settings.tool_path, resources)
        client = await _client(settings, resources)
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
        stages = Stages(
            source=GitSource(branches.__getitem__, Layouts(settings.tool_path).lay_out),
            stores=Stores(last_good.__getitem__, Commit, keys.decryptor),
            generator=Generator(Workshops(settings.tool_path, sandbox, supervisors).open),
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


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything that a delivery needs, and change nothing; `doctor` prints it."""
    git, cache = _git_access(settings), settings.git.cache
    sources = {one.source: Mirror(one.source.url, cache, git) for one in settings.targets}
    stores = {name: Mirror(url, cache, git) for name, url in settings.stores.items()}
    findings = [
        *risks(settings),
        await _sandbox_finding(settings),
        *await Heads(sources, stores).findings(),
    ]
    async with contextlib.AsyncExitStack() as resources:
        try:
            _keys(settings.keys, settings.tool_path, resources)
            files = ", ".join(map(str, settings.keys.files)) or "those of the GnuPG home"
            findings.append(Finding(Level.OK, "keys", files))
        except FluxSecretError as failure:
            findings.append(Finding.of("keys", failure))
        try:
            served = (await (await _client(settings, resources)).kinds()).served
            findings.append(Finding(Level.OK, "cluster", f"it serves {len(served)} kinds"))
        except FluxSecretError as failure:
            findings.append(Finding.of("cluster", failure))
    return sorted(findings, key=lambda one: list(Level).index(one.level))


async def _sandbox_finding(settings: Settings) -> Finding:
    if settings.unsafe_no_sandbox:
        says = "generators run with the agent's rights: they can read its key and every store"
        return Finding(Level.WARNING, "sandbox", says, "leave --unsafe-no-sandbox out")
    if not any(target.generation.enabled for target in settings.targets):
        return Finding(Level.OK, "sandbox", "none is needed: no generator runs")
    try:
        async with Supervisors() as supervisors:
            sandbox = await find_sandbox(settings.tool_path, supervisors)
    except ConfigurationError as error:
        return Finding.of("sandbox", error)
    return Finding(Level.OK, "sandbox", f"generators are confined by {sandbox.kind.value}")


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Board]:
    """Keep the board of one agent, and serve it where the settings say."""
    listen, source = settings.listen, settings.targets[0].source
    ssh_key = settings.git.ssh_key if listen.api else None
    key, prints = await public_identity(ssh_key, settings.tool_path) if ssh_key else ("", {})
    path = ",".join(target.path for target in settings.targets)
    repository = Repository(str(source.url), source.branch, path, key, prints)
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
    if not any(target.generation.enabled for target in settings.targets):
        return ConfigurationError("no command may run", remedy="give --manifest-generation")
    try:
        return await find_sandbox(settings.tool_path, supervisors)
    except ConfigurationError as error:
        _log.warning("sandbox.none", reason=error.what, remedy=error.remedy)
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


def _git_access(settings: Settings) -> GitAccess:
    git = settings.git
    return GitAccess(
        ssh_key=git.ssh_key,
        known_hosts=git.known_hosts,
        credentials_file=git.credentials_file,
        ca_file=git.ca_file,
        ssh_auth_sock=git.ssh_auth_sock,
        timeout_seconds=git.timeout_seconds,
        path=settings.tool_path,
        proxies=settings.proxy_env,
    )


@dataclass(frozen=True, slots=True)
class _Keys:
    """What the keys are for."""

    decryptor: Decryptor
    gpg: Gpg
    """Has them all, public ones too: git verifies with it, and the sync tag is signed by it."""


def _keys(keys: KeySettings, tool_path: str, resources: contextlib.AsyncExitStack) -> _Keys:
    """Load the imported keys; where none of them is private, a person's own home decrypts."""
    persons = Gpg(path=tool_path, home=keys.gnupg_home, terminal=keys.terminal)
    resources.push_async_callback(persons.close)
    if not keys.files:
        return _Keys(GnuPgHome(persons), persons)
    blocks = {file: _read(file) for path in keys.files for file in _key_files(path)}
    passphrase = _read(keys.passphrase_file).rstrip(b"\r\n") if keys.passphrase_file else b""
    gpg = Gpg.private(list(blocks.values()), passphrase, path=tool_path)
    resources.push_async_callback(gpg.close)
    private = {file: block for file, block in blocks.items() if not is_public_only(block)}
    for file, block in private.items():
        try:
            OpenPgp([block], passphrase.decode() or None, gpg)
        except KeyFileError as error:
            raise KeyFileError(f"{file}: {error.what}", remedy=error.remedy) from None
    if not private:
        return _Keys(GnuPgHome(persons), gpg)
    return _Keys(OpenPgp(list(private.values()), passphrase.decode() or None, gpg), gpg)


def _key_files(path: Path) -> list[Path]:
    """Give the file, or a folder's regular files, as Flux v1's `--git-gpg-key-import` does."""
    if not path.is_dir():
        return [path]
    files = [file for file in sorted(path.iterdir()) if file.is_file() and file.name[0] != "."]
    if not files:
        raise KeyFileError(f"{path} holds no key file", remedy="put the armored private key there")
    return files


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(
            f"{path} cannot be read: {error.strerror}",
            remedy="check that the file is there and that this user may read it",
        ) from None


async def _client(settings: Settings, resources: contextlib.AsyncExitStack) -> kubernetes.Client:
    cluster, environ = settings.cluster, settings.cluster_env
    connection = (
        kubernetes.load(cluster.kubeconfig, cluster.context, environ=environ)
        if cluster.kubeconfig
        else kubernetes.in_cluster(environ)
    )
    return await resources.enter_async_context(kubernetes.connect(connection))


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
