"""Stores, Apps and StoreSecrets in the cluster → what is scheduled; nothing else is remembered.

Nothing is scheduled before all Stores were listed: what an App may read follows from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from flux_secret.errors import FluxSecretError, UnknownKindError
from flux_secret.model.app import App, AppName
from flux_secret.model.appspec import parse_app
from flux_secret.model.status import AppStatus
from flux_secret.model.store import Store
from flux_secret.model.storesecret import parse_store_secret
from flux_secret.outside.kubernetes import ServedKind, Told, Troubled
from flux_secret.reconcile.chores import Chores
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.resources.deliverables import Deliverables, Kind
from flux_secret.reconcile.resources.interface import Surroundings
from flux_secret.reconcile.resources.kinds import Tree
from flux_secret.reconcile.resources.mounted import MountedStores
from flux_secret.reconcile.resources.teller import Teller
from flux_secret.reconcile.round import Round

_log = structlog.get_logger(component="resources")


def _app(name: AppName, spec: object, stores: Mapping[str, Store], namespace: str) -> App:
    return parse_app(name, spec).app(stores, namespace)


def _secret(name: AppName, spec: object, stores: Mapping[str, Store], _namespace: str) -> App:
    own = AppName(name.namespace, kinds.short(name))
    return parse_store_secret(own, spec).app(name, stores)


APPS: Final = Kind(kinds.APPS, AppName, _app)
SECRETS: Final = Kind(kinds.SECRETS, kinds.secret_name, _secret)


class Controller:
    """Follows custom resources until it is cancelled."""

    def __init__(self, around: Surroundings, chores: Chores) -> None:
        self._around = around
        self._chores = chores
        teller = Teller(around.client, chores)
        self._stores = MountedStores(around, teller, self.settle)
        self._delivered = [Deliverables(kind, around, chores, teller) for kind in (APPS, SECRETS)]
        for one in self._delivered:
            one.usable = self._usable
        self.troubles: dict[str, FluxSecretError] = {}
        """Why changes of a kind are not seen now."""
        around.board.complete = False
        around.board.changed = self._stands
        around.board.polled = self._stores.polled
        around.board.uid_of = self._uid
        around.board.rested = self.settle

    async def run(self) -> None:
        """Follow all kinds, until it is cancelled."""
        client, (apps, secrets) = self._around.client, self._delivered
        stores = client.reflector(kinds.STORES, self._around.namespace)
        await asyncio.gather(
            stores.run(self._hearing(kinds.STORES, self._stores.hear)),
            client.reflector(kinds.APPS).run(self._hearing(kinds.APPS, apps.hear)),
            client.reflector(kinds.SECRETS).run(self._hearing(kinds.SECRETS, secrets.hear)),
            self._chores.failed(),
        )

    def settle(self) -> None:
        """Look at everything anew: what was another replica's may be ours now."""
        for one in self._delivered:
            one.settle()
        self._see_whether_complete()

    def _hearing(
        self, kind: ServedKind, hear: Callable[[Told[Tree]], None]
    ) -> Callable[[Told[Tree]], None]:
        def heard(told: Told[Tree]) -> None:
            if isinstance(told, Troubled):
                self.troubles[kind.kind] = told.error
                _log.warning(
                    "resources.unseen", kind=kind.kind, err=told.error.what,
                    remedy=told.error.remedy, again_seconds=round(told.again_seconds, 1),
                )  # fmt: skip
                if kind == kinds.SECRETS and isinstance(told.error, UnknownKindError):
                    self._delivered[-1].listed = True  # a cluster may do without them
                    self._see_whether_complete()
                return
            self.troubles.pop(kind.kind, None)
            hear(told)
            self._see_whether_complete()

        return heard

    def _usable(self) -> Mapping[str, Store] | None:
        return self._stores.usable if self._stores.listed else None

    def _see_whether_complete(self) -> None:
        if self._stores.listed and all(one.listed for one in self._delivered):
            self._around.board.complete = True

    def _uid(self, name: AppName) -> str:
        return next((uid for one in self._delivered if (uid := one.uid(name))), "")

    def _stands(self, status: AppStatus, _done: Round | None) -> None:
        any(one.stands(status) for one in self._delivered)
