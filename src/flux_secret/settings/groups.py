"""Settings by theme: git, keys, cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flux_secret.model.flux_v1 import SyncSet


@dataclass(frozen=True, slots=True)
class GitSettings:
    """How repositories are reached."""

    ssh_key: Path | None
    ssh_keys: Mapping[str, Path]
    """Of single repositories, by `outside.git.key_name`."""
    known_hosts: Path | None
    credentials_file: Path | None
    ca_file: Path | None
    ssh_auth_sock: str | None
    timeout_seconds: float
    cache: Path
    """Bare mirrors: application files and ciphertext, never a value."""


@dataclass(frozen=True, slots=True)
class KeySettings:
    """Which keys decrypt and verify: files, or else a GnuPG home that keeps its keys."""

    files: tuple[Path, ...]
    passphrase_file: Path | None
    gnupg_home: Path | None
    """The environment's GNUPGHOME (or ~/.gnupg); used only when no file holds a private key."""
    terminal: Mapping[str, str] = field(default_factory=dict)
    """What that home's pinentry needs to find a person's terminal or display."""
    age_file: Path | None = None
    """age keys for `--sops`, where sops itself looks for them."""
    age_identities: tuple[Path, ...] = ()
    """What opens stores of age."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Which cluster, and where in it our own objects live."""

    kubeconfig: Path | None
    context: str | None
    namespace: str
    adopt_existing: bool
    confirmations: frozenset[str]
    excluded_resources: tuple[str, ...] = ()
    """Globs on `group/version/Kind`: what is not listed where every kind is."""
    default_namespace: str | None = None
    """For namespaced objects that name none; None: what the kubeconfig's context says."""
    daemon: SyncSet | None = None
    """The daemon of Flux v1 that had the same repository, branch and paths."""
