"""Settings → one replica among others, or the only one."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from flux_secret.apply.restart.restarter import Restarter
from flux_secret.model.app import AppName
from flux_secret.outside import kubernetes
from flux_secret.outside.kubernetes import Limits
from flux_secret.outside.kubernetes.lease import Leases
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.membership import Membership
from flux_secret.reconcile.relay import Relay
from flux_secret.reconcile.replicas import Replicas, Solo, identity_of
from flux_secret.settings import Settings
from flux_secret.wiring.access import connection_of


@asynccontextmanager
async def sharing(settings: Settings) -> AsyncIterator[Replicas]:
    """Take part while the block runs; stop what delivers before it ends.

    Leases have a client of their own, whose requests are short and are not bound by the deadline
    that they move.
    """
    timing = settings.replicas
    if timing is None:
        yield Solo()
        return
    limits = Limits(total_seconds=timing.retry_seconds, tries=1)
    connection = connection_of(settings.cluster, settings.cluster_env)
    async with kubernetes.connect(connection, limits) as client:
        leases = Leases(client, settings.cluster.namespace, timing.group)
        # in a pod the host's name is the pod's
        async with Membership(leases, identity_of(socket.gethostname()), timing) as member:
            yield member


@asynccontextmanager
async def restarting(
    restarter: Restarter | None, board: Board, replicas: Replicas
) -> AsyncIterator[None]:
    """Restart workloads of what is delivered here, and let the board show it."""
    if restarter is None:
        yield
        return
    restarter.owns = board.delivers
    restarter.tell(board.rolls)
    ended = replicas.subscribe(restarter.forget)
    try:
        yield
    finally:
        ended()


def deliver_what_is_ours(board: Board, replicas: Replicas) -> None:
    """Deliver at once what was another replica's until now."""
    ours: set[AppName] = set()

    def changed() -> None:
        now = {app.name for app in board.scheduler.apps if replicas.owns(str(app.name))}
        moved = now ^ ours  # whoever waits for what is ours no more is told
        ours.clear()
        ours.update(now)
        if moved:
            board.scheduler.wake(moved)

    replicas.subscribe(changed)


def pass_on(board: Board, replicas: Replicas, resources: AsyncExitStack) -> None:
    """Let hints and syncs that reach one replica reach all, until the resources are closed."""
    relay = Relay(replicas, board)
    board.scheduler.is_anothers = lambda name: replicas.is_anothers(str(name))
    board.spread, board.elsewhere = relay.hint, relay.sync
    replicas.listen(relay.hear)
    resources.push_async_callback(relay.close)
    resources.callback(replicas.subscribe(relay.changed))
