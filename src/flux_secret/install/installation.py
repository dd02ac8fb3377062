"""What is installed, in words: everything that a person decides about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.store import Anchor
from flux_secret.model.target import Source


@dataclass(frozen=True, slots=True)
class Installation:
    """One agent in one cluster."""

    image: str
    source: Source | None
    """Where the application's manifests are; None: custom resources say it."""
    paths: tuple[str, ...] = ()
    """Which folders of it; empty for its root."""
    stores: Mapping[StoreName, GitUrl] = field(default_factory=dict)
    namespace: str = "flux"
    git_user: str | None = None
    git_email: str | None = None
    git_readonly: bool = False
    """Whether the deploy key may not push."""
    garbage_collection: bool = False
    applications: tuple[str, ...] = ()
    """Namespaces that applications go to; empty: every one."""
    custom_resources: bool = False
    """Whether the agent follows Apps, Stores and StoreSecrets."""
    rights_apart: bool = False
    """Whether what applications need is granted by `--print-rbac`, and nothing of it here."""
    record_storage: str = ""
    """How large the volume of the record is; empty: no record is kept on one."""
    record_git_url: GitUrl | None = None
    """Where the record is pushed to; None: nowhere."""
    record_keep: str = ""
    """How much of the record each replica keeps; empty: all."""
    anchors: Mapping[StoreName, Anchor] = field(default_factory=dict)
    """Whose word counts about the stores' owners to begin with."""
    cluster_name: str = ""
    """How owners' rules name the cluster; empty: only rules for all clusters count."""
    known_hosts: str | None = None
    """None: those that everybody gets."""
