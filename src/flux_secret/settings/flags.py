"""What a person typed, with Flux v1's names and defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flux_secret.model.restart import BUDGET


@dataclass(frozen=True, slots=True)
class Flags:
    """What a person typed; None or empty where nothing was given."""

    git_url: str | None = None
    config: Path | None = None
    custom_resources: bool = False
    git_branch: str = "master"
    git_path: Sequence[str] = ()
    git_timeout: str = "20s"
    git_ssh_key: Path | None = None
    git_ssh_key_for: Sequence[str] = ()
    k8s_secret_volume_mount_path: str = "/etc/fluxd/ssh"  # noqa: S105 -- a folder
    k8s_secret_data_key: str = "identity"  # noqa: S105 -- a name
    git_known_hosts: Path | None = None
    git_credentials_file: Path | None = None
    git_ca_file: Path | None = None
    git_gpg_key_import: Sequence[Path] = ()
    git_gpg_passphrase_file: Path | None = None
    age_identity: Sequence[Path] = ()
    git_verify_signatures: bool = False
    git_verify_signatures_mode: str = "none"
    git_sync_tag: str = "flux-sync"
    git_label: str | None = None
    git_readonly: bool = False
    git_user: str = "Weave Flux"
    git_email: str = "support@weave.works"
    git_signing_key: str | None = None
    sync_state: str = "git"
    k8s_secret_name: str = "flux-git-deploy"  # noqa: S105 -- a name
    allow_stale: bool = False
    unattended: bool = False
    """Set by the agent, not typed: it moves the sync marker, and goes on in an outage."""
    store: Sequence[str] = ()
    stores_from: Path | None = None
    accept_store_rewind: Sequence[str] = ()
    store_anchor: Sequence[str] = ()
    store_owner_keys: Sequence[str] = ()
    cluster_name: str = ""
    manifest_generation: bool = False
    generator_env: Sequence[str] = ()
    generator_network: Sequence[str] = ()
    generator_memory: str = "1Gi"
    generator_processes: int = 256
    generator_output: str = "16Mi"
    generator_tmp: str = "64Mi"
    unsafe_no_sandbox: bool = False
    sops: bool = False
    git_secret: bool = False
    sync_timeout: str = "1m"
    sync_interval: str = "5m"
    git_poll_interval: str = "5m"
    regenerate_interval: str = "1h"
    delivery_timeout: str = "15m"
    delivery_memory: str = "1Gi"
    sync_garbage_collection: bool = False
    sync_garbage_collection_dry: bool = False
    adopt_existing: bool = False
    confirm: Sequence[str] = ()
    k8s_allow_namespace: Sequence[str] = ()
    k8s_namespace_whitelist: Sequence[str] = ()
    k8s_unsafe_exclude_resource: Sequence[str] = (
        "*metrics.k8s.io/*", "webhook.certmanager.k8s.io/*", "v1/Event",
    )  # fmt: skip
    k8s_default_namespace: str | None = None
    namespace: str = "flux"
    kubeconfig: Path | None = None
    context: str | None = None
    concurrent: int | None = None
    restart_workloads: str = "none"
    restart_budget: int = BUDGET
    restart_freeze: Sequence[str] = ()
    leader_elect: bool = False
    leader_election_id: str = "flux-secret"
    lease_duration: str = "35s"
    renew_deadline: str = "30s"
    retry_period: str = "5s"
    listen: str = ""
    listen_metrics: str = ""
    listen_token_file: Path | None = None
    listen_webhook: str = ""
    webhook_secret_file: Path | None = None
    listen_health: str = ""
    unhealthy_after: str = "15m"
    record_dir: Path | None = None
    record_name: str = "agent"
    record_keep: str = "0"
    record_signing_key: str | None = None
    record_git_url: str | None = None
    record_git_branch: str = "flux-secret/record"
    record_git_interval: str = "1m"
    record_pseudonyms: Path | None = None
    cache_dir: Path | None = None
