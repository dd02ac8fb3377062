"""Who a cluster's operator is → its keys, made by gpg and ssh-keygen in memory.

Neither key has a passphrase: nobody is there to type it when an agent starts. Nothing of a private
key is in an argument, in the environment or on a disk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import ConfigurationError, KeyFileError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.files import memory_directory, remove_stale_scratch, scratch
from flux_secret.outside.gpg import Gpg, status_of
from flux_secret.outside.keeper import kept
from flux_secret.outside.process import Limits, run

_SECONDS: Final = 60.0  # new keys may wait for randomness on a machine that has just started


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key, and what everybody may know of it."""

    private: Plaintext
    public: bytes


async def make_openpgp(user_id: str, expires: str, path: str) -> KeyPair:
    """Make an OpenPGP key: ed25519 to certify and sign, cv25519 to encrypt; `expires` is gpg's."""
    async with _home(Gpg(path=path)) as gpg:
        done = await gpg.run("--quick-generate-key", user_id, "ed25519", "cert,sign", expires)
        fingerprint = status_of(done.untrusted_stderr).get("KEY_CREATED", "").rpartition(" ")[2]
        if done.returncode == 0:
            done = await gpg.run("--quick-add-key", fingerprint, "cv25519", "encr", expires)
        if done.returncode != 0 or not fingerprint:
            raise KeyFileError(
                f"gpg cannot make a key for {user_id!a}", remedy="try it: gpg --quick-generate-key"
            )
        private = await gpg.run("--armor", "--export-secret-keys", "--", fingerprint)
        public = await gpg.run("--armor", "--export", "--", fingerprint)
        return KeyPair(Plaintext(private.untrusted_stdout), public.untrusted_stdout)


@asynccontextmanager
async def _home(gpg: Gpg) -> AsyncIterator[Gpg]:
    """Lend a GnuPG home of its own that leaves nothing behind."""
    _require_memory()
    try:
        with kept(await gpg.home()):
            yield gpg
            await gpg.close()  # before its folder goes
    finally:
        await gpg.close()


async def make_ssh(comment: str, path: str) -> KeyPair:
    """Make an ed25519 deploy key."""
    _require_memory()
    with scratch("ssh") as place, kept(place):
        file = place / "identity"
        words = ("-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(file))
        done = await run(
            ["ssh-keygen", *words], env={"PATH": path}, cwd=place, limits=Limits(_SECONDS)
        )
        if done.returncode != 0:
            raise KeyFileError(
                "ssh-keygen cannot make a deploy key", remedy="try it: ssh-keygen -t ed25519"
            )
        public = file.with_suffix(".pub").read_bytes()
        return KeyPair(Plaintext(file.read_bytes()), public)


def _require_memory() -> None:
    if memory_directory() is None:
        raise ConfigurationError(
            "there is no folder in memory here, and a private key is not written to a disk",
            remedy="do it on a machine that has /dev/shm, or mount it: "
            "mount -t tmpfs -o mode=1777 tmpfs /dev/shm",
        )
    remove_stale_scratch()
