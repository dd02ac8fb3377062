"""A value of ours → a digest that nobody without our key can compare with a guess.

HMAC-SHA-256 under a key derived (HKDF, RFC 5869) from one persistent 32-byte key; one derived key a
purpose and namespace, so that equal values in two namespaces do not show (design decision 7).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from flux_secret.errors import BugError
from flux_secret.model.plaintext import Plaintext

KEY_BYTES: Final = 32
DIGEST_CHARS: Final = 32  # 128 bits in hex: an inventory holds thousands
OBJECTS: Final = "object-digest"
_SALT: Final = b"flux-secret/v1"


class DigestKey:
    """The persistent key; it never leaves this object but to be stored."""

    __slots__ = ("_key",)

    def __init__(self, key: Plaintext) -> None:
        if len(key.reveal()) != KEY_BYTES:
            raise BugError(f"a digest key has {KEY_BYTES} bytes")
        self._key = key

    def digest(self, purpose: str, namespace: str, message: Plaintext) -> str:
        """Give the digest of `message` for one purpose and namespace."""
        derived = hkdf(self._key.reveal(), _SALT, f"{purpose}\0{namespace}".encode())
        return hmac.new(derived, message.reveal(), hashlib.sha256).hexdigest()[:DIGEST_CHARS]


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    """Extract (RFC 5869 §2.2), then expand to one block of 32 bytes (§2.3)."""
    extracted = hmac.new(salt, key, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()
