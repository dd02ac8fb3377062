"""What the cluster and some documents say of Apps → the rights to print; nothing is written.

1. Apps, StoreSecrets and Stores of the cluster, and the Apps of a settings file, say how each
   delivers: its account, whether it removes. A StoreSecret says which Secret it makes, too.
2. Inventories say what was delivered so far, also by flags.
3. Documents say what is to be delivered for the first time.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from flux_secret.apply.installer import TARGET as INSTALLATION
from flux_secret.apply.inventory import TargetId
from flux_secret.apply.ledger import Ledger
from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.generate.manifests import parse
from flux_secret.install.rights import Delivered, Placed, rights
from flux_secret.model.app import App, AppName, Removal
from flux_secret.model.appspec import parse_app
from flux_secret.model.names import ObjectKey
from flux_secret.model.store import Store, parse_store
from flux_secret.model.storesecret import parse_store_secret
from flux_secret.outside.kubernetes import Client, Kinds
from flux_secret.outside.kubernetes.body import text
from flux_secret.reconcile.resources.kinds import APPS, STORES, name_of, secret_name
from flux_secret.reconcile.resources.kinds import SECRETS as STORE_SECRETS
from flux_secret.settings.documents import load_documents
from flux_secret.settings.rights import RightsSettings
from flux_secret.wiring.installing import client_of

MAX_DOCUMENTS: Final = 16 * 1024 * 1024  # bytes of one file


async def needed(settings: RightsSettings) -> Sequence[dict[str, Any]]:
    """Give the Roles and bindings; raise `ConfigurationError` for a kind that is not served."""
    namespace = settings.cluster.namespace
    async with contextlib.AsyncExitStack() as resources:
        client = await client_of(settings.cluster, settings.cluster_env, resources)
        kinds = await client.kinds()
        follows = kinds.any_version(APPS.group, APPS.kind) is not None
        apps = await _apps(client, namespace) if follows else []
        made = await _store_secrets(client, namespace) if follows else []
        if settings.config is not None:
            apps += load_documents(settings.config, namespace).apps
        ledger = Ledger(client, namespace)
        await ledger.open()
        listed = {
            one.target: _placed(one.entries, kinds)
            for one in ledger.inventories()
            if one.target != TargetId.of(INSTALLATION)
        }
    for app, secret in made:
        target = TargetId.of(app.targets[0])
        listed[target] = listed.get(target, frozenset()) | {secret}
    apps += [app for app, _ in made]
    found = [*_by_apps(apps, listed)]
    by_app = {TargetId.of(target) for app in apps for target in app.targets}
    by_flags = [objects for target, objects in listed.items() if target not in by_app]
    by_flags.append(_placed(_documents(settings), kinds, settings.default_namespace))
    found += [Delivered(objects, deletes=settings.deletes) for objects in by_flags if objects]
    return rights(namespace, found, custom_resources=follows)


async def _apps(client: Client, namespace: str) -> list[App]:
    """Read those that can be used; the status of the others says what is wrong."""
    stores = await _stores(client, namespace)
    apps: list[App] = []
    for tree in await client.list(APPS, "", ""):
        app = AppName(text(tree, "metadata", "namespace"), text(tree, "metadata", "name"))
        with contextlib.suppress(FluxSecretError):
            apps.append(parse_app(app, tree.get("spec")).app(stores, namespace))
    return apps


async def _stores(client: Client, namespace: str) -> Mapping[str, Store]:
    stores: dict[str, Store] = {}
    for tree in await client.list(STORES, namespace, ""):
        name = text(tree, "metadata", "name")
        with contextlib.suppress(FluxSecretError):
            stores[name] = parse_store(name, tree.get("spec"), f"Store {name}")
    return stores


async def _store_secrets(client: Client, namespace: str) -> list[tuple[App, Placed]]:
    """Read them, each with the Secret that it makes."""
    stores, made = await _stores(client, namespace), list[tuple[App, Placed]]()
    for tree in await client.list(STORE_SECRETS, "", ""):
        own = name_of(tree)
        with contextlib.suppress(FluxSecretError):
            spec = parse_store_secret(own, tree.get("spec"))
            app = spec.app(secret_name(own.namespace, own.name), stores)
            made.append((app, Placed("", "secrets", own.namespace, spec.secret)))
    return made


def _by_apps(
    apps: Iterable[App], listed: Mapping[TargetId, frozenset[Placed]]
) -> Iterator[Delivered]:
    for app in apps:
        for target in app.targets:
            where, _, account = target.service_account.partition(":")
            yield Delivered(
                listed.get(TargetId.of(target), frozenset()),
                deletes=target.prune or app.removal is Removal.PRUNE,
                restart=target.restart,
                account=(where, account) if account else None,
            )


def _placed(keys: Collection[ObjectKey], kinds: Kinds, default: str = "") -> frozenset[Placed]:
    return frozenset(_place(key, kinds, default) for key in keys)


def _place(key: ObjectKey, kinds: Kinds, default: str) -> Placed:
    kind = kinds.any_version(key.group, key.kind)
    if kind is None:
        raise ConfigurationError(
            f"{key.long} is of a kind that the cluster does not serve",
            remedy="install its CustomResourceDefinition first, or leave the document out",
        )
    namespace = (key.namespace or default) if kind.namespaced else ""
    if kind.namespaced and not namespace:
        raise ConfigurationError(
            f"{key} names no namespace",
            remedy="say where it goes: --k8s-allow-namespace NAMESPACE",
        )
    return Placed(key.group, kind.plural, namespace, key.name)


def _documents(settings: RightsSettings) -> list[ObjectKey]:
    return [one.key for path in settings.manifests for one in parse(_read(path), str(path))]


def _read(path: Path) -> bytes:
    try:
        if str(path) == "-":
            untrusted = sys.stdin.buffer.read(MAX_DOCUMENTS + 1)
        else:
            with path.open("rb") as opened:
                untrusted = opened.read(MAX_DOCUMENTS + 1)
    except OSError as error:
        raise ConfigurationError(
            f"--manifests {path} cannot be read: {error.strerror}", remedy="name a file, or -"
        ) from None
    if len(untrusted) > MAX_DOCUMENTS:
        raise ConfigurationError(
            f"--manifests {path} has more than {MAX_DOCUMENTS} bytes", remedy="give it in parts"
        )
    return untrusted
