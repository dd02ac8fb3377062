"""Settings → the way to git hosts and to the cluster; nothing is asked of them yet."""

from __future__ import annotations

import contextlib

from flux_secret.outside import kubernetes
from flux_secret.outside.git import GitAccess
from flux_secret.settings import Settings


def git_access(settings: Settings) -> GitAccess:
    """Give what git is told of keys, hosts and limits."""
    git = settings.git
    return GitAccess(
        ssh_key=git.ssh_key,
        known_hosts=git.known_hosts,
        credentials_file=git.credentials_file,
        ca_file=git.ca_file,
        ssh_auth_sock=git.ssh_auth_sock,
        timeout_seconds=git.timeout_seconds,
        path=settings.tool_path,
        proxies=settings.proxy_env,
    )


async def cluster_client(
    settings: Settings, resources: contextlib.AsyncExitStack
) -> kubernetes.Client:
    """Give a client of the kubeconfig's cluster, or of the pod's own."""
    cluster, environ = settings.cluster, settings.cluster_env
    connection = (
        kubernetes.load(cluster.kubeconfig, cluster.context, environ=environ)
        if cluster.kubeconfig
        else kubernetes.in_cluster(environ)
    )
    return await resources.enter_async_context(kubernetes.connect(connection))
