"""Flags of a person's `status`, `events`, `logs`, `suspend`, `resume`, `sync` → which cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flux_secret.errors import UsageError
from flux_secret.settings.environment import find_kubeconfig, whole_environment
from flux_secret.settings.groups import ClusterSettings


@dataclass(frozen=True, slots=True)
class AskingSettings:
    """Whom a person asks, and about which namespace."""

    cluster: ClusterSettings
    namespace: str | None
    """`""` for all; None: what the kubeconfig's context says."""
    cluster_env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The whole environment, for `exec` plugins of a kubeconfig."""

    @classmethod
    def load(
        cls,
        kubeconfig: Path | None,
        context: str | None,
        namespace: str | None,
        *,
        everywhere: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> AskingSettings:
        """Read flags and environment; raise `UsageError`."""
        environ = whole_environment(environ)
        if everywhere and namespace:
            raise UsageError("-n names one namespace, and -A all", remedy="give one of them")
        return cls(
            cluster=ClusterSettings(
                kubeconfig=kubeconfig or find_kubeconfig(environ),
                context=context,
                namespace=namespace or "",
                adopt_existing=False,
                confirmations=frozenset(),
            ),
            namespace="" if everywhere else namespace or None,
            cluster_env=dict(environ),
        )
