"""Flags and environment → everything one agent or one command does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError
from flux_secret.model.app import App, AppName
from flux_secret.model.bounds import BOUNDS, Bounds, WorkerBounds
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.store import Anchor
from flux_secret.model.target import Target
from flux_secret.reconcile.replicas import Timing
from flux_secret.settings.concurrency import IN_AN_APP, concurrent_of
from flux_secret.settings.deploykeys import keys_of
from flux_secret.settings.documents import Documents, load_documents
from flux_secret.settings.environment import (
    age_keys,
    cache_directory,
    find_kubeconfig,
    gnupg_home,
)
from flux_secret.settings.flags import Flags
from flux_secret.settings.generators import bounds_of, worker_bounds_of
from flux_secret.settings.groups import ClusterSettings, GitSettings, KeySettings
from flux_secret.settings.listening import ListenSettings
from flux_secret.settings.record import RecordSettings
from flux_secret.settings.replicas import timing_of
from flux_secret.settings.stores import anchors_of, registered, rewinds_of, stores_of
from flux_secret.settings.sync import SyncSettings
from flux_secret.settings.targets import daemon_of, parts, seconds, targets_of

FLAGGED: Final = "flux"
"""The name of the App that Flux v1's flags are."""
FRESH_SECONDS: Final = 5.0
"""For many Apps: each does not ask again what another has just asked."""
_TERMINAL: Final = ("HOME", "GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "TERM")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything one agent or one command does."""

    apps: tuple[App, ...]
    stores: Mapping[StoreName, GitUrl]
    git: GitSettings
    keys: KeySettings
    cluster: ClusterSettings
    sync: SyncSettings = field(default_factory=SyncSettings)
    listen: ListenSettings = field(default_factory=ListenSettings)
    git_poll_interval_seconds: float = 300.0
    regenerate_interval_seconds: float = 3600.0
    """How long what was generated counts as made from the same inputs; 0: not at all."""
    record: RecordSettings | None = None
    """Where the record is kept; None for an agent that keeps none."""
    replicas: Timing | None = None
    """The times of leases; None for an agent that shares its work with no other."""
    delivers: bool = True
    """Whether it delivers; else what it reads of stores is not put on record."""
    accepted_rewinds: Mapping[StoreName, str] = field(default_factory=dict)
    """Commits that stores may be set back to, each once."""
    anchors: Mapping[StoreName, Anchor] = field(default_factory=dict)
    """Whose word counts about the owners of each store; else the first that is seen."""
    cluster_name: str = ""
    """How owners' rules name this cluster; empty: only rules for all clusters count for it."""
    generator_bounds: Bounds = BOUNDS
    worker_bounds: WorkerBounds = field(default_factory=WorkerBounds)
    unsafe_no_sandbox: bool = False
    """Whether generators run with the agent's rights, for want of a sandbox."""
    tool_path: str = os.defpath
    """PATH for git, gpg, kubectl and the generators."""
    proxy_env: Mapping[str, str] = field(default_factory=dict)
    """Proxy variables for git."""
    cluster_env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The whole environment, for the API server's address in a pod, and for `exec` plugins of a
    kubeconfig, which read a person's cloud credentials from it as kubectl's do."""

    flagged: App | None = None
    """The App of Flux v1's flags, which has a sync marker."""
    has_file: bool = False
    """Whether there is a settings file."""
    custom_resources: bool = False
    """Whether Stores and Apps of the cluster count, too."""
    concurrent: int = 4
    """How many deliveries are made at once."""
    fresh_seconds: float = 0.0
    """How long what was fetched or read counts for the rounds that begin after it; 0 where
    everything is one round, as under Flux v1."""

    @property
    def concurrent_targets(self) -> int:
        """How many of one App's: all where there is one App for ever, as under Flux v1's flags."""
        is_alone = not self.custom_resources and not self.has_file
        return self.concurrent if is_alone else min(self.concurrent, IN_AN_APP)

    @property
    def targets(self) -> tuple[Target, ...]:
        """Give the targets of every App."""
        return tuple(target for app in self.apps for target in app.targets)

    @classmethod
    def load(cls, flags: Flags, environ: Mapping[str, str] | None = None) -> Settings:
        """Read flags and environment; raise `UsageError` or `ConfigurationError`."""
        environ = os.environ if environ is None else environ
        stores = dict(stores_of([*flags.store, *registered(flags.stores_from)], environ))
        flagged = _flagged(flags, frozenset(stores), environ)
        written = load_documents(flags.config, flags.namespace) if flags.config else None
        anchors = dict(anchors_of(flags.store_anchor, flags.store_owner_keys))
        if written is not None:
            stores |= _added(written, stores)
            anchors |= {one.name: one.anchor for one in written.stores.values()}
        apps = (*((flagged,) if flagged else ()), *(written.apps if written else ()))
        cache = flags.cache_dir or cache_directory(environ)
        return cls(
            apps=apps,
            flagged=flagged,
            has_file=written is not None,
            custom_resources=flags.custom_resources,
            concurrent=concurrent_of(flags),
            fresh_seconds=FRESH_SECONDS if written or flags.custom_resources else 0.0,
            stores=stores,
            git=GitSettings(
                ssh_key=flags.git_ssh_key or _mounted_key(flags),
                ssh_keys=keys_of(flags.git_ssh_key_for, environ),
                known_hosts=flags.git_known_hosts,
                credentials_file=flags.git_credentials_file,
                ca_file=flags.git_ca_file,
                ssh_auth_sock=environ.get("SSH_AUTH_SOCK"),
                timeout_seconds=seconds("--git-timeout", flags.git_timeout),
                cache=cache,
            ),
            keys=KeySettings(
                files=tuple(flags.git_gpg_key_import),
                passphrase_file=flags.git_gpg_passphrase_file,
                gnupg_home=gnupg_home(environ),
                terminal={name: environ[name] for name in _TERMINAL if name in environ},
                age_file=age_keys(environ) if flags.sops else None,
                age_identities=tuple(flags.age_identity),
            ),
            cluster=ClusterSettings(
                kubeconfig=flags.kubeconfig or find_kubeconfig(environ),
                context=flags.context,
                namespace=flags.namespace,
                adopt_existing=flags.adopt_existing,
                confirmations=frozenset(flags.confirm),
                excluded_resources=tuple(parts(flags.k8s_unsafe_exclude_resource)),
                default_namespace=flags.k8s_default_namespace or None,
                daemon=daemon_of(flags, flagged.targets[0].source) if flagged else None,
            ),
            sync=SyncSettings.load(flags),
            listen=ListenSettings.load(flags),
            git_poll_interval_seconds=seconds("--git-poll-interval", flags.git_poll_interval),
            regenerate_interval_seconds=seconds("--regenerate-interval", flags.regenerate_interval),
            record=RecordSettings.load(flags, cache),
            replicas=timing_of(flags),
            accepted_rewinds=rewinds_of(flags.accept_store_rewind),
            anchors=anchors,
            cluster_name=flags.cluster_name,
            generator_bounds=bounds_of(flags),
            worker_bounds=worker_bounds_of(flags),
            unsafe_no_sandbox=flags.unsafe_no_sandbox,
            tool_path=environ.get("PATH", os.defpath),
            proxy_env={
                name: environ[name]
                for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy")
                if name in environ
            },
            cluster_env=dict(environ),
        )


def _flagged(flags: Flags, stores: frozenset[StoreName], environ: Mapping[str, str]) -> App | None:
    """Give the App of Flux v1's flags; None where the others are enough."""
    if not flags.git_url and (flags.config or flags.custom_resources):
        return None
    return App(
        AppName(flags.namespace, FLAGGED),
        tuple(targets_of(flags, stores, environ)),
        sync_seconds=seconds("--sync-interval", flags.sync_interval),
    )


def _added(written: Documents, stores: Mapping[StoreName, GitUrl]) -> Mapping[StoreName, GitUrl]:
    """Give the stores of the file; raise `ConfigurationError` where a flag has named one, too."""
    added = {store.name: store.url for store in written.stores.values()}
    if twice := stores.keys() & added.keys():
        raise ConfigurationError(
            f"store {min(twice)} is named by --store and by the settings file",
            remedy="name it in one of them",
        )
    return added


def _mounted_key(flags: Flags) -> Path | None:
    """Give the deploy key where Flux v1's Deployment, and the walkthrough's, mounts it."""
    key = Path(flags.k8s_secret_volume_mount_path) / flags.k8s_secret_data_key
    return key if key.is_file() else None
