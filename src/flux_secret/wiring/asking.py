"""A person's settings → the API server that they mean, and what may be asked of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from flux_secret.model.access import Use
from flux_secret.outside.kubernetes import Client
from flux_secret.reconcile.asked.apps import Apps
from flux_secret.settings.asking import AskingSettings
from flux_secret.settings.groups import ClusterSettings
from flux_secret.wiring.clusterfacts import look_at_uses
from flux_secret.wiring.installing import client_of


@asynccontextmanager
async def asking(settings: AskingSettings) -> AsyncIterator[tuple[Client, str]]:
    """Connect; give the client, and the namespace that is asked about (`""`: all)."""
    async with contextlib.AsyncExitStack() as resources:
        client = await client_of(settings.cluster, settings.cluster_env, resources)
        named = settings.namespace
        yield client, client.namespace if named is None else named


@asynccontextmanager
async def apps_of(settings: AskingSettings) -> AsyncIterator[Apps]:
    """Connect, and give what knows the Apps."""
    async with asking(settings) as (client, namespace):
        yield Apps(client, namespace)


async def uses_of(cluster: ClusterSettings, env: Mapping[str, str]) -> tuple[list[Use], list[str]]:
    """Ask a cluster which Apps read which entries; give what could not be seen, too."""
    async with contextlib.AsyncExitStack() as resources:
        facts = await look_at_uses(await client_of(cluster, env, resources))
        return facts.uses, [*facts.unseen, *facts.findings]
