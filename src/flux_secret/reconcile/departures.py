"""An App that left the settings file: its objects stay until a person lets them go.

A file that lost a document by mistake must not take an application with it, and nobody sees the
difference. So what is listed for an App that nobody configures is held, as a git path is that was
taken out of the flags (design decision 13): `flux-secret sync --confirm TOKEN` removes it. An App
that said `deletionPolicy: Orphan` while it was there is forgotten, and its objects stay.

Only the leader looks: at the start, when the file changes, now and then, and at each sync.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from flux_secret.api.interface import SyncOutcome, TargetOutcome
from flux_secret.errors import FluxSecretError, HeldError
from flux_secret.model.app import App, Removal
from flux_secret.model.change import ChangeSet
from flux_secret.reconcile.standing import said
from flux_secret.reconcile.undertaking import removing

LOOK_SECONDS: Final = 300.0
"""Between two looks; shorter while another replica leads, or not every App is known."""
AGAIN_SECONDS: Final = 10.0
_log = structlog.get_logger(component="sync-loop")


class Departing(Protocol):
    """What has the lists."""

    async def departed(self, known: Collection[str]) -> Sequence[tuple[str, HeldError]]:
        """Give each App, `NAMESPACE/NAME`, that has a list and is not known, and why it is held."""

    async def retire(self, app: str, *, prune: bool, account: str = "") -> ChangeSet:
        """Remove what it owns, or forget it; raise while something stays."""


@dataclass(slots=True)
class Left:
    """The Apps that left the file while this agent runs: what they said at the end."""

    apps: dict[str, App] = field(default_factory=dict)

    def note(self, before: Collection[App], now: Collection[App]) -> Sequence[App]:
        """Note what has left, and what has come back; give what has left."""
        names = {app.name for app in now}
        gone = [app for app in before if app.name not in names]
        for app in now:
            self.apps.pop(str(app.name), None)
        self.apps |= {str(app.name): app for app in gone}
        return gone


class Departures:
    """Looks after them while one connection lasts."""

    def __init__(
        self,
        lists: Departing,
        known: Callable[[], Awaitable[Collection[str] | None]],
        leads: Callable[[], bool],
        left: Left,
    ) -> None:
        """`known` gives every App that somebody configures; None when nobody knows now."""
        self._lists = lists
        self._known = known
        self._leads = leads
        self._left = left
        self._told: set[str] = set()

    async def run(self) -> None:
        """Look again and again, until it is cancelled."""
        while True:
            looked = await self._look(frozenset())
            await asyncio.sleep(AGAIN_SECONDS if looked is None else LOOK_SECONDS)

    async def confirmed(self, tokens: Collection[str]) -> Sequence[SyncOutcome]:
        """Remove what these tokens let go; say what is held all the same."""
        return await self._look(tokens) or ()

    async def _look(self, tokens: Collection[str]) -> Sequence[SyncOutcome] | None:
        if not self._leads():
            return None
        try:
            known = await self._known()
            if known is None:
                return None
            held = await self._lists.departed(known)
        except FluxSecretError as failure:
            _log.warning("departed.not_read", err=failure.what, remedy=failure.remedy)
            return None
        return [await self._settle(app, error, error.token in tokens) for app, error in held]

    async def _settle(self, app: str, held: HeldError, confirmed: bool) -> SyncOutcome:  # noqa: FBT001
        before = self._left.apps.get(app)
        orphans = before is not None and before.removal is Removal.ORPHAN
        if not confirmed and not orphans:
            if held.token not in self._told:
                self._told.add(held.token)
                _log.warning("app.held", app=app, err=held.what, remedy=held.remedy)
            return _failed(app, held)
        account = before.targets[0].service_account if before is not None else ""
        try:
            removal = self._lists.retire(app, prune=not orphans, account=account)
            changes = await removing(app, removal)
        except FluxSecretError as failure:
            _log.warning("app.not_removed", app=app, err=failure.what, remedy=failure.remedy)
            return _failed(app, failure)
        _log.info("app.removed", app=app, objects=len(changes), orphaned=orphans)
        done = TargetOutcome(f"App {app}", "", changes=[*map(str, changes)], removed=True)
        return SyncOutcome(0, "", [done])


def _failed(app: str, failure: FluxSecretError) -> SyncOutcome:
    target = TargetOutcome(f"App {app}", "", error=said(failure))
    return SyncOutcome(failure.exit_code, "", [target], error=said(failure))
