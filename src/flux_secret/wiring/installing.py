"""A person's settings → the agent installed, printed, or named: no agent runs here."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import structlog

import flux_secret
from flux_secret.apply.cluster import ApplyOptions
from flux_secret.apply.installer import Installer
from flux_secret.audit.log import LogAuditor
from flux_secret.errors import ConfigurationError, KeyFileError
from flux_secret.install.keys import Halves, OperatorKeys, read_keys
from flux_secret.install.render import GPG_PUBLIC, IDENTITY, SSH_PUBLIC, render
from flux_secret.model.delivery import Delivery
from flux_secret.model.identity import Identity, SshPublic
from flux_secret.model.manifest import Bundle
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.record import Recorder
from flux_secret.model.reference import Lookup, Part
from flux_secret.outside import kubernetes
from flux_secret.outside.git import ssh_public
from flux_secret.outside.kubernetes.body import text
from flux_secret.outside.kubernetes.home import CONFIG_MAPS
from flux_secret.settings import ClusterSettings, IdentitySettings, InstallSettings
from flux_secret.settings.keyfolder import KeyFolder
from flux_secret.settings.person import PersonSettings
from flux_secret.store.crypto.public import public_halves, public_keys
from flux_secret.store.format.document import SecretDocument
from flux_secret.store.working.mounts import Mounts
from flux_secret.wiring.stores import mounted

MAX_KEY: Final = 256 * 1024  # bytes of a key's file
_log = structlog.get_logger()


async def installed(settings: InstallSettings, recorder: Recorder) -> Bundle:
    """Give what would be installed; with the Secrets if the settings say where the keys are."""
    keys = await _operator(settings.keys, settings.person, recorder) if settings.keys else None
    return render(settings.installation, keys)


async def install(settings: InstallSettings, recorder: Recorder, *, dry: bool) -> Delivery:
    """Install on the cluster; an expected failure of the cluster is part of the delivery."""
    assert settings.keys is not None, "settings check it"  # noqa: S101
    keys = await _operator(settings.keys, settings.person, recorder)
    bundle = render(settings.installation, keys)
    cluster = settings.cluster
    options = ApplyOptions(
        agent_namespace=cluster.namespace,
        adopt_existing=cluster.adopt_existing,
        confirmations=cluster.confirmations,
        dry=dry,
    )
    async with contextlib.AsyncExitStack() as resources:
        client = await client_of(cluster, settings.cluster_env, resources)
        delivery = await Installer(client, options).install(bundle, flux_secret.__version__)
    await LogAuditor().record(delivery)
    return delivery


async def identity(settings: IdentitySettings, recorder: Recorder) -> Identity:
    """Give the public halves: of a store's keys, of files, or those that the cluster shows."""
    if settings.keys is not None:
        return (await _operator(settings.keys, settings.person, recorder)).identity
    if settings.is_of_cluster:
        return await _identity_of_cluster(settings.cluster, settings.cluster_env)
    ssh = openpgp = None
    if settings.ssh_key is not None:
        ssh = await ssh_public(_file(settings.ssh_key), settings.person.tool_path)
    if settings.gpg_key is not None:
        openpgp = public_halves(_file(settings.gpg_key))
    return Identity(ssh, openpgp or ())


async def _operator(where: KeyFolder, person: PersonSettings, recorder: Recorder) -> OperatorKeys:
    """Read both private keys with the person's own gpg."""
    if where.directory is not None:
        if not where.directory.is_dir():
            raise ConfigurationError(
                f"--store-dir {where.directory} is no folder", remedy="name the store's clone"
            )
        person = replace(person, stores={where.path.parts[0]: where.directory})
    halves = Halves(public_halves, partial(ssh_public, path=person.tool_path))
    async with mounted(person, recorder) as mounts:
        found = await read_keys(_Entries(mounts), where.path, halves)
    _log.info("keys.read", folder=str(where.path))
    return found


@dataclass(frozen=True, slots=True)
class _Entries:
    """A person's stores, asked for whole entries."""

    mounts: Mounts

    async def read(self, path: SecretPath) -> Plaintext:
        """Decrypt an entry."""
        store, name = self.mounts.find(path)
        return await store.read(name)

    def unpacked(self, path: SecretPath, text: Plaintext) -> Plaintext:
        """Give the file in it."""
        lookup = Lookup(path, Part.BINARY)
        return Plaintext(SecretDocument.parse(text.reveal()).part(lookup))


async def _identity_of_cluster(cluster: ClusterSettings, environ: Mapping[str, str]) -> Identity:
    async with contextlib.AsyncExitStack() as resources:
        client = await client_of(cluster, environ, resources)
        found = await client.get(CONFIG_MAPS, cluster.namespace, IDENTITY)
    if found is None:
        raise ConfigurationError(
            f"there is no configmap/{IDENTITY} in namespace {cluster.namespace}",
            remedy="flux-secret install --apply makes it; or name the keys: --from STORE/…/flux",
        )
    ssh, openpgp = (text(found, "data", name) for name in (SSH_PUBLIC, GPG_PUBLIC))
    try:
        return Identity(SshPublic.parse(ssh), public_keys(openpgp))
    except KeyFileError as error:
        raise KeyFileError(
            f"configmap/{IDENTITY} in namespace {cluster.namespace}: {error.what}",
            remedy="make it anew: flux-secret install --apply",
        ) from None


async def client_of(
    cluster: ClusterSettings, environ: Mapping[str, str], resources: contextlib.AsyncExitStack
) -> kubernetes.Client:
    """Connect to the API server that a person means."""
    connection = (
        kubernetes.load(cluster.kubeconfig, cluster.context, environ=environ)
        if cluster.kubeconfig
        else kubernetes.in_cluster(environ)
    )
    return await resources.enter_async_context(kubernetes.connect(connection))


def _file(path: Path) -> Plaintext:
    try:
        with path.open("rb") as opened:
            untrusted = opened.read(MAX_KEY + 1)
    except OSError as error:
        raise KeyFileError(
            f"{path} cannot be read: {error.strerror}",
            remedy="check that the file is there and that this user may read it",
        ) from None
    if len(untrusted) > MAX_KEY:
        raise KeyFileError(f"{path} is no key: it has more than {MAX_KEY} bytes")
    return Plaintext(untrusted)
