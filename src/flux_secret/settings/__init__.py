"""Flags and environment → settings; the only reader of the environment.

Flags win over the environment (`FLUX_SECRET_GIT_URL` for `--git-url`), the environment over the
defaults. Names and defaults are Flux v1's where it has them (facts: `docs/commands/agent.md`).
"""

from flux_secret.settings.environment import (
    cache_directory,
    current_kubeconfig,
    from_environment,
    tool_environment,
)
from flux_secret.settings.flags import Flags
from flux_secret.settings.groups import ClusterSettings, GitSettings, KeySettings
from flux_secret.settings.identity import IdentityFlags, IdentitySettings
from flux_secret.settings.install import InstallFlags, InstallSettings
from flux_secret.settings.settings import Settings
from flux_secret.settings.sync import SyncSettings, SyncState

__all__ = [
    "ClusterSettings",
    "Flags",
    "GitSettings",
    "IdentityFlags",
    "IdentitySettings",
    "InstallFlags",
    "InstallSettings",
    "KeySettings",
    "Settings",
    "SyncSettings",
    "SyncState",
    "cache_directory",
    "current_kubeconfig",
    "from_environment",
    "tool_environment",
]
