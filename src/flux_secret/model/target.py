"""What to deliver: a path of a source, the stores it may read, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.restart import RestartPolicy

APPLICATION_STORE: Final = "APPLICATIONSTORE"
"""The variable that the walkthrough's script reads."""


@dataclass(frozen=True, slots=True)
class Source:
    """An application repository and the branch that is delivered."""

    url: GitUrl
    branch: str


WRITTEN: Final = Source(GitUrl("flux-secret", "file"), "cluster")
"""Of a target whose manifest stands in the cluster; no repository can have that address."""


@dataclass(frozen=True, slots=True)
class GitSecret:
    """How git-secret names what it hides: its own SECRETS_DIR and SECRETS_EXTENSION."""

    folder: str = ".gitsecret"
    ending: str = ".secret"


@dataclass(frozen=True, slots=True)
class Generation:
    """How a target's manifests are made."""

    enabled: bool = True
    """`--manifest-generation`: whether `.flux.yaml` is honoured."""
    env: Mapping[str, str] = field(default_factory=dict)
    """What `--generator-env` names, for the generators' environment."""
    timeout_seconds: float = 60.0
    """Limit of one command without a `timeout` of its own; Flux v1's `--sync-timeout`."""
    network: bool = False
    """`--generator-network`: whether the commands may use the network."""
    sops: bool = False
    """`--sops`: whether files of a plain tree that sops has encrypted are decrypted."""
    git_secret: GitSecret | None = None
    """`--git-secret`: how what git-secret hides is named; None where it stays hidden."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to deliver; one git path (design decision 9: isolated from all others)."""

    source: Source
    path: str
    """Relative to the repository's root, `/`-separated, `""` for the root itself."""
    stores: frozenset[StoreName] = frozenset()
    """Which stores it may read."""
    generation: Generation = field(default_factory=Generation)
    prune: bool = False
    """`--sync-garbage-collection`: whether objects that left the repository are removed."""
    prune_dry: bool = False
    """`--sync-garbage-collection-dry`: only say what would be removed."""
    allowed_namespaces: frozenset[str] = frozenset()
    """`--k8s-allow-namespace`: the only namespaces that are written to; empty for all."""
    default_namespace: str = "default"
    """For namespaced objects that name none: `--k8s-default-namespace`, or the context's."""
    restart: RestartPolicy | None = None
    """How workloads are restarted when a Secret that they use changed; None for not at all."""

    app: str = ""
    """`NAMESPACE/NAME` of the App that it is; empty for a git path of Flux v1's flags."""
    grants: Mapping[StoreName, tuple[str, ...]] | None = None
    """Which paths of each store it may read; None for everything, as under Flux v1."""
    cluster_scoped: bool = True
    """Whether it may write what lies in no namespace; a Namespace counts as what lies in it."""
    service_account: str = ""
    """`NAMESPACE:NAME` of the account in whose name everything is done; empty for the agent's."""

    def without_login(self) -> Target:
        """Give it without user and password of its repository, for who fetches nothing."""
        url = replace(self.source.url, login=None)
        return replace(self, source=replace(self.source, url=url))

    inline: str = ""
    """Its manifest, where that stands in the cluster and not in a repository; no value is in it."""

    @property
    def name(self) -> str:
        """How people see it: its App, else its path, or `/` for the repository's root."""
        return self.app or self.path or "/"

    def is_same_as(self, other: Target) -> bool:
        """Whether both are one thing to deliver, perhaps in another way."""
        return (self.source, self.path, self.app) == (other.source, other.path, other.app)
