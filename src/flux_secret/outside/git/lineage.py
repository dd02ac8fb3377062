"""A repository → its commits in order, their parents, trees and signatures (pygit2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pygit2
from pygit2.enums import SortMode

from flux_secret.errors import SourceError
from flux_secret.outside.objects import Commit

MAX_STEPS: Final = 200_000  # commits of one walk
_ORDER: Final = SortMode.TOPOLOGICAL | SortMode.REVERSE


@dataclass(frozen=True, slots=True)
class Step:
    """A commit and its parents."""

    commit: str
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signed:
    """What the signature of a commit is over, and the signature, armored."""

    payload: bytes
    signature: bytes


class Lineage:
    """The commits of one repository; nothing is fetched, no program is started."""

    def __init__(self, repository: Path) -> None:
        self._repository = pygit2.Repository(str(repository), pygit2.enums.RepositoryOpenFlag.BARE)

    def tree(self, commit: str) -> Commit:
        """Give the tree of a commit."""
        return Commit(self._repository, commit)

    def steps(self, since: str | None, head: str) -> list[Step]:
        """Give what `head` has and `since` has not, parents before children."""
        if since == head:
            return []
        try:
            walk = self._repository.walk(pygit2.Oid(hex=head), _ORDER)
            if since is not None:
                walk.hide(pygit2.Oid(hex=since))
            found = []
            for commit in walk:
                found.append(Step(str(commit.id), tuple(map(str, commit.parent_ids))))
                if len(found) > MAX_STEPS:
                    raise SourceError(
                        f"more than {MAX_STEPS} commits lead to {head[:12]}",
                        remedy="approve or trust a newer commit: the way from there is shorter",
                    )
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise _not_there(head) from error
        return found

    def leads_to(self, old: str, new: str) -> bool:
        """Whether `new` contains `old`, or is it; False for what is not there."""
        if old == new:
            return self._has(old)
        try:
            return bool(self._repository.descendant_of(pygit2.Oid(hex=new), pygit2.Oid(hex=old)))
        except (KeyError, ValueError, pygit2.GitError):
            return False

    def firsts(self, head: str) -> frozenset[str]:
        """Give the commits without parents that lead to `head`."""
        return frozenset(step.commit for step in self.steps(None, head) if not step.parents)

    def first(self, head: str) -> str:
        """Give the one at the end of the line of first parents: the store's id."""
        commit = self._commit(head)
        while commit.parent_ids:
            commit = self._commit(str(commit.parent_ids[0]))
        return str(commit.id)

    def signed(self, commit: str) -> Signed | None:
        """Give a commit's signature; None where it has none."""
        try:
            signature, payload = self._commit(commit).gpg_signature
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise _not_there(commit) from error
        return Signed(bytes(payload), bytes(signature)) if signature and payload else None

    def _commit(self, commit: str) -> pygit2.Commit:
        try:
            return self._repository[commit].peel(pygit2.Commit)
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise _not_there(commit) from error

    def _has(self, commit: str) -> bool:
        try:
            return isinstance(self._repository[commit], pygit2.Commit)
        except (KeyError, ValueError, pygit2.GitError):
            return False


def _not_there(commit: str) -> SourceError:
    return SourceError(
        f"commit {commit[:12]} is not in the copy of the repository",
        remedy="fetch it; `git cat-file -t COMMIT` says whether it is there",
    )
