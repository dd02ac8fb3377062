"""Names → OpenPGP keys in a throw-away GnuPG home, made by the gpg that people have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError
from flux_secret.outside.process import Limits, run

_LIMITS: Final = Limits(timeout_seconds=60.0)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, or an operator, who can decrypt."""

    name: str
    email: str
    fingerprint: str

    @property
    def gopass_id(self) -> str:
        """The id as gopass writes it into `.gpg-id`: `0x` and 16 hex digits."""
        return f"0x{self.fingerprint[-16:]}"

    def __str__(self) -> str:
        return f"{self.gopass_id} - {self.name} <{self.email}>"


class GnuPG:
    """A GnuPG home of the demo's own; the home of the person who runs it is never touched."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        home.mkdir(mode=0o700)
        self._cwd = home
        self.env = {**env, "GNUPGHOME": str(home)}

    async def make_person(self, name: str, email: str) -> Person:
        """Make a key without passphrase: ed25519 to sign, cv25519 to decrypt, no expiry."""
        unlocked = ("--passphrase", "", "--pinentry-mode", "loopback")
        uid = f"{name} <{email}>"
        await self.gpg(*unlocked, "--quick-generate-key", uid, "ed25519", "cert,sign", "0")
        listing = await self.gpg("--with-colons", "--list-keys", email)
        fingerprint = next(
            line.split(":")[9] for line in listing.decode().splitlines() if line.startswith("fpr:")
        )
        await self.gpg(*unlocked, "--quick-add-key", fingerprint, "cv25519", "encr", "0")
        return Person(name, email, fingerprint)

    async def public_key(self, person: Person) -> bytes:
        """Give the armored public key."""
        return await self.gpg("--armor", "--export", person.fingerprint)

    async def private_key(self, person: Person) -> bytes:
        """Give the armored private key, as the walkthrough's `flux.asc` holds it."""
        return await self.gpg("--armor", "--export-secret-keys", person.fingerprint)

    async def encrypt(self, text: bytes, to: Sequence[Person]) -> bytes:
        """Encrypt with gopass's own options (facts: gopass 1.16.1)."""
        recipients = [part for one in to for part in ("--recipient", one.fingerprint)]
        options = ("--compress-algo=none", "--no-encrypt-to", "--trust-model=always")
        return await self.gpg(*options, "--encrypt", *recipients, stdin=text)

    async def close(self) -> None:
        """End the home's agent."""
        argv = ["gpgconf", "--kill", "all"]
        await run(argv, env=self.env, cwd=self._cwd, limits=_LIMITS)

    async def gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run gpg in this home; raise `ConfigurationError` with its words when it fails."""
        argv = ["gpg", "--batch", "--quiet", "--yes", "--no-auto-key-locate", *arguments]
        done = await run(argv, env=self.env, cwd=self._cwd, stdin=stdin, limits=_LIMITS)
        if done.returncode != 0:
            words = done.untrusted_stderr.decode(errors="replace").strip()
            raise ConfigurationError(
                f"gpg {arguments[0]} failed: {words}", remedy="check that gpg --version works"
            )
        return done.untrusted_stdout
