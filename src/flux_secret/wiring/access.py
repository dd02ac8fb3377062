"""Settings → the way to git hosts and to the cluster; nothing is asked of them yet."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from flux_secret.outside import kubernetes
from flux_secret.outside.deadline import Deadline
from flux_secret.outside.git import GitAccess
from flux_secret.settings import ClusterSettings, Settings


def git_access(settings: Settings) -> GitAccess:
    """Give what git is told of keys, hosts and limits."""
    git = settings.git
    return GitAccess(
        ssh_key=git.ssh_key,
        ssh_keys=git.ssh_keys,
        known_hosts=git.known_hosts,
        credentials_file=git.credentials_file,
        ca_file=git.ca_file,
        ssh_auth_sock=git.ssh_auth_sock,
        timeout_seconds=git.timeout_seconds,
        path=settings.tool_path,
        proxies=settings.proxy_env,
    )


def connection_of(cluster: ClusterSettings, environ: Mapping[str, str]) -> kubernetes.Connection:
    """Read how the kubeconfig's cluster, or the pod's own, is reached."""
    if cluster.kubeconfig:
        return kubernetes.load(cluster.kubeconfig, cluster.context, environ=environ)
    return kubernetes.in_cluster(environ)


async def cluster_client(
    settings: Settings, resources: contextlib.AsyncExitStack, held: Deadline | None = None
) -> kubernetes.Client:
    """Give a client of that cluster, which writes nothing after what is `held` has run out."""
    limits = kubernetes.Limits(seconds_left=held.seconds_left) if held else None
    connection = connection_of(settings.cluster, settings.cluster_env)
    return await resources.enter_async_context(kubernetes.connect(connection, limits))
