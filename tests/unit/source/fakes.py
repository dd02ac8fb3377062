"""Mirrors, histories and markers in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flux_secret.errors import FluxSecretError, IntegrityError
from flux_secret.model.sync import CommitLine


@dataclass(frozen=True)
class Fetched:
    """What a mirror gave."""

    commit: str
    before: str | None = None
    outage: str = ""


@dataclass(frozen=True)
class Signed:
    """A commit with or without a good signature."""

    revision: str
    parents: tuple[str, ...]
    is_good: bool = True
    flaw: str = "it is not signed"


class NoHistory:
    """For branches that are fetched once, have no marker and verify nothing."""

    async def has(self, commit: str) -> bool:
        raise NotImplementedError(commit)

    async def leads_to(self, old: str, new: str) -> bool:
        raise NotImplementedError(old, new)

    async def commits(
        self, since: str | None, commit: str, *, paths: Sequence[str], limit: int
    ) -> list[CommitLine]:
        raise NotImplementedError(since, commit, paths, limit)

    async def signatures(
        self, since: str | None, commit: str, *, first_parent: bool
    ) -> Sequence[Signed]:
        raise NotImplementedError(since, commit, first_parent)

    async def signature(self, commit: str) -> Signed:
        raise NotImplementedError(commit)


@dataclass
class World:
    """One line of commits, `1` to `n`, a mirror, and a marker that others may touch."""

    line: list[str] = field(default_factory=lambda: ["1", "2", "3"])
    others: set[str] = field(default_factory=set)
    """Commits that the mirror has, and that are not part of the line."""
    outage: str = ""
    before: str | None = None
    marker: str | None = None
    marker_is_signed: bool = True
    bad: set[str] = field(default_factory=set)
    """Commits without a good signature."""
    unreadable: FluxSecretError | None = None
    immovable: FluxSecretError | None = None
    unlisted: FluxSecretError | None = None
    moves: list[str] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    path: Path = Path("/mirror")

    def __str__(self) -> str:
        return "the sync tag flux-sync"

    def lose_marker(self) -> None:
        """Somebody deletes it."""
        self.marker = None

    async def fetch(self, _branch: str | None) -> Fetched:
        before, self.before = self.before, self.line[-1]
        return Fetched(self.line[-1], before, self.outage)

    def condemn(self) -> None:
        raise NotImplementedError

    async def has(self, commit: str) -> bool:
        return commit in self.line or commit in self.others

    async def leads_to(self, old: str, new: str) -> bool:
        return old in self.line[: self.line.index(new) + 1]

    def _new(self, since: str | None, commit: str) -> list[str]:
        start = self.line.index(since) + 1 if since in self.line else 0
        return self.line[start : self.line.index(commit) + 1]

    async def commits(
        self, since: str | None, commit: str, *, paths: Sequence[str], limit: int
    ) -> list[CommitLine]:
        if self.unlisted:
            raise self.unlisted
        self.asked.append(tuple(paths))
        new = self._new(since, commit)[::-1][:limit]
        return [CommitLine(one, f"change {one}") for one in new]

    async def signatures(
        self, since: str | None, commit: str, *, first_parent: bool
    ) -> Sequence[Signed]:
        del first_parent
        new = self._new(since, commit)
        parents = dict(zip(self.line[1:], self.line, strict=False))
        return [
            Signed(one, (parents[one],) if one in parents else (), one not in self.bad)
            for one in new
        ]

    async def signature(self, commit: str) -> Signed:
        return Signed(commit, (), commit not in self.bad)

    async def read(self) -> str | None:
        if self.unreadable:
            raise self.unreadable
        return self.marker

    async def check(self) -> None:
        if not self.marker_is_signed:
            raise IntegrityError("the sync tag is not signed")

    async def move(self, commit: str) -> None:
        if self.immovable:
            raise self.immovable
        self.moves.append(commit)
        self.marker = commit
