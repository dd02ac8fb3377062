"""A mirror's commits → what is new, what belongs to what, and which are well signed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.errors import SourceError, UnreachableError
from flux_secret.model.sync import CommitLine
from flux_secret.outside.git.mirror import Mirror

MAX_MESSAGE: Final = 200  # characters of a commit's first line
VERIFY_SECONDS: Final = 300.0  # for all commits at once; gpg needs about 10 ms for one
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_FLAWS: Final = {  # git-log(1), %G?
    "N": "it is not signed",
    "B": "it was changed after it was signed",
    "U": "the key that signed it is not trusted",
    "X": "its signature has expired",
    "Y": "the key that signed it has expired",
    "R": "the key that signed it was revoked",
    "E": "the key that signed it is not known here",
}
GnuPg = Callable[[], Awaitable[Path]]
"""Gives the home whose keys count."""


@dataclass(frozen=True, slots=True)
class SignedCommit:
    """A commit, its parents, and whether it is well signed."""

    revision: str
    parents: tuple[str, ...]
    grade: str
    """git's `%G?`: `G` is well signed by a key that is known, valid and trusted."""

    @property
    def is_good(self) -> bool:
        """Whether it counts; an expired, revoked or unknown key does not."""
        return self.grade == "G"

    @property
    def flaw(self) -> str:
        """Why it does not count."""
        return _FLAWS.get(self.grade, "")


class History:
    """Asks git about the commits of one mirror; nothing is fetched."""

    def __init__(self, mirror: Mirror, gnupg: GnuPg) -> None:
        self._git = mirror.git
        self._mirror = mirror.path
        self._gnupg = gnupg

    async def has(self, commit: str) -> bool:
        """Say whether the mirror has that commit."""
        if not _OBJECT_ID.match(commit):
            return False
        words = ("cat-file", "-e", f"{commit}^{{commit}}")
        return await self._git.local(self._mirror, *words) is not None

    async def leads_to(self, old: str, new: str) -> bool:
        """Say whether `new` contains `old`, so that nothing was taken back between them."""
        words = ("merge-base", "--is-ancestor", old, new)
        return await self._git.local(self._mirror, *words) is not None

    async def commits(
        self, since: str | None, commit: str, *, paths: Sequence[str], limit: int
    ) -> list[CommitLine]:
        """List what `commit` has and `since` has not, the newest first, at most `limit`.

        `paths` narrows it to commits that touch one of them; empty for all.
        """
        listing = await self._asked(
            "log", "--no-show-signature", "--no-color", f"--max-count={limit}",
            "--encoding=UTF-8", "--format=%H %s", _range(since, commit), "--", *paths,
        )  # fmt: skip
        return [CommitLine(line[:40], line[41:][:MAX_MESSAGE]) for line in listing.splitlines()]

    async def signatures(
        self, since: str | None, commit: str, *, first_parent: bool
    ) -> list[SignedCommit]:
        """Verify what `commit` has and `since` has not, parents before children."""
        listing = await self._asked(
            "log", "--topo-order", "--reverse", "--no-show-signature", "--no-color",
            *(["--first-parent"] if first_parent else []),
            "--format=%H %G? %P", _range(since, commit), "--",
            seconds=VERIFY_SECONDS, gnupg=await self._gnupg(),
        )  # fmt: skip
        rows = (line.split() for line in listing.splitlines())
        return [SignedCommit(row[0], tuple(row[2:]), row[1]) for row in rows]

    async def signature(self, commit: str) -> SignedCommit:
        """Verify one commit; its parents are not looked at."""
        words = ("log", "--no-show-signature", "--max-count=1", "--format=%G?", commit, "--")
        grade = await self._asked(*words, gnupg=await self._gnupg())
        return SignedCommit(commit, (), grade.strip())

    async def _asked(self, *words: str, seconds: float = 0, gnupg: Path | None = None) -> str:
        found = await self._git.local(self._mirror, *words, seconds=seconds, gnupg=gnupg)
        if found is None:
            raise UnreachableError(
                f"git {words[0]} failed on the copy of the repository in {self._mirror}",
                remedy="it is tried again; if it stays so, remove that folder",
            )
        return found.decode(errors="replace")


def _range(since: str | None, commit: str) -> str:
    for name in (since or commit, commit):
        if not _OBJECT_ID.match(name):
            raise SourceError(f"{name[:80]!a} is not a commit's id")
    return f"{since}..{commit}" if since else commit
