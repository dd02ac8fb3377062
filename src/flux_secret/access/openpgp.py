"""OpenPGP certificates → who made a signature, and whether it counts (pysequoia, in process).

A signature counts when its key was valid at the time that the signature names, and was never
revoked as stolen. Weak digests and keys do not count. Of a certificate that is offered several
times all copies are merged, so that a revocation that somebody took away still counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

import pysequoia
from pysequoia.packet import PacketPile, Tag

from flux_secret.access.interface import Signer
from flux_secret.model.ownerkey import KeyKind, OwnerKey

MAX_CERTIFICATE: Final = 1024 * 1024  # bytes; a key with many signatures has some 100 KiB
BEGIN: Final = b"-----BEGIN PGP SIGNATURE-----"
_KEYS: Final = (Tag.PublicKey, Tag.PublicSubkey)
_WEAK: Final = frozenset({"MD5", "SHA1", "RIPEMD", "RIPEMD160"})
_ID: Final = 16  # hex digits


class Certificates:
    """Public keys, found by whatever a signature names."""

    def __init__(self, files: Iterable[bytes] = ()) -> None:
        """`files` are exported keys, armored or binary; what is none of them is passed over."""
        self._by_fingerprint: dict[str, pysequoia.Cert] = {}
        self._by_id: dict[str, set[str]] = {}
        for untrusted in files:
            self.add(untrusted)

    def add(self, untrusted: bytes) -> None:
        """Take a file of keys into account."""
        if len(untrusted) > MAX_CERTIFICATE:
            return
        try:
            for certificate in pysequoia.Cert.split_bytes(untrusted):
                self._add(certificate)
        except Exception:  # noqa: BLE001, S110 -- pyo3 raises whatever: it is no key then
            pass

    def _add(self, certificate: pysequoia.Cert) -> None:
        fingerprint = certificate.fingerprint.upper()
        known = self._by_fingerprint.get(fingerprint)
        self._by_fingerprint[fingerprint] = known.merge(certificate) if known else certificate
        for one in _fingerprints(certificate):
            self._by_id.setdefault(one[-_ID:], set()).add(fingerprint)
            self._by_id.setdefault(one, set()).add(fingerprint)

    @property
    def fingerprints(self) -> frozenset[str]:
        """Give those of every key that is known."""
        return frozenset(self._by_fingerprint)

    def problem(self, fingerprint: str) -> str:
        """Say why a key cannot sign now, in words that follow "the key"; empty when it can."""
        certificate = self._by_fingerprint.get(fingerprint)
        if certificate is None:
            return "is not in the store: no agent knows it"
        if certificate.is_revoked:
            return "is revoked"
        ends = self.expires(fingerprint)
        if ends is not None and ends <= datetime.now(UTC):
            return f"expired on {ends:%Y-%m-%d}"
        return ""

    def expires(self, fingerprint: str) -> datetime | None:
        """Give when a key ends; None when never, or when it is not known."""
        certificate = self._by_fingerprint.get(fingerprint)
        try:
            return certificate.expiration if certificate else None
        except Exception:  # noqa: BLE001 -- pyo3 raises whatever: of a key without valid binding
            return None

    def check(self, message: bytes, untrusted: bytes) -> Signer:
        """Say who signed a message, and whether that counts."""
        try:
            signature = pysequoia.Sig.from_bytes(untrusted)
            issuer = (signature.issuer_fingerprint or signature.issuer_key_id or "").upper()
        except Exception:  # noqa: BLE001 -- pyo3 raises whatever
            return Signer(None, "it is no OpenPGP signature")
        named = self._by_id.get(issuer) or self._by_id.get(issuer[-_ID:], set())
        try:
            done = pysequoia.verify(bytes=message, store=self._store, signature=signature)
            makers = {one.certificate.upper() for one in done.valid_sigs}
        except Exception:  # noqa: BLE001 -- pyo3 raises whatever, in words that say little
            makers = set()
        if len(makers) == 1:
            return Signer(OwnerKey(KeyKind.OPENPGP, makers.pop()))
        if not named:
            return Signer(None, f"its key {_shown(issuer)} is not in the store")
        fingerprint = min(named)
        return Signer(OwnerKey(KeyKind.OPENPGP, fingerprint), self._reason(fingerprint, signature))

    def _store(self, ids: list[str]) -> list[pysequoia.Cert]:
        found = {one for text in ids for one in self._by_id.get(text.upper(), ())}
        return [self._by_fingerprint[one] for one in sorted(found)]

    def _reason(self, fingerprint: str, signature: pysequoia.Sig) -> str:
        if self._by_fingerprint[fingerprint].is_revoked:
            return "the key is revoked"
        if str(signature.hash_algorithm).rpartition(".")[2].upper() in _WEAK:
            return "it is made with a digest that is broken"
        made, ends = signature.created, self.expires(fingerprint)
        if made is not None and ends is not None and made >= ends:
            return f"the key expired on {ends:%Y-%m-%d}, before it was made"
        return "it is not over these words, or the key is too weak or may not sign"


def _fingerprints(certificate: pysequoia.Cert) -> Iterator[str]:
    for packet in PacketPile.from_bytes(bytes(certificate)):
        if packet.tag in _KEYS and packet.fingerprint:
            yield str(packet.fingerprint).upper()


def _shown(issuer: str) -> str:
    return f"0x{issuer[-_ID:]}" if issuer else "without a name"
