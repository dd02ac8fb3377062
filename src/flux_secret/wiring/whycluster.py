"""Settings without a repository → the same with the Apps and StoreSecrets of the cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from flux_secret.errors import FluxSecretError, UnknownKindError
from flux_secret.model.app import App
from flux_secret.model.appspec import parse_app
from flux_secret.model.report import AppReport
from flux_secret.model.store import Store, parse_store
from flux_secret.model.storesecret import parse_store_secret
from flux_secret.outside.kubernetes import Client, NotFoundError
from flux_secret.outside.kubernetes.body import text
from flux_secret.reconcile.asked.reports import report_of
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.resources.kinds import Tree
from flux_secret.settings import Settings
from flux_secret.wiring.access import cluster_client
from flux_secret.wiring.agent import placed


@dataclass(frozen=True, slots=True)
class Followed:
    """What an agent of the cluster follows, and what it says of it."""

    settings: Settings
    reports: Mapping[str, AppReport]
    """By the names of their targets."""
    refused: Mapping[str, FluxSecretError]
    """Apps that cannot be used, and why: `NAMESPACE/NAME`."""


async def followed(settings: Settings) -> Followed:
    """Read them with the rights at hand; raise what the API server refuses.

    Everything is done in a person's own name later, not in that of an App's service account.
    """
    async with contextlib.AsyncExitStack() as resources:
        client = await cluster_client(settings, resources)
        stores, namespace = await _stores(client, settings.cluster.namespace)
        cluster = replace(settings.cluster, namespace=namespace)
        settings = replace(settings, cluster=cluster)
        apps: list[App] = []
        reports: dict[str, AppReport] = {}
        refused: dict[str, FluxSecretError] = {}
        for kind in (kinds.APPS, kinds.SECRETS):
            for tree in await client.list(kind, "", ""):
                name = str(kinds.name_of(tree))
                try:
                    app = _app(tree, stores, settings.cluster.namespace, of=kind is kinds.APPS)
                except FluxSecretError as failure:
                    refused[name] = failure
                    continue
                own = placed(app, client.namespace)
                apps.append(
                    replace(
                        own, targets=tuple(replace(one, service_account="") for one in own.targets)
                    )
                )
                reports |= {target.name: report_of(tree) for target in app.targets}
    addresses = {store.name: store.url for store in stores.values()}
    return Followed(replace(settings, apps=tuple(apps), stores=addresses), reports, refused)


def _app(tree: Tree, stores: Mapping[str, Store], namespace: str, *, of: bool) -> App:
    name, spec = kinds.name_of(tree), tree.get("spec")
    if of:
        return parse_app(name, spec).app(stores, namespace)
    return parse_store_secret(name, spec).app(kinds.secret_name(name.namespace, name.name), stores)


async def _stores(client: Client, namespace: str) -> tuple[Mapping[str, Store], str]:
    """Give the Stores and the namespace that they lie in: the given one, else where there are any.

    A person may name the namespace of their App, as for other commands.
    """
    try:
        listed = await client.list(kinds.STORES, namespace, "")
        if not listed:
            everywhere = await client.list(kinds.STORES, "", "")
            spaces = sorted({text(tree, "metadata", "namespace") for tree in everywhere})
            namespace = spaces[0] if spaces else namespace
            listed = [one for one in everywhere if text(one, "metadata", "namespace") == namespace]
    except NotFoundError:
        raise UnknownKindError(
            "no application is named, and this cluster knows no Apps",
            remedy="give the flags that the agent has: --git-url, --git-path, --store; or "
            "--config FILE",
        ) from None
    stores: dict[str, Store] = {}
    for tree in listed:
        name = text(tree, "metadata", "name")
        with contextlib.suppress(FluxSecretError):
            stores[name] = parse_store(name, tree.get("spec"), f"Store {name}")
    return stores, namespace
