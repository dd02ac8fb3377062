"""Flags of `flux-secret install --print-rbac` → where to look at what is delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flux_secret.errors import UsageError
from flux_secret.settings.environment import find_kubeconfig, whole_environment
from flux_secret.settings.groups import ClusterSettings
from flux_secret.settings.install import InstallFlags, applications_of


@dataclass(frozen=True, slots=True)
class RightsSettings:
    """Everything that one `--print-rbac` does."""

    cluster: ClusterSettings
    manifests: tuple[Path, ...] = ()
    """Documents that are to be delivered; `-` is standard input."""
    default_namespace: str = ""
    """Of documents that name none; empty: such are refused."""
    deletes: bool = False
    """Whether what is delivered by flags is removed when it left the repository."""
    config: Path | None = None
    """A settings file, whose Apps count, too."""
    cluster_env: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def load(
        cls,
        flags: InstallFlags,
        manifests: tuple[Path, ...] = (),
        config: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> RightsSettings:
        """Read flags and environment; raise `UsageError`."""
        environ = whole_environment(environ)
        names = applications_of(flags)
        if len(names) > 1:
            raise UsageError(
                "--print-rbac takes one --k8s-allow-namespace: that of documents which name none",
                remedy="run it once for each",
            )
        return cls(
            cluster=ClusterSettings(
                kubeconfig=flags.kubeconfig or find_kubeconfig(environ),
                context=flags.context,
                namespace=flags.namespace,
                adopt_existing=False,
                confirmations=frozenset(),
            ),
            manifests=manifests,
            config=config,
            default_namespace=names[0] if names else "",
            deletes=flags.sync_garbage_collection,
            cluster_env=dict(environ),
        )
