"""What an agent listens to beside its API, and whom its stores tell how they are."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from flux_secret.api.health import serve_health
from flux_secret.api.serving import serve_strangers
from flux_secret.api.webhook.receiver import Receiver
from flux_secret.api.webhook.secrets import Secrets, read_secrets
from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.model.finding import Finding, Level
from flux_secret.model.names import StoreName
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.vitals import Vitals
from flux_secret.settings import Settings
from flux_secret.store.interface import Fetched, Mirror, MirrorOf

WEBHOOK: Final = "--listen-webhook"
_log = structlog.get_logger()


async def listen_for_strangers(
    settings: Settings, board: Board, resources: contextlib.AsyncExitStack
) -> None:
    """Serve probes and git hosts where the settings say; raise `ConfigurationError`."""
    listen = settings.listen
    if listen.health is not None:
        address = await serve_health(board.vitals, listen.health, resources)
        _log.info("listening.health", address=str(address))
    if listen.webhook is not None and listen.webhook_secret_file is not None:
        receiver = Receiver(board, Secrets(listen.webhook_secret_file), board.counted)
        resources.callback(receiver.close)
        address = await serve_strangers(receiver.answer, listen.webhook, resources, flag=WEBHOOK)
        _log.info("listening.webhook", address=str(address))


def webhook_findings(settings: Settings) -> Iterator[Finding]:
    """Say whether the agent would start with its file of secrets."""
    file = settings.listen.webhook_secret_file
    if file is not None:
        try:
            yield Finding(Level.OK, "webhook", f"secrets that are valid: {len(read_secrets(file))}")
        except ConfigurationError as failure:
            yield Finding.of("webhook", failure)


class Stores(Protocol):
    """The stores that are mounted."""

    @property
    def stores(self) -> Collection[StoreName]:
        """Their names."""

    def store(self, name: StoreName) -> Mirror:
        """Give one."""


def noting(repositories: Stores, vitals: Vitals | None) -> MirrorOf:
    """Give its stores, with each fetch noted; of stores that are gone nothing is known any more."""
    if vitals is None:
        return repositories.store
    vitals.stores(repositories.stores)
    return lambda name: _Noted(name, repositories.store(name), vitals)


@dataclass(frozen=True, slots=True)
class _Noted:
    """A mirror of a store whose fetches are noted."""

    name: StoreName
    mirror: Mirror
    vitals: Vitals

    @property
    def path(self) -> Path:
        """The bare repository."""
        return self.mirror.path

    async def fetch(self, branch: str | None) -> Fetched:
        """Fetch; a good copy that is here already is as good as the newest."""
        try:
            found = await self.mirror.fetch(branch)
        except FluxSecretError:
            self.vitals.fetched(self.name, here=False)
            raise
        self.vitals.fetched(self.name, here=True)
        return found

    def condemn(self) -> None:
        """Say that it is damaged."""
        self.mirror.condemn()
