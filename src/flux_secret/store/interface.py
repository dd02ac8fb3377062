"""What reading stores needs of mirrors, of git objects and of whoever holds private keys."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flux_secret.errors import DecryptError
from flux_secret.model.names import StoreName
from flux_secret.model.openpgp import PublicKey
from flux_secret.model.plaintext import Plaintext


class Fetched(Protocol):
    """A commit that is in the mirror."""

    @property
    def commit(self) -> str:
        """Its id."""

    @property
    def outage(self) -> str:
        """Why it is not the newest; empty when the remote answered."""


class Mirror(Protocol):
    """Keeps one store's repository at hand."""

    @property
    def path(self) -> Path:
        """The bare repository."""

    def fetch(self, branch: str | None) -> Awaitable[Fetched]:
        """Fetch and give the commit of the default branch."""

    def condemn(self) -> None:
        """Say that it is damaged: the next fetch makes it anew."""


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


class Commit(Protocol):
    """The tree of one pinned commit."""

    commit: str

    def entry(self, path: str) -> Entry | None:
        """Find a file or folder; links are not followed."""

    def children(self, path: str) -> Iterator[Entry]:
        """List one folder."""

    def size(self, blob: str) -> int:
        """Give a blob's size in bytes."""

    def read(self, blob: str) -> bytes:
        """Give a blob's bytes."""


class Decryptor(Protocol):
    """Holds private keys, or knows who does."""

    @property
    def key_ids(self) -> Sequence[str]:
        """Ids of the keys it holds, 16 hex digits each; empty when it cannot tell."""

    async def decrypt(self, ciphertext: bytes) -> Plaintext:
        """Decrypt one message; raise `DecryptError` whose `what` says only why."""


@dataclass(frozen=True, slots=True)
class Decryptors:
    """Who opens the entries of each kind of store."""

    openpgp: Decryptor
    age: Decryptor


MirrorOf = Callable[[StoreName], Mirror]
OpenCommit = Callable[[Path, str], Commit]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a store's files are called."""

    extension: str
    """Of entries."""
    recipients: str
    """The file that says who may read what lies beside and below it."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom one line of a recipients file names."""

    id: str
    """As it is written."""
    name: str
    """For people: the key's id and its owner's; the id again when nobody is found."""
    marks: frozenset[str] = frozenset()
    """What a message for them names; nothing where messages do not name such a reader."""
    older: frozenset[str] = frozenset()
    """What a message names that they could read too, but that nothing is encrypted to any more."""
    fingerprint: str = ""
    expires: int | None = None
    """Seconds since the epoch; None when never."""
    problem: str = ""
    """Why nothing can be encrypted to them, in words that follow the name."""
    is_self: bool = False
    """Whether the person who asks has the private half."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who is to become a recipient: usable, and one person beyond doubt."""

    id: str
    """How it is to be written."""
    exported: bytes | None
    """Their key as the store's `.public-keys` keeps it; None where stores keep none."""
    fingerprint: str = ""
    """The whole of it, where there is one."""


class Newer(enum.Enum):
    """Which copy of a key is the newer one."""

    OURS = "ours"
    """The person's own, or the store has none."""
    STORES = "the store's"
    """The store's, or the person has none."""
    NEITHER = "neither"
    """Both say the same, or there is none, or the stored file is of somebody else."""


@dataclass(frozen=True, slots=True)
class Export:
    """A recipient's key in a keyring and in a store."""

    newer: Newer
    ours: bytes | None = None
    """As `.public-keys` keeps it; None where the keyring does not have it."""


class Form(enum.Enum):
    """How an entry's file is written."""

    MESSAGE = "message"
    ARMORED = "armored"
    """As text: a merge by git would put its marks into it, and gopass reads no armored age."""
    TOO_NEW = "too new"
    """In a way that programs which people still use cannot read."""
    OTHER = "other"
    """It is no such message at all."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a message says it is for."""

    marks: frozenset[str]
    hidden: int = 0
    """How many it is for besides, without naming them."""
    form: Form = Form.MESSAGE


class Crypto(Protocol):
    """How one store's entries are encrypted: OpenPGP or age."""

    @property
    def layout(self) -> Layout:
        """What the store's files are called."""

    async def encrypt(self, text: Plaintext, ids: Collection[str], where: str) -> bytes:
        """Encrypt to exactly these recipients; raise `RecipientError` naming who cannot be."""

    async def decrypt_all(self, messages: Sequence[bytes]) -> list[Plaintext | DecryptError]:
        """Decrypt; each message that cannot be is its own `DecryptError`."""

    async def ensure_usable(self, ids: Collection[str], where: str) -> None:
        """Raise `RecipientError` naming who cannot be encrypted to."""

    async def readers(self, ids: Collection[str]) -> Sequence[Reader]:
        """Say of each id whom it names, in the order of `ids`; what is wrong is their `problem`."""

    def audience(self, message: bytes) -> Audience:
        """Say whom a message is for, as far as it tells."""

    async def find(self, text: str) -> frozenset[str]:
        """Give the fingerprints of everybody whom a person may mean by an id, a name, an e-mail."""

    async def newcomer(self, text: str, key: bytes | None) -> Newcomer:
        """Find the one usable key that an id names, in a given key file if there is one.

        Raises `RecipientError` when it is none, several, or not usable. From then on the key
        counts, although neither keyring nor store may have it.
        """

    async def exports(self, stored: Mapping[str, bytes | None]) -> Mapping[str, Export]:
        """Compare recipients' keys in the store's `.public-keys` with the person's own copies."""

    async def weaknesses(self, ids: Collection[str]) -> Mapping[str, str]:
        """Say of ids whose keys can be used, and should not be for long, why that is so."""

    def key_ids(self, exported: bytes) -> Sequence[str]:
        """Give what a key of `.public-keys` can be named by; nothing for what is no key."""

    async def keys_in(self, exported: bytes) -> Sequence[PublicKey]:
        """Read a key of `.public-keys`: whose it says it is; nothing for what is no key."""

    async def import_key(self, one: Newcomer) -> None:
        """Put a newcomer's key into the person's own keyring, where there is one."""
