"""Ciphertext or key → what its packets say: form, recipients, key ids (RFC 9580 §4.2, §5, §10.3).

A message is trusted to a decryptor only in the form that gopass and pass write: recipients, then
one encrypted container that ends where the file ends. Anything before, behind or instead of it is
refused here, since OpenPGP libraries hand out unencrypted text as readily as decrypted text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

HIDDEN: Final = "0" * 16
"""The key id of a hidden recipient (`gpg --throw-keyids`)."""

_PKESK: Final = 1
_SKESK: Final = 3
_SECRET_KEY: Final = 5
_UNPROTECTED: Final = 9  # RFC 9580 §5.7: symmetrically encrypted, no protection against change
_USER_ID: Final = 13
_PUBLIC_KEYS: Final = frozenset({6, 14})
_CONTAINERS: Final = frozenset({18, 20})  # RFC 9580 §5.13; 20: OCB of GnuPG 2.3 and newer
_MEANINGLESS: Final = frozenset({10, 21})  # marker and padding: ignored by everyone
_MAX_PACKETS: Final = 10_000
_ARMOR: Final = re.compile(
    rb"-----BEGIN PGP [A-Z ]+-----\r?\n(?:[^\n]*: [^\n]*\n)*\r?\n(.*?)-----END", re.DOTALL
)


class MessageFormError(ValueError):
    """This is no message that is encrypted to somebody's key, whole, and nothing else."""


class _Packet(NamedTuple):
    tag: int
    body: bytes
    raw: bytes
    """Header and body."""
    is_whole: bool = True
    """Whether it ends where its length says."""


def checked_message(ciphertext: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Give the message without armor, and its recipients; raise `MessageFormError` (§10.3)."""
    message = dearmored(ciphertext)
    ids: list[str] = []
    is_closed = False
    for packet in _packets(message):
        if not packet.is_whole:
            raise MessageFormError("it is cut short")
        if packet.tag in _MEANINGLESS:
            continue
        if is_closed:
            raise MessageFormError("something stands behind the message")
        if packet.tag == _PKESK:
            ids += _pkesk(packet.body)
        elif packet.tag in _CONTAINERS:
            is_closed = True
        elif packet.tag == _UNPROTECTED:
            raise MessageFormError("it is not protected against change")
        elif packet.tag != _SKESK:
            raise MessageFormError("it is not encrypted" if ids == [] else "it is damaged")
    if not is_closed:
        raise MessageFormError("it is no OpenPGP message" if ids == [] else "it is cut short")
    if not ids:
        raise MessageFormError("it is encrypted to no key")
    return message, tuple(ids)


def recipients(ciphertext: bytes) -> tuple[str, ...]:
    """Give the key ids (16 hex digits, upper case) that a message is encrypted to, in order."""
    return tuple(
        key_id
        for packet in _packets(dearmored(ciphertext))
        if packet.tag == _PKESK
        for key_id in _pkesk(packet.body)
    )


def key_ids(key: bytes) -> tuple[str, ...]:
    """Give the ids of a public key and its subkeys, v4 and v6."""
    return tuple(
        key_id
        for packet in _packets(dearmored(key))
        if packet.tag in _PUBLIC_KEYS
        for key_id in _key_id(packet.body)
    )


def user_id(key: bytes) -> str:
    """Give a key's first user id, as it stands there; empty when it has none."""
    packets = _packets(dearmored(key))
    return next(
        (packet.body.decode(errors="replace") for packet in packets if packet.tag == 13), ""
    )


def split_keys(keys: bytes) -> tuple[bytes, ...]:
    """Cut a file of several private keys, as gpg exports them, into one piece a key."""
    pieces: list[bytes] = []
    for packet in _packets(dearmored(keys)):
        if packet.tag == _SECRET_KEY:
            pieces.append(packet.raw)
        elif pieces:
            pieces[-1] += packet.raw
    return tuple(pieces)


def dearmored(data: bytes) -> bytes:
    """Give binary packets; empty when the armor cannot be read.

    Only what does not start as a packet can be armor: otherwise a message could hide a second one
    in its text, and we would check one and decrypt the other.
    """
    if data[:1] >= b"\x80":
        return data
    blocks = _ARMOR.findall(data)
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
        digest = hashlib.sha1(
            b"\x99" + len(body).to_bytes(4)[2:] + body, usedforsecurity=False
        )  # of longer ones, which no key is, two octets of the length would count
        yield digest.hexdigest()[-16:].upper()
    elif body[:1] == b"\x06":  # RFC 9580 §5.5.4.3
        yield hashlib.sha256(b"\x9b" + len(body).to_bytes(4) + body).hexdigest()[:16].upper()


def _packets(data: bytes) -> Iterator[_Packet]:
    """Walk the packets; what does not fit any more ends the walk as one that is not whole."""
    at = 0
    for _ in range(_MAX_PACKETS):
        if at >= len(data):
            return
        start, header = at, data[at]
        if not header & 0x80:
            break
        if header & 0x40:  # RFC 9580 §4.2.1
            tag = header & 0x3F
            begin, end = _new_body(data, at + 1)
        else:  # RFC 9580 §4.2.2; type 3: to the end of the file
            tag = (header >> 2) & 0x0F
            octets = {0: 1, 1: 2, 2: 4}.get(header & 3, 0)
            begin = at + 1 + octets
            length = int.from_bytes(data[at + 1 : begin])
            end = begin + length if octets else len(data)
        if not begin <= end <= len(data):
            break
        yield _Packet(tag, data[begin:end], data[start:end])
        at = end
    yield _Packet(data[at] & 0x3F, data[at:], data[at:], is_whole=False)


def _new_body(data: bytes, at: int) -> tuple[int, int]:
    """Give where the body begins and ends; partial lengths are followed to the last one.

    The body of a packet in parts then contains the lengths between the parts: only key packets and
    recipients are looked into, and those never come in parts (RFC 9580 §4.2.1.4).
    """
    begin = 0
    while True:
        first = data[at] if at < len(data) else len(data) + 255
        if first < 192:  # noqa: PLR2004 -- one octet
            at, length = at + 1, first
        elif first < 224:  # noqa: PLR2004 -- two octets
            length = ((first - 192) << 8) + int.from_bytes(data[at + 1 : at + 2]) + 192
            at += 2
        elif first == 255:  # noqa: PLR2004 -- five octets
            at, length = at + 5, int.from_bytes(data[at + 1 : at + 5])
        elif first < 255:  # noqa: PLR2004 -- a part of 2^n octets, and another length behind it
            begin = begin or at + 1
            at += 1 + (1 << (first & 0x1F))
            continue
        else:
            return at, len(data) + 1
        return begin or at, at + length
