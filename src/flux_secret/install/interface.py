"""What installing needs of a store, and of whoever can look into keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from flux_secret.model.identity import OpenPgpPublic, SshPublic
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext


class Entries(Protocol):
    """A person's store, read with the person's key."""

    async def read(self, path: SecretPath) -> Plaintext:
        """Decrypt an entry; raise `AccessError`."""

    def unpacked(self, path: SecretPath, text: Plaintext) -> Plaintext:
        """Give the file that `gopass fscopy` packed into an entry; the text where it did not."""


OpenPgpHalves: TypeAlias = Callable[[Plaintext], tuple[OpenPgpPublic, ...]]
"""Gives the public half of each private key; raises `KeyFileError`."""

SshHalf: TypeAlias = Callable[[Plaintext], Awaitable[SshPublic]]
"""The same for a deploy key."""
