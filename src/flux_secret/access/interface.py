"""What judging a store needs of its git objects, and of whoever can tell a good signature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from flux_secret.model.ownerkey import OwnerKey


class Entry(Protocol):
    """One name in a tree."""

    @property
    def name(self) -> str:
        """The last part of its path."""

    @property
    def blob(self) -> str:
        """Its object id."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of this repository."""

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""

    @property
    def is_file(self) -> bool:
        """Whether it has bytes here: no folder, no link, and no commit of another repository."""


class Files(Protocol):
    """The files of one commit, or of a folder."""

    commit: str
    """Empty for a folder."""

    def entry(self, path: str) -> Entry | None:
        """Find a file or folder; links are not followed."""

    def size(self, blob: str) -> int:
        """Give a blob's size in bytes."""

    def read(self, blob: str) -> bytes:
        """Give a blob's bytes."""


class Tree(Files, Protocol):
    """The tree of one commit."""

    def children(self, path: str) -> Iterator[Entry]:
        """List one folder; nothing where there is none."""

    def folder(self, tree: str) -> Iterator[Entry]:
        """List the folder that has this id."""


class Step(Protocol):
    """A commit and its parents."""

    @property
    def commit(self) -> str:
        """Its id."""

    @property
    def parents(self) -> tuple[str, ...]:
        """Their ids, the first one first."""


class Signed(Protocol):
    """What the signature of a commit is over, and the signature."""

    @property
    def payload(self) -> bytes:
        """The commit without its signature."""

    @property
    def signature(self) -> bytes:
        """Armored."""


class History(Protocol):
    """A store's commits."""

    def tree(self, commit: str) -> Tree:
        """Give the tree of a commit."""

    def steps(self, since: str | None, head: str) -> Sequence[Step]:
        """Give what `head` has and `since` has not, parents before children; bounded."""

    def leads_to(self, old: str, new: str) -> bool:
        """Whether `new` contains `old`; False for what is not there."""

    def firsts(self, head: str) -> frozenset[str]:
        """Give the commits without parents that lead to `head`."""

    def signed(self, commit: str) -> Signed | None:
        """Give a commit's signature; None where it has none."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who made a signature."""

    key: OwnerKey | None
    """None when it cannot be told."""
    problem: str = ""
    """Why it does not count, in words that follow "the signature"; empty when it is good."""


class Signatures(Protocol):
    """Tells good signatures, of OpenPGP and of SSH."""

    async def check(self, message: bytes, signature: bytes, namespace: str) -> Signer:
        """Say who signed; what is wrong is the signer's `problem`. `namespace` is SSH's."""
