"""Lines of `.age-recipients` → what age encrypts to; and what a message says of its recipients.

All of it in process. A plugin is never run: its name comes from a file that many can write, and
becomes the name of a program (CVE-2024-56327). Nobody is asked over the network either.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

import pyrage

MAGIC: Final = b"age-encryption.org/v1"
ARMOR: Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
_ARMOR_END: Final = b"-----END AGE ENCRYPTED FILE-----"
_PRIVATE: Final = ("AGE-SECRET-KEY-", "AGE-PLUGIN-", "-----BEGIN")
_SHOWN: Final = 24  # characters of a long key
_MAX_HEADER: Final = 8 * 1024 * 1024  # bytes; 10,000 RSA recipients have 5 MB
_REFUSED: Final = {
    "github:": "means whatever keys the network names, which is never asked",
    "age1pq1": "is a hybrid post-quantum key, which cannot be encrypted to here",
}
_X25519: Final[Callable[[str], Any]] = pyrage.x25519.Recipient.from_str
_TAG: Final[Callable[[str], Any]] = pyrage.tag.Recipient.from_str
_TAG_PQ: Final[Callable[[str], Any]] = pyrage.tagpq.Recipient.from_str
_PLUGIN: Final[Callable[[str], Any]] = pyrage.plugin.Recipient.from_str
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AgeRecipient:
    """Somebody who can be encrypted to."""

    id: str
    """As it is written."""
    public: str
    """The key alone, without a comment behind it."""
    key: Any = field(repr=False, compare=False)
    """As pyrage has it."""


@dataclass(frozen=True, slots=True)
class AgeUnusable:
    """Somebody who cannot be, and why, in words that follow the name."""

    id: str
    reason: str

    def __str__(self) -> str:
        """Name the line without showing what may be private in it."""
        return f"{short(self.id)} {self.reason}"


def parse(one: str) -> AgeRecipient | AgeUnusable:
    """Read one recipient; gopass skips silently what it cannot read, here it is named."""
    if one.upper().startswith(_PRIVATE):
        return AgeUnusable(one, "is a private key, where only public ones may stand")
    refused = next((why for start, why in _REFUSED.items() if one.startswith(start)), "")
    if refused:
        return AgeUnusable(one, refused)
    return _ssh(one) if one.startswith("ssh-") else _native(one)


def _native(one: str) -> AgeRecipient | AgeUnusable:
    for read in (_X25519, _TAG, _TAG_PQ):
        key = quietly(partial(read, one))
        if key is not None:
            return AgeRecipient(one, one, key)
    if quietly(partial(_PLUGIN, one)) is not None:
        return AgeUnusable(one, "needs a plugin of age, which is a program that is never run")
    return AgeUnusable(one, "is no age key and no ssh key")


def _ssh(one: str) -> AgeRecipient | AgeUnusable:
    key = quietly(lambda: pyrage.ssh.Recipient.from_str(one))
    if key is None:
        return AgeUnusable(one, "is no ssh-ed25519 or ssh-rsa key that age can encrypt to")
    return AgeRecipient(one, " ".join(one.split()[:2]), key)


def short(one: str) -> str:
    """Write a recipient so that people know it; nothing of a private key."""
    if one.upper().startswith(_PRIVATE):
        return "AGE-…"
    kind, _, rest = one.partition(" ") if one.startswith("ssh-") else ("", "", one)
    key, _, comment = rest.partition(" ")
    cut = key if len(key) <= 2.6 * _SHOWN else f"{key[:_SHOWN]}…{key[-8:]}"
    return ascii(" ".join(word for word in (kind, cut, comment) if word))[1:-1].replace(
        "\\u2026", "…"
    )


def stanzas(message: bytes) -> list[str] | None:
    """Give the kind of each recipient that a message has; None for what is no age message.

    Random stanzas that stand for nobody, which rage adds so that readers pass over what they do not
    know, are left out: `…-grease`.
    """
    data = _dearmored(message) if message.startswith(ARMOR) else message
    head, found, _ = data[:_MAX_HEADER].partition(b"\n---")
    lines = head.split(b"\n")
    if not found or lines[0] != MAGIC:
        return None
    kinds = [
        line.split(b" ")[1].decode("ascii", "replace") for line in lines[1:] if _is_arrow(line)
    ]
    return [kind for kind in kinds if not kind.endswith("-grease")]


def _is_arrow(line: bytes) -> bool:
    return line.startswith(b"-> ")


def _dearmored(message: bytes) -> bytes:
    body = message.removeprefix(ARMOR).partition(_ARMOR_END)[0]
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        return b""


def quietly(call: Callable[[], T]) -> T | None:
    """Give what a call of pyrage gives; None when it fails, a panic of Rust included.

    Its words may quote what they are about, so they are lost.
    """
    try:
        return call()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 -- pyo3 panics are no Exception
        return None
