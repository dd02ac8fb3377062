"""A mirror → the newest commit, or the one that was fetched last while the remote is down.

Only silence counts as being down (`UnreachableError`): a host that refuses a key, shows another
host key, or has no such branch has answered, and its answer is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flux_secret.errors import SourceError, UnreachableError
from flux_secret.outside.git.mirror import Mirror


@dataclass(frozen=True, slots=True)
class Fetched:
    """A commit that is in the mirror."""

    commit: str
    before: str | None = None
    """What the mirror had before; None when it is made just now."""
    outage: str = ""
    """Why it is not the newest, and since when, for people; empty when the remote answered."""


class LastGood:
    """A mirror that goes on with what it has while its remote does not answer."""

    def __init__(self, mirror: Mirror, *, allowed: bool) -> None:
        """Without `allowed` an outage is the error that it is: for a person who waits for it."""
        self._mirror = mirror
        self._allowed = allowed

    @property
    def path(self) -> Path:
        """The bare repository."""
        return self._mirror.path

    async def fetch(self, branch: str | None) -> Fetched:
        """Fetch; raise what `Mirror.fetch` raises, and `UnreachableError` when nothing is here."""
        before = await self._last(branch)
        try:
            return Fetched(await self._mirror.fetch(branch), before)
        except UnreachableError as silence:
            if before is None:
                raise
            if not self._allowed:
                raise UnreachableError(
                    silence.what,
                    remedy=f"{silence.remedy}; or deliver what was fetched last: --allow-stale",
                ) from None
            return Fetched(before, before, self._spoken(before, silence))

    def condemn(self) -> None:
        """Say that an object was missing or damaged: the next fetch makes the mirror anew."""
        self._mirror.condemn()

    async def _last(self, branch: str | None) -> str | None:
        try:
            return await self._mirror.head(branch)
        except SourceError:
            return None

    def _spoken(self, commit: str, silence: UnreachableError) -> str:
        since = self._mirror.answered
        known = f", fetched {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
        return f"from the last good copy ({commit[:12]}{known}), because {silence.what}"
