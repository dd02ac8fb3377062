"""The demo's git repositories: two gopass stores and one of applications."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from flux_secret.demo.people import GnuPG, Person
from flux_secret.errors import ConfigurationError
from flux_secret.outside.process import Limits, run

_LIMITS: Final = Limits(timeout_seconds=60.0)
_IDENTITY: Final = {
    "GIT_AUTHOR_NAME": "devops person1",
    "GIT_AUTHOR_EMAIL": "devops1@example.org",
    "GIT_COMMITTER_NAME": "devops person1",
    "GIT_COMMITTER_EMAIL": "devops1@example.org",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


class Repository:
    """A git work tree with one branch, `master`, as the walkthrough's repositories had it."""

    def __init__(self, directory: Path, env: Mapping[str, str]) -> None:
        self.directory = directory
        self._env = {**env, **_IDENTITY}

    @property
    def url(self) -> str:
        """What `--git-url` and `--store` take."""
        return f"file://{self.directory}"

    async def init(self) -> None:
        """Make the repository."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        await self._git("init", "--quiet", "--initial-branch=master")

    async def commit(self, message: str) -> None:
        """Commit everything there is."""
        await self._git("add", "--all", "--force", ".")
        await self._git("commit", "--quiet", "--message", message)

    async def _git(self, *arguments: str) -> None:
        argv = ["git", *arguments]
        done = await run(argv, env=self._env, cwd=self.directory, limits=_LIMITS)
        if done.returncode != 0:
            words = done.untrusted_stderr.decode(errors="replace").strip()
            raise ConfigurationError(
                f"git {arguments[0]} failed: {words}", remedy="check that git --version works"
            )


class GopassStore:
    """A gopass store, laid out as gopass does, so that a person's gopass can open it."""

    def __init__(self, repository: Repository, gnupg: GnuPG, readers: Sequence[Person]) -> None:
        self.repository = repository
        self._gnupg = gnupg
        self._readers = tuple(readers)

    async def init(self) -> None:
        """Write recipients and their public keys; commit as gopass would."""
        await self.repository.init()
        root = self.repository.directory
        ids = sorted(reader.gopass_id for reader in self._readers)
        (root / ".gpg-id").write_text("\n".join(ids) + "\n")
        (root / ".gitattributes").write_text("*.gpg diff=gpg\n")
        keys = root / ".public-keys"
        keys.mkdir(mode=0o700)
        for reader in self._readers:
            (keys / reader.gopass_id).write_bytes(await self._gnupg.public_key(reader))
        await self.repository.commit(f"Initialize Store for {', '.join(ids)}")

    async def insert(self, name: str, text: bytes) -> None:
        """Encrypt to every reader and commit."""
        path = self._path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(await self._gnupg.encrypt(text, self._readers))
        await self.repository.commit(f"Save secret {name}: Insert user supplied password")

    async def damage(self, name: str) -> None:
        """Flip bits in the middle of the ciphertext, as a bad disk or a bad merge does."""
        path = self._path(name)
        data = bytearray(path.read_bytes())
        for index in range(len(data) - 24, len(data) - 8):
            data[index] ^= 0xFF
        path.write_bytes(data)
        await self.repository.commit(f"Save secret {name}: damaged on purpose")

    def _path(self, name: str) -> Path:
        return self.repository.directory / f"{name}.gpg"


async def application_repository(repository: Repository) -> None:
    """Commit the walkthrough's applications: base, overlay, `.flux.yaml`, script."""
    with as_file(files("flux_secret.demo") / "ops") as source:
        shutil.copytree(source, repository.directory)
    await repository.init()
    script = repository.directory / "demo" / "overlay" / "dev" / "secrets.yaml.sh"
    script.chmod(0o755)
    await repository.commit("Add the demo application")
