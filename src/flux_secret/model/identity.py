"""Who the agent is to git hosts and stores: the public halves of its keys, and their names."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from flux_secret.errors import KeyFileError

_LINE = re.compile(r"(?P<kind>[a-z0-9@.-]{3,64}) (?P<blob>[A-Za-z0-9+/]{16,16384}={0,2})(?: .*)?")


@dataclass(frozen=True, slots=True)
class SshPublic:
    """A public ssh key: what a git host knows as a deploy key."""

    kind: str
    """`ssh-ed25519`."""
    blob: bytes
    comment: str = ""

    @classmethod
    def parse(cls, text: str) -> SshPublic:
        """Read the line of a `.pub` file; raise `KeyFileError`."""
        line = text.strip()
        match = _LINE.fullmatch(line) if line.isprintable() else None
        try:
            blob = base64.b64decode(match["blob"], validate=True) if match else b""
        except binascii.Error:
            blob = b""
        if match is None or not blob:
            raise KeyFileError(
                "that is no public ssh key", remedy="it is one line: ssh-ed25519 AAAA… NAME"
            )
        return cls(match["kind"], blob, line.partition(" ")[2].partition(" ")[2])

    @property
    def sha256(self) -> str:
        """Give the fingerprint as git hosts show it, without its `SHA256:`."""
        return base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def md5(self) -> str:
        """Give the fingerprint as fluxctl shows it; it tells keys apart, and proves nothing."""
        return hashlib.md5(self.blob, usedforsecurity=False).digest().hex(":")

    def __str__(self) -> str:
        return f"{self.kind} {base64.b64encode(self.blob).decode()} {self.comment}".rstrip()


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A key's hash, and ssh-keygen's picture of it."""

    hash: str
    randomart: str = ""


@dataclass(frozen=True, slots=True)
class DeployKey:
    """What `fluxctl identity` shows of the deploy key; all empty where there is none."""

    public: str = ""
    """The line of a `.pub` file."""
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)
    """By `md5` and `sha256`."""


@dataclass(frozen=True, slots=True)
class OpenPgpPublic:
    """A public OpenPGP key: what stores are encrypted to."""

    fingerprint: str
    """Of the primary key, hex digits in upper case."""
    armored: str

    @property
    def gopass_id(self) -> str:
        """The id as gopass writes it into `.gpg-id`."""
        return f"0x{self.fingerprint[-16:]}"


@dataclass(frozen=True, slots=True)
class Identity:
    """The agent's; None for a half that is not known."""

    ssh: SshPublic | None = None
    openpgp: tuple[OpenPgpPublic, ...] = ()
