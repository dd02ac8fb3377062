"""Settings → connected rooms: the only module that knows every concrete class."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from flux_secret.apply.applier import ClusterApplier
from flux_secret.apply.cluster import ApplyOptions
from flux_secret.audit.log import LogAuditor
from flux_secret.errors import KeyFileError
from flux_secret.generate.generator import Generator
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.target import Source, Target
from flux_secret.outside import kubernetes
from flux_secret.outside.git import GitAccess, Mirror
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.objects import Commit
from flux_secret.outside.workshop import open_workshop
from flux_secret.outside.worktree import lay_out
from flux_secret.reconcile.interface import Stages
from flux_secret.reconcile.memory import Memory
from flux_secret.reconcile.round import Round, deliver_round
from flux_secret.resolve.resolver import Resolver
from flux_secret.settings import ClusterSettings, KeySettings, Settings
from flux_secret.source.checkout import GitSource
from flux_secret.store.interface import Decryptor
from flux_secret.store.openpgp import GnuPgHome, OpenPgp
from flux_secret.store.stores import Stores


@dataclass(frozen=True, slots=True)
class Connected:
    """Everything that one agent, or one command, needs."""

    targets: tuple[Target, ...]
    stages: Stages
    heads: Heads
    memory: Memory

    async def round(self, *, anew: bool = False) -> Round:
        """Deliver every target once, then sweep; `anew` generates also what has not changed."""
        if anew:
            self.memory.forget()
        return await deliver_round(self.targets, self.stages, self.memory)


class Heads:
    """Asks every repository for its newest commit."""

    def __init__(self, sources: dict[Source, Mirror], stores: dict[StoreName, Mirror]) -> None:
        self._mirrors: list[tuple[Mirror, str | None]] = [
            *((mirror, source.branch) for source, mirror in sources.items()),
            *((mirror, None) for mirror in stores.values()),
        ]

    async def poll(self) -> Hashable:
        """Give all heads; raise when one repository cannot be asked."""
        heads = [mirror.remote_head(branch) for mirror, branch in self._mirrors]
        return tuple(await asyncio.gather(*heads))


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Connected]:
    """Connect the rooms; private keys are read here, once."""
    async with contextlib.AsyncExitStack() as resources:
        git = _git_access(settings)
        mirror = partial(_mirror, cache=settings.git.cache, access=git)
        sources = {target.source: mirror(target.source.url) for target in settings.targets}
        stores = {name: mirror(url) for name, url in settings.stores.items()}
        decryptor = await _decryptor(settings.keys, settings.tool_path, resources)
        applier = await _applier(settings.cluster, settings, resources)
        stages = Stages(
            source=GitSource(sources.__getitem__, lay_out),
            stores=Stores(stores.__getitem__, Commit, decryptor),
            generator=Generator(partial(open_workshop, path=settings.tool_path)),
            resolver=Resolver(),
            applier=applier,
            auditor=LogAuditor(),
        )
        memory = Memory(settings.regenerate_interval_seconds)
        yield Connected(settings.targets, stages, Heads(sources, stores), memory)


def _mirror(url: GitUrl, *, cache: Path, access: GitAccess) -> Mirror:
    return Mirror(url, cache, access)


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


async def _decryptor(
    keys: KeySettings, tool_path: str, resources: contextlib.AsyncExitStack
) -> Decryptor:
    """Load the imported keys, or else leave it to gpg and a person's own home."""
    if not keys.files:
        gpg = Gpg(path=tool_path, home=keys.gnupg_home, terminal=keys.terminal)
        resources.push_async_callback(gpg.close)
        return GnuPgHome(gpg)
    blocks = {file: _read(file) for path in keys.files for file in _key_files(path)}
    passphrase = _read(keys.passphrase_file).rstrip(b"\r\n") if keys.passphrase_file else b""
    gpg = Gpg.private(list(blocks.values()), passphrase, path=tool_path)
    resources.push_async_callback(gpg.close)
    for file, block in blocks.items():
        try:
            OpenPgp([block], passphrase.decode() or None, gpg)
        except KeyFileError as error:
            raise KeyFileError(f"{file}: {error.what}", remedy=error.remedy) from None
    return OpenPgp(list(blocks.values()), passphrase.decode() or None, gpg)


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


async def _applier(
    cluster: ClusterSettings, settings: Settings, resources: contextlib.AsyncExitStack
) -> ClusterApplier:
    environ = settings.cluster_env
    connection = (
        kubernetes.load(cluster.kubeconfig, cluster.context, environ=environ)
        if cluster.kubeconfig
        else kubernetes.in_cluster(environ)
    )
    client = await resources.enter_async_context(kubernetes.connect(connection))
    options = ApplyOptions(
        agent_namespace=cluster.namespace,
        adopt_existing=cluster.adopt_existing,
        confirmations=cluster.confirmations,
    )
    return ClusterApplier(client, options)
