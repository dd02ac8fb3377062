"""Repositories and stores → their newest commits, asked just now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from flux_secret.errors import FluxSecretError
from flux_secret.model.app import Followed
from flux_secret.model.delivery import seen
from flux_secret.model.finding import Finding, Level
from flux_secret.model.names import StoreName
from flux_secret.model.target import Source
from flux_secret.outside.git import Mirror

_log = structlog.get_logger(component="sync-loop")


@dataclass(frozen=True, slots=True)
class Asked:
    """One that is asked."""

    repository: Followed
    mirror: Mirror

    @property
    def branch(self) -> str | None:
        """Give its branch; None for a store's default branch."""
        return self.repository.branch if isinstance(self.repository, Source) else None

    @property
    def about(self) -> str:
        """How people know it."""
        one = self.repository
        return f"repository {self.mirror.url}" if isinstance(one, Source) else f"store {one}"

    async def head(self) -> str:
        """Ask it, and say so as Flux v1's log does."""
        head, approvals = await self.mirror.remote_state(self.branch)
        named = {"branch": self.branch} if self.branch else {"store": str(self.repository)}
        _log.info("refreshed", headline="event", url=str(self.mirror.url), **named, HEAD=head)
        return seen(head, approvals)

    async def answer(self) -> str | FluxSecretError:
        """Give its newest commit, or why it cannot be asked."""
        try:
            return await self.head()
        except FluxSecretError as failure:
            return failure

    async def finding(self) -> Finding:
        """Say whether it can be asked, and what it has."""
        try:
            head = await self.mirror.remote_head(self.branch)
        except FluxSecretError as failure:
            return Finding.of(self.about, failure)
        says = f"{self.branch or 'its branch'} is at {head[:12]}"
        return Finding(Level.OK, self.about, says)


class Heads:
    """Asks every repository and store that the settings name whether it answers."""

    def __init__(
        self, sources: Mapping[Source, Mirror], stores: Mapping[StoreName, Mirror]
    ) -> None:
        self._all = [
            *(Asked(source, mirror) for source, mirror in sources.items()),
            *(Asked(name, mirror) for name, mirror in stores.items()),
        ]

    async def findings(self) -> Mapping[str, Finding]:
        """Say of every repository and store, by how people know it, whether it can be asked."""
        found = await asyncio.gather(*(one.finding() for one in self._all))
        return {one.about: one for one in found}
