"""What the source needs of whoever keeps mirrors and markers, knows history, lays out trees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from flux_secret.model.sync import CommitLine


class Fetched(Protocol):
    """A commit that is in the mirror."""

    @property
    def commit(self) -> str:
        """Its id."""

    @property
    def before(self) -> str | None:
        """What the mirror had before."""

    @property
    def outage(self) -> str:
        """Why it is not the newest; empty when the remote answered."""


class Mirror(Protocol):
    """Keeps one repository at hand."""

    @property
    def path(self) -> Path:
        """The bare repository."""

    def fetch(self, branch: str | None) -> Awaitable[Fetched]:
        """Fetch and give the branch's commit."""

    def condemn(self) -> None:
        """Say that an object was missing or damaged: the next fetch makes the mirror anew."""


class SignedCommit(Protocol):
    """A commit whose signature was looked at."""

    @property
    def revision(self) -> str:
        """Its id."""

    @property
    def parents(self) -> tuple[str, ...]:
        """Their ids; the first is what it was committed onto."""

    @property
    def is_good(self) -> bool:
        """Whether it is well signed by a key that is known, valid and trusted."""

    @property
    def flaw(self) -> str:
        """Why it is not, for people."""


class History(Protocol):
    """What a mirror's commits have to do with each other."""

    async def has(self, commit: str) -> bool:
        """Say whether the mirror has that commit."""

    async def leads_to(self, old: str, new: str) -> bool:
        """Say whether `new` contains `old`."""

    async def commits(
        self, since: str | None, commit: str, *, paths: Sequence[str], limit: int
    ) -> list[CommitLine]:
        """List what is new, the newest first."""

    async def signatures(
        self, since: str | None, commit: str, *, first_parent: bool
    ) -> Sequence[SignedCommit]:
        """Verify what is new, parents before children."""

    async def signature(self, commit: str) -> SignedCommit:
        """Verify one commit."""


class Marker(Protocol):
    """Remembers outside of this process up to which commit everything was delivered."""

    async def read(self) -> str | None:
        """Give the revision it names; None when there is none."""

    async def check(self) -> None:
        """Raise `IntegrityError` when the marker itself should be signed and is not."""

    async def move(self, commit: str) -> None:
        """Let it name another commit."""


LayOut = Callable[[Path, str], AbstractAsyncContextManager[Path]]
"""(bare repository, commit) → a private writable copy of the tree, gone afterwards."""
