"""A range of a chain → the text that is signed for it; signatures checked with public keys alone.

The text names the hash of the range's last record, and with it all before: `gpg --verify` needs
nothing else. Whether the record still has that hash is for `audit verify`, or anybody, to compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pysequoia

from flux_secret.audit.line import FORMAT
from flux_secret.errors import KeyFileError


class Signer(Protocol):
    """A key that signs."""

    @property
    def key(self) -> str:
        """What people know it by: its fingerprint, or how the settings name it."""

    async def sign(self, message: bytes) -> bytes:
        """Give an armored detached signature; raise an error of ours."""


def statement(writer: str, first: int, last: int, digest: str) -> bytes:
    """Give what is signed: records `first` to `last`, of which the last has this hash."""
    return f"{FORMAT}\nwriter {writer}\nseq {first}..{last}\nhash {digest}\n".encode()


@dataclass(frozen=True, slots=True)
class Verifier:
    """The keys whose signatures count."""

    certificates: tuple[pysequoia.Cert, ...]

    @classmethod
    def load(cls, name: str, untrusted: bytes) -> Verifier:
        """Read a file of public keys, armored or binary; raise `KeyFileError`."""
        try:
            found = pysequoia.Cert.split_bytes(untrusted)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # noqa: BLE001 -- pyo3 raises whatever, a panic of Rust included
            found = []
        if not found:
            raise KeyFileError(
                f"{name} holds no OpenPGP public key",
                remedy="export it: gpg --armor --export KEYID > FILE",
            )
        return cls(tuple(found))

    def signed_by(self, message: bytes, untrusted_signature: bytes) -> str | None:
        """Give the fingerprint of the key that signed, upper case; None when none of ours did.

        A key that has expired since counts, as it was valid when it signed; one that was revoked
        as compromised does not.
        """
        try:
            signature = pysequoia.Sig.from_bytes(untrusted_signature)
            done = pysequoia.verify(
                bytes=message, store=lambda _ids: list(self.certificates), signature=signature
            )
            return str(done.valid_sigs[0].certificate).upper()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # noqa: BLE001 -- the same
            return None
