"""A person with a machine of their own: a home, keys, stores, and the programs that open them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from simulators import forked
from simulators.gnupg import Home, home
from simulators.measured import measured


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: bytes = field(repr=False)
    err: str


@dataclass(frozen=True)
class Person:
    """One person; nothing of whoever runs the tests is in their environment."""

    home: Path
    gnupg: Home
    gopass: Path | None = None
    env: dict[str, str] = field(default_factory=dict)
    """More of their environment; an empty value takes a name out of it."""

    @property
    def store(self) -> Path:
        """Where pass, gopass and flux-secret find their root store."""
        return self.home / ".password-store"

    def run(self, *argv: str | Path, stdin: bytes = b"", check: bool = True) -> Done:
        """Run a program as this person does, with a pipe for a terminal."""
        done = subprocess.run(
            [str(word) for word in argv], env=self.environment, input=stdin, cwd=self.home,
            capture_output=True, timeout=110, check=False,
        )  # fmt: skip
        return _told(done, check=check)

    def flux(self, *words: str, stdin: bytes = b"", check: bool = True) -> Done:
        """Run flux-secret."""
        if not forked.can_fork(self.environment):
            return self.run(sys.executable, "-m", "flux_secret", *words, stdin=stdin, check=check)
        done = forked.run(words, env=self.environment, cwd=self.home, stdin=stdin)
        return _told(done, check=check)

    def git(self, *words: str, check: bool = True) -> str:
        """Run git in the root store."""
        return self.run("git", "-C", self.store, *words, check=check).out.decode().strip()

    def has(self, entries: Mapping[str, bytes], to: Sequence[str]) -> None:
        """Put entries into the root store, as one commit, encrypted by gpg."""
        for name, text in entries.items():
            file = self.store / f"{name}.gpg"
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_bytes(self.gnupg.encrypt(text, to))
            file.chmod(0o600)
        self.git("add", "-A")
        self.git("commit", "-qm", "Entries")

    def passes(self, *words: str, stdin: bytes = b"", check: bool = True) -> Done:
        """Run pass."""
        return self.run("pass", *words, stdin=stdin, check=check)

    def gopasses(self, *words: str, stdin: bytes = b"", check: bool = True) -> Done:
        """Run the real gopass."""
        assert self.gopass is not None, "this person has no gopass"
        return self.run(self.gopass, *words, stdin=stdin, check=check)

    def makes_store(self, *ids: str) -> Path:
        """Make the root store by pass, in git, for these recipients."""
        self.passes("init", *ids)
        self.passes("git", "init", "-q")
        return self.store

    def can_read(self, name: str) -> bytes:
        """Decrypt an entry's file by gpg alone, whatever any store says."""
        return self.gnupg.gpg("--decrypt", str(self.store / f"{name}.gpg"))

    def knows(self, other: Person, email: str) -> None:
        """Import another person's public key."""
        self.gnupg.gpg("--import", stdin=other.gnupg.public_key(email))

    @property
    def commits(self) -> int:
        """How many commits the root store has."""
        return int(self.git("rev-list", "--count", "HEAD"))

    def readers(self, name: str) -> set[str]:
        """Say by gpg's own words whose keys an entry's file is encrypted to: their addresses."""
        file = str(self.store / f"{name}.gpg")
        packets = self.gnupg.gpg("--list-packets", "--list-only", file).decode()
        ids = re.findall(r"^:pubkey enc packet:.* keyid ([0-9A-F]{16})$", packets, re.MULTILINE)
        return {self._address(one) for one in ids}

    def _address(self, key_id: str) -> str:
        listing = self.gnupg.gpg("--with-colons", "--list-keys", key_id, fail=True).decode()
        return next((m[1] for m in re.finditer(r"^uid:.*<([^>]*)>", listing, re.MULTILINE)), key_id)

    def writes_file(self, path: str, text: str) -> None:
        """Put a file into the root store by hand."""
        file = self.store / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    @property
    def environment(self) -> dict[str, str]:
        """What their programs see."""
        whole = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8",
            "GNUPGHOME": str(self.gnupg.path), "GIT_CONFIG_NOSYSTEM": "1",
            "GOPASS_NO_REMINDER": "1", "PASSWORD_STORE_DIR": str(self.store),
            **measured(), **self.env,
        }  # fmt: skip
        return {name: value for name, value in whole.items() if value}


def _told(done: subprocess.CompletedProcess[bytes], *, check: bool) -> Done:
    err = done.stderr.decode(errors="replace")
    assert not check or done.returncode == 0, err or done.stdout.decode(errors="replace")
    return Done(done.returncode, done.stdout, err)


@contextmanager
def person(
    place: Path, emails: Sequence[str] = (), *, gopass: Path | None = None
) -> Iterator[Person]:
    """Make a person with a key for each address; the first is their own."""
    with home() as gnupg:
        for email in emails:
            gnupg.curve25519(email)
        place.mkdir(parents=True, exist_ok=True)
        made = Person(place, gnupg, gopass)
        made.run("git", "config", "--global", "user.name", place.name)
        made.run("git", "config", "--global", "user.email", (emails or ["nobody@example.org"])[0])
        made.run("git", "config", "--global", "init.defaultBranch", "master")
        yield made
