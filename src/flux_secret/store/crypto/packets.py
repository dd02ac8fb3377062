"""Ciphertext or key → the key ids in it, from OpenPGP packet headers (RFC 9580 §4.2, §5.1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import textwrap
from collections.abc import Iterator
from typing import Final, NamedTuple

_PKESK: Final = 1
_SEIPD: Final = 18
_ENCRYPTED: Final = frozenset({9, 18, 20})  # also what was before SEIPD, and gpg's own AEAD
_SECRET_KEY: Final = 5
_PUBLIC_KEY: Final = 6
_SIGNATURE: Final = 2
_BINDING: Final = frozenset({b"\x10", b"\x11", b"\x12", b"\x13", b"\x18", b"\x1f"})
_WEAK_HASHES: Final = frozenset({1, 2, 3})  # MD5, SHA-1, RIPEMD-160 (RFC 9580 §9.5)
_CREATED, _ISSUER = 2, 16  # subpackets (RFC 9580 §5.2.3.7)
_PUBLIC_KEYS: Final = frozenset({6, 14})
_MAX_PACKETS: Final = 10_000
_ARMOR: Final = re.compile(
    rb"-----BEGIN PGP [A-Z ]+-----\r?\n(?:[^\n]*: [^\n]*\n)*\r?\n(.*?)-----END", re.DOTALL
)
_CRC_INIT: Final = 0xB704CE  # RFC 4880 §6.1
_CRC_POLYNOMIAL: Final = 0x1864CFB
HIDDEN: Final = "0" * 16
"""The key id of a hidden recipient (`gpg --throw-keyids`)."""


class _Packet(NamedTuple):
    tag: int
    body: bytes
    raw: bytes
    """Header and body."""


class Message(NamedTuple):
    """What the headers of an encrypted message say."""

    key_ids: tuple[str, ...]
    """16 hex digits each, upper case, in their order."""
    is_whole: bool
    """Whether encrypted data follows."""
    is_readable_by_all: bool
    """Whether every gpg since 2.0 can read it: SEIPD version 1 (RFC 9580 §5.13.1).

    gpg 2.2 reads no AEAD message, and gopass then shows an empty secret (facts: gopass §2.1).
    """
    is_armored: bool


def message(ciphertext: bytes) -> Message:
    """Read the headers of a message."""
    binary = _dearmored(ciphertext)
    ids: list[str] = []
    is_whole = is_old = False
    for packet in _packets(binary):
        if packet.tag == _PKESK:
            ids += _pkesk(packet.body)
        elif packet.tag in _ENCRYPTED:
            is_whole, is_old = True, packet.tag == _SEIPD and packet.body[:1] == b"\x01"
            break
    return Message(tuple(ids), is_whole, is_old, binary is not ciphertext)


def recipients(ciphertext: bytes) -> tuple[str, ...]:
    """Give the key ids (16 hex digits, upper case) that a message is encrypted to, in order."""
    return message(ciphertext).key_ids


def is_readable_by_all(ciphertext: bytes) -> bool:
    """Say whether every gpg since 2.0 can read a message."""
    return message(ciphertext).is_readable_by_all


def key_ids(key: bytes) -> tuple[str, ...]:
    """Give the ids of a public key and its subkeys, v4 and v6."""
    return tuple(
        key_id
        for packet in _packets(_dearmored(key))
        if packet.tag in _PUBLIC_KEYS
        for key_id in _key_id(packet.body)
    )


def newest_signature(key: bytes) -> int:
    """Give when the owner last signed a part of their key, in seconds: a renewal is the newer copy.

    Signatures of others do not count: keyrings collect different ones.
    """
    packets = list(_packets(_dearmored(key)))
    own = next((one for packet in packets[:1] for one in _key_id(packet.body)), "")
    made = (_signed(packet.body) for packet in packets if packet.tag == _SIGNATURE)
    return max((when for when, issuer in made if issuer in {own, ""}), default=0)


def is_bound_weakly(key: bytes, subkey_id: str) -> bool:
    """Say whether the newest signatures that bind a key and a subkey of it use SHA-1, or weaker.

    Libraries of today refuse such keys (gpg does not yet), and somebody who makes two keys with
    one digest could exchange them.
    """
    packets = list(_packets(_dearmored(key)))
    own = next((one for packet in packets[:1] for one in _key_id(packet.body)), "")
    newest: dict[str, tuple[int, int]] = {}
    about = own
    for packet in packets:
        if packet.tag in _PUBLIC_KEYS:
            about = next(iter(_key_id(packet.body)), "")
        elif packet.tag == _SIGNATURE and packet.body[1:2] in _BINDING:
            when, issuer = _signed(packet.body)
            if issuer in {own, ""}:
                newest[about] = max(newest.get(about, (0, 0)), (when, packet.body[3]))
    return any(newest.get(one, (0, 0))[1] in _WEAK_HASHES for one in (own, subkey_id))


def _signed(body: bytes) -> tuple[int, str]:
    """Give a signature's time and its issuer's key id (RFC 9580 §5.2.3)."""
    width = {4: 2, 6: 4}.get(body[0] if body else 0, 0)
    if not width:
        return 0, "?"
    when, issuer, at = 0, "", 4
    for _hashed in (True, False):
        end = at + width + int.from_bytes(body[at : at + width])
        at += width
        while at < end <= len(body):
            begin, length = _new_length(body, at)
            if not length or begin + length > end:
                break
            kind, value = body[begin] & 0x7F, body[begin + 1 : begin + length]
            if kind == _CREATED:
                when = int.from_bytes(value)
            elif kind == _ISSUER:
                issuer = value.hex().upper()
            at = begin + length
        at = end
    return when, issuer


def is_public_only(key: bytes) -> bool:
    """Say whether these are keys, and none of them is a private one."""
    tags = {packet.tag for packet in _packets(_dearmored(key))}
    return bool(tags & _PUBLIC_KEYS) and _SECRET_KEY not in tags


def public_keys(keys: bytes) -> tuple[bytes, ...]:
    """Cut a file of public keys, armored or not, into one piece a key; nothing of private ones."""
    return tuple(_pieces(keys, _PUBLIC_KEY)) if is_public_only(keys) else ()


def armored(key: bytes) -> bytes:
    """Write a public key as `gpg --armor --export` does (RFC 9580 §6); what is armored stays."""
    if key.startswith(b"-----BEGIN"):
        return key
    crc = _CRC_INIT
    for byte in key:
        crc ^= byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ (_CRC_POLYNOMIAL if crc & 0x800000 else 0)
    lines = textwrap.wrap(base64.b64encode(key).decode(), 64)
    checksum = base64.b64encode(crc.to_bytes(3)).decode()
    block = "PGP PUBLIC KEY BLOCK-----"
    return "\n".join([f"-----BEGIN {block}", "", *lines, f"={checksum}", f"-----END {block}", ""]
                     ).encode()  # fmt: skip


def split_keys(keys: bytes) -> tuple[bytes, ...]:
    """Cut a file of several private keys, as gpg exports them, into one piece a key."""
    return tuple(_pieces(keys, _SECRET_KEY))


def _pieces(keys: bytes, first: int) -> list[bytes]:
    pieces: list[bytes] = []
    for packet in _packets(_dearmored(keys)):
        if packet.tag == first:
            pieces.append(packet.raw)
        elif pieces:
            pieces[-1] += packet.raw
    return pieces


def _dearmored(data: bytes) -> bytes:
    if data[:1] > b"\x7f":  # the first bit of every packet; text has none
        return data
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


def _packets(data: bytes) -> Iterator[_Packet]:
    """Walk packet headers; stop at the first one that does not fit, or at streamed data."""
    at = 0
    for _ in range(_MAX_PACKETS):
        if at >= len(data) or not data[at] & 0x80:
            return
        header, start = data[at], at
        if header & 0x40:
            tag = header & 0x3F
            begin, length = _new_length(data, at + 1)
        else:
            tag = (header >> 2) & 0x0F
            size = {0: 1, 1: 2, 2: 4}.get(header & 3, 0)
            begin = at + 1 + size
            length = int.from_bytes(data[at + 1 : begin]) if size else None
        if length is None or begin + length > len(data):
            yield _Packet(tag, data[begin:], data[start:])
            return
        at = begin + length
        yield _Packet(tag, data[begin:at], data[start:at])


def _new_length(data: bytes, at: int) -> tuple[int, int | None]:
    """Give where the body begins and its length; None for partial lengths (RFC 9580 §4.2.1)."""
    first = data[at] if at < len(data) else 0
    if first < 192:  # noqa: PLR2004 -- one octet
        return at + 1, first
    if first < 224:  # noqa: PLR2004 -- two octets
        return at + 2, ((first - 192) << 8) + int.from_bytes(data[at + 1 : at + 2]) + 192
    if first == 255:  # noqa: PLR2004 -- five octets
        return at + 5, int.from_bytes(data[at + 1 : at + 5])
    return at + 1, None
