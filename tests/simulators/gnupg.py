"""Real gpg keys of every shape that stores of 2019 hold, made once a run."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# a gpg that outlives its test may write, or start an agent, while they are ended
_KEEPER = """trap "" INT TERM HUP
read -r _
tries=0
until gpgconf --homedir "$1" --kill all; rm -rf -- "$1" || [ "$tries" -ge 100 ]; do
  tries=$((tries + 1))
  sleep 0.1
done"""
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@dataclass(frozen=True)
class Home:
    """A GnuPG home in memory."""

    path: Path

    def gpg(self, *arguments: str, stdin: bytes = b"", fail: bool = False) -> bytes:
        done = subprocess.run(
            ["gpg", "--batch", "--quiet", "--yes", "--no-auto-key-locate", *arguments],
            env={"PATH": os.environ["PATH"], "GNUPGHOME": str(self.path), "LC_ALL": "C"},
            input=stdin, capture_output=True, timeout=110, check=False,
        )  # fmt: skip
        assert fail or done.returncode == 0, done.stderr.decode()
        return done.stdout

    def fingerprint(self, email: str) -> str:
        listing = self.gpg("--with-colons", "--list-keys", email).decode()
        return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))

    def curve25519(self, email: str, passphrase: str = "", *extra: str) -> str:
        unlock = ("--passphrase", passphrase, "--pinentry-mode", "loopback", *extra)
        self.gpg(
            *unlock, "--quick-generate-key", f"Somebody <{email}>", "ed25519", "cert,sign", "0"
        )
        fingerprint = self.fingerprint(email)
        self.gpg(*unlock, "--quick-add-key", fingerprint, "cv25519", "encr", "0")
        return fingerprint

    def signing_key(self, email: str, *, at: str = "", expires: str = "0") -> str:
        """Make a key for signing, at a time of gpg's own clock (`20200101T000000`)."""
        clock = (f"--faked-system-time={at}",) if at else ()
        unlock = ("--passphrase", "", "--pinentry-mode", "loopback")
        name = f"Somebody <{email}>"
        self.gpg(*clock, *unlock, "--quick-generate-key", name, "ed25519", "cert,sign", expires)
        return self.fingerprint(email)

    def revoked(self, email: str) -> bytes:
        """Give the public key with the revocation that gpg made for it; here it goes on signing."""
        file = self.path / "openpgp-revocs.d" / f"{self.fingerprint(email)}.rev"
        with home() as other:
            other.gpg("--import", stdin=self.public_key(email))
            # a colon keeps people from importing it by mistake
            other.gpg("--import", stdin=file.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))
            return other.public_key(email)

    def rsa(self, email: str, bits: int, *, mixed: bool) -> str:
        lines = ["%no-protection", "Key-Type: RSA", f"Key-Length: {bits}"]
        lines += [] if mixed else ["Key-Usage: sign"]
        lines += ["Subkey-Type: RSA", f"Subkey-Length: {bits}"]
        lines += [] if mixed else ["Subkey-Usage: encrypt"]
        lines += [f"Name-Email: {email}", "%commit", ""]
        self.gpg("--generate-key", stdin="\n".join(lines).encode())
        return self.fingerprint(email)

    def encrypt(self, text: bytes, to: Sequence[str], *extra: str) -> bytes:
        recipients = [word for one in to for word in ("--recipient", one)]
        options = ("--compress-algo=none", "--no-encrypt-to", "--trust-model=always", *extra)
        return self.gpg(*options, "--encrypt", *recipients, stdin=text)

    def private_key(self, email: str, passphrase: str = "") -> bytes:
        unlock = ("--passphrase", passphrase, "--pinentry-mode", "loopback")
        return self.gpg(*unlock, "--armor", "--export-secret-keys", email)

    def public_key(self, email: str) -> bytes:
        return self.gpg("--armor", "--export", email)


@contextmanager
def home() -> Iterator[Home]:
    """Lend a home; it and its agents are gone afterwards, also when the tests are killed.

    A run that a time limit or a person ends unwinds no fixture, and gpg's agents are daemons: they
    would stay, and their home in memory. So another process ends them, which the end of a pipe
    tells, as `outside/keeper.py` does for the product.
    """
    path = Path(tempfile.mkdtemp(prefix="gnupg-", dir=_MEMORY))
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", _KEEPER, "sh", str(path)], stdin=subprocess.PIPE,
        env={"PATH": os.environ["PATH"]}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert keeper.stdin is not None
    try:
        yield Home(path)
    finally:
        keeper.stdin.close()
        keeper.wait(timeout=60)
