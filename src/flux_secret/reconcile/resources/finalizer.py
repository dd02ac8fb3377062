"""An App's first and last moment: our finalizer, and what becomes of its objects.

While the definition of Apps itself is being deleted nothing is removed: that would be everything at
once, and nobody who deletes a definition means it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Collection
from typing import Protocol

import structlog

from flux_secret.model.app import AppName
from flux_secret.outside.kubernetes import (
    Client,
    ConflictError,
    LiveObject,
    NotFoundError,
    ServedKind,
)
from flux_secret.outside.kubernetes.body import text
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.resources.kinds import Tree

_log = structlog.get_logger(component="resources")


class Retire(Protocol):
    """Removes an App's objects, or forgets them."""

    def __call__(self, name: AppName, account: str, *, prune: bool) -> Awaitable[None]:
        """Do it in the name of a service account, `NAMESPACE:NAME`, or our own for none.

        Raises `FluxSecretError` while some objects stay.
        """


class Finalizer:
    """Puts it on, and takes it off."""

    def __init__(self, client: Client, kind: ServedKind, retire: Retire) -> None:
        self._client = client
        self._kind = kind
        self._retire = retire

    async def claim(self, tree: Tree) -> None:
        """Put it on; the event of that goes on from there."""
        await self._set(tree, (*kinds.finalizers(tree), kinds.FINALIZER))

    async def release(self, name: AppName, tree: Tree, *, prune: bool) -> None:
        """Take back what was delivered, and let the App go.

        Raises what `retire` raises: then it stays on.
        """
        if await self._is_definition_leaving():
            _log.warning("app.released", app=str(name), reason="its definition is being deleted: "
                         "what it delivered stays, and is listed still")  # fmt: skip
        else:
            account = text(tree, "spec", "serviceAccountName")
            await self._retire(name, account and f"{name.namespace}:{account}", prune=prune)
        await self._set(tree, [one for one in kinds.finalizers(tree) if one != kinds.FINALIZER])

    async def _is_definition_leaving(self) -> bool:
        name = f"{self._kind.plural}.{kinds.GROUP}"
        live = await self._client.metadata(kinds.DEFINITIONS, "", name)
        return live is None or live.is_going

    async def _set(self, tree: Tree, wanted: Collection[str]) -> None:
        # gone already, or changed meanwhile: its next event begins anew
        with contextlib.suppress(NotFoundError, ConflictError):
            await self._client.set_finalizers(self._kind, LiveObject.parse(tree), list(wanted))
