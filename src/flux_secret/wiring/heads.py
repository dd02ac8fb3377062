"""Repositories and stores → their newest commits, asked just now."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import structlog

from flux_secret.errors import FluxSecretError
from flux_secret.model.finding import Finding, Level
from flux_secret.model.names import StoreName
from flux_secret.model.target import Source
from flux_secret.outside.git import Mirror

_log = structlog.get_logger(component="sync-loop")


@dataclass(frozen=True, slots=True)
class _Asked:
    """One that is asked."""

    mirror: Mirror
    branch: str | None = None
    """None for a store's default branch."""
    store: StoreName | None = None

    @property
    def about(self) -> str:
        """How people know it."""
        return f"repository {self.mirror.url}" if self.store is None else f"store {self.store}"

    async def head(self) -> str:
        """Ask it, and say so as Flux v1's log does."""
        head = await self.mirror.remote_head(self.branch)
        named = {"branch": self.branch} if self.store is None else {"store": str(self.store)}
        _log.info("refreshed", headline="event", url=str(self.mirror.url), **named, HEAD=head)
        return head

    async def finding(self) -> Finding:
        """Say whether it can be asked, and what it has."""
        try:
            head = await self.mirror.remote_head(self.branch)
        except FluxSecretError as failure:
            return Finding.of(self.about, failure)
        says = f"{self.branch or 'its branch'} is at {head[:12]}"
        return Finding(Level.OK, self.about, says)


class Heads:
    """Asks every repository for its newest commit."""

    def __init__(
        self, sources: Mapping[Source, Mirror], stores: Mapping[StoreName, Mirror]
    ) -> None:
        self._all = [
            *(_Asked(mirror, one.branch) for one, mirror in sources.items()),
            *(_Asked(mirror, store=name) for name, mirror in stores.items()),
        ]

    async def poll(self) -> Hashable:
        """Give all heads; raise when one repository cannot be asked."""
        return tuple(await asyncio.gather(*(one.head() for one in self._all)))

    async def findings(self) -> Mapping[str, Finding]:
        """Say of every repository and store, by how people know it, whether it can be asked."""
        found = await asyncio.gather(*(one.finding() for one in self._all))
        return {one.about: one for one in found}
