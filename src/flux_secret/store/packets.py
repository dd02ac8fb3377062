"""Ciphertext or key → the key ids in it, from OpenPGP packet headers (RFC 9580 §4.2, §5.1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import Final

_PKESK: Final = 1
_PUBLIC_KEYS: Final = frozenset({6, 14})
_MAX_PACKETS: Final = 10_000
_ARMOR: Final = re.compile(
    rb"-----BEGIN PGP [A-Z ]+-----\r?\n(?:[^\n]*: [^\n]*\n)*\r?\n(.*?)-----END", re.DOTALL
)
HIDDEN: Final = "0" * 16
"""The key id of a hidden recipient (`gpg --throw-keyids`)."""


def recipients(ciphertext: bytes) -> tuple[str, ...]:
    """Give the key ids (16 hex digits, upper case) that a message is encrypted to, in order."""
    return tuple(
        key_id for tag, body in _packets(_dearmored(ciphertext)) if tag == _PKESK
        for key_id in _pkesk(body)
    )  # fmt: skip


def key_ids(key: bytes) -> tuple[str, ...]:
    """Give the ids of a public key and its subkeys, v4 and v6."""
    return tuple(
        key_id
        for tag, body in _packets(_dearmored(key))
        if tag in _PUBLIC_KEYS
        for key_id in _key_id(body)
    )


def _dearmored(data: bytes) -> bytes:
    blocks = _ARMOR.findall(data)
    if not blocks:
        return data
    try:
        return b"".join(
            base64.b64decode(re.sub(rb"\n=[A-Za-z0-9+/]{4}\s*\Z", b"\n", block)) for block in blocks
        )
    except binascii.Error:
        return b""


def _pkesk(body: bytes) -> Iterator[str]:
    version = body[:1]
    if version == b"\x03":  # RFC 9580 §5.1.1: the key id follows
        yield body[1:9].hex().upper()
    elif version == b"\x06":  # RFC 9580 §5.1.2: length, key version, fingerprint; none if hidden
        fingerprint = body[3 : 2 + body[1]] if len(body) > 1 else b""
        short = fingerprint[:8] if body[2:3] == b"\x06" else fingerprint[-8:]
        yield short.hex().upper() or HIDDEN


def _key_id(body: bytes) -> Iterator[str]:
    if body[:1] == b"\x04":  # RFC 9580 §5.5.4.2
        digest = hashlib.sha1(b"\x99" + len(body).to_bytes(2) + body, usedforsecurity=False)
        yield digest.hexdigest()[-16:].upper()
    elif body[:1] == b"\x06":  # RFC 9580 §5.5.4.3
        yield hashlib.sha256(b"\x9b" + len(body).to_bytes(4) + body).hexdigest()[:16].upper()


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Walk packet headers; stop at the first one that does not fit, or after the PKESKs."""
    at = 0
    for _ in range(_MAX_PACKETS):
        if at >= len(data) or not data[at] & 0x80:
            return
        header = data[at]
        if header & 0x40:
            tag, at = header & 0x3F, at + 1
            body, at, whole = _new_format(data, at)
        else:
            tag, at = (header >> 2) & 0x0F, at + 1
            size = {0: 1, 1: 2, 2: 4}.get(header & 3)
            if size is None:
                return
            length, at = int.from_bytes(data[at : at + size]), at + size
            body, at, whole = data[at : at + length], at + length, True
        yield tag, body
        if not whole:
            return


def _new_format(data: bytes, at: int) -> tuple[bytes, int, bool]:
    first = data[at] if at < len(data) else 255
    if first < 192:  # noqa: PLR2004 -- RFC 9580 §4.2.1.1
        return data[at + 1 : at + 1 + first], at + 1 + first, True
    if first < 224:  # noqa: PLR2004 -- RFC 9580 §4.2.1.2
        length = ((first - 192) << 8) + int.from_bytes(data[at + 1 : at + 2]) + 192
        return data[at + 2 : at + 2 + length], at + 2 + length, True
    if first == 255:  # noqa: PLR2004 -- RFC 9580 §4.2.1.3
        length = int.from_bytes(data[at + 1 : at + 5])
        return data[at + 5 : at + 5 + length], at + 5 + length, True
    return data[at + 1 :], len(data), False  # partial lengths: only data packets have them
