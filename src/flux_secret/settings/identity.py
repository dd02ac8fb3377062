"""Flags of `flux-secret identity` → where the agent's keys, or their public halves, are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flux_secret.errors import UsageError
from flux_secret.settings.environment import find_kubeconfig, whole_environment
from flux_secret.settings.groups import ClusterSettings
from flux_secret.settings.keyfolder import KeyFolder, key_folder
from flux_secret.settings.person import PersonSettings


@dataclass(frozen=True, slots=True)
class IdentityFlags:
    """What a person typed; None where nothing was given."""

    from_: str | None = None
    cluster_name: str | None = None
    store_dir: Path | None = None
    git_ssh_key: Path | None = None
    git_gpg_key_import: Path | None = None
    namespace: str = "flux"
    kubeconfig: Path | None = None
    context: str | None = None


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """Where to look: a store, files, or, where neither is named, the cluster."""

    keys: KeyFolder | None
    ssh_key: Path | None
    gpg_key: Path | None
    person: PersonSettings
    cluster: ClusterSettings
    cluster_env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The whole environment, for `exec` plugins of a kubeconfig."""

    @property
    def is_of_cluster(self) -> bool:
        """Whether the cluster is asked, which needs no private key."""
        return self.keys is None and self.ssh_key is None and self.gpg_key is None

    @classmethod
    def load(
        cls, flags: IdentityFlags, environ: Mapping[str, str] | None = None
    ) -> IdentitySettings:
        """Read flags and environment; raise `UsageError`."""
        environ = whole_environment(environ)
        keys = key_folder(flags.from_, flags.cluster_name, flags.store_dir)
        if keys is not None and (flags.git_ssh_key or flags.git_gpg_key_import):
            raise UsageError(
                "--from and files name the same keys twice",
                remedy="give --from, or --git-ssh-key and --git-gpg-key-import",
            )
        named = keys or flags.git_ssh_key or flags.git_gpg_key_import
        return cls(
            keys=keys,
            ssh_key=flags.git_ssh_key,
            gpg_key=flags.git_gpg_key_import,
            person=PersonSettings.load(environ),
            cluster=ClusterSettings(
                kubeconfig=flags.kubeconfig or (None if named else find_kubeconfig(environ)),
                context=flags.context,
                namespace=flags.namespace,
                adopt_existing=False,
                confirmations=frozenset(),
            ),
            cluster_env=dict(environ),
        )
