"""A line of an owners file → a key that an owner signs with: OpenPGP or SSH, and not weak."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import Final

from flux_secret.errors import FluxSecretError, UsageError
from flux_secret.model.identity import SshPublic

_FINGERPRINT: Final = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
_MIN_RSA_BITS: Final = 2048  # NIST SP 800-131A rev. 2, as for OpenPGP keys
_SSH_KINDS: Final = frozenset({
    "ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ssh-rsa",
    "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
})  # fmt: skip


class KeyKind(enum.Enum):
    """What a key signs with."""

    OPENPGP = "openpgp"
    SSH = "ssh"


@dataclass(frozen=True, slots=True, order=True)
class OwnerKey:
    """A key that an owner signs with."""

    kind: KeyKind = field(compare=False)
    id: str
    """OpenPGP: the primary key's fingerprint, 40 or 64 hex digits in upper case.
    SSH: `TYPE BASE64`, without a comment."""

    @classmethod
    def parse(cls, text: str) -> OwnerKey:
        """Read `openpgp:FINGERPRINT` or the line of a `.pub` file; raise `UsageError`."""
        scheme, _, rest = text.partition(":")
        if scheme == KeyKind.OPENPGP.value:
            fingerprint = rest.upper()
            if not _FINGERPRINT.fullmatch(fingerprint):
                raise UsageError(
                    f"{text[:80]!a} is no full OpenPGP fingerprint",
                    remedy="write openpgp: and its 40 or 64 hex digits: gpg --fingerprint NAME",
                )
            return cls(KeyKind.OPENPGP, fingerprint)
        try:
            public = SshPublic.parse(text)
        except FluxSecretError:
            raise UsageError(
                f"{text[:80]!a} is no key",
                remedy="write openpgp:FINGERPRINT, or the line of a .pub file: ssh-ed25519 AAAA…",
            ) from None
        _refuse_weak(public)
        return cls(KeyKind.SSH, str(SshPublic(public.kind, public.blob)))

    @property
    def ssh(self) -> SshPublic:
        """The key, of an SSH one."""
        return SshPublic.parse(self.id)

    @property
    def short(self) -> str:
        """How people know it: `0x` and 16 digits, or `SHA256:…`."""
        if self.kind is KeyKind.OPENPGP:
            return f"0x{self.id[-16:]}"
        return f"SHA256:{self.ssh.sha256}"

    def __str__(self) -> str:
        return f"openpgp:{self.id}" if self.kind is KeyKind.OPENPGP else self.id


def _refuse_weak(public: SshPublic) -> None:
    if public.kind not in _SSH_KINDS:
        raise UsageError(
            f"keys of type {public.kind[:64]!a} cannot approve",
            remedy="use an Ed25519 key (ssh-keygen -t ed25519); certificates and DSA do not count",
        )
    parts = _wire(public.blob)
    if not parts or parts[0] != public.kind.encode():
        raise UsageError("that is no public ssh key", remedy="copy the line of its .pub file")
    if public.kind == "ssh-rsa":
        bits = int.from_bytes(parts[-1], "big").bit_length()
        if bits < _MIN_RSA_BITS:
            raise UsageError(
                f"the RSA key has {bits} bits: weak below {_MIN_RSA_BITS}",
                remedy="use an Ed25519 key: ssh-keygen -t ed25519",
            )


def _wire(blob: bytes) -> list[bytes]:
    """Split a key's fields (RFC 4251 §5: each a length of four bytes, and bytes)."""
    parts: list[bytes] = []
    while blob:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            return []
        parts.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return parts
