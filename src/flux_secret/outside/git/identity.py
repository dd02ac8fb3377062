"""A deploy key → its public half and fingerprints, as `fluxctl identity` shows them."""

from __future__ import annotations

from pathlib import Path

from flux_secret.errors import KeyFileError
from flux_secret.model.identity import DeployKey, Fingerprint, SshPublic
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.process import CommandNotFoundError, Limits, run
from flux_secret.outside.reading import read_bounded

_SECONDS = 10.0
_MAX_KEY_BYTES = 64 * 1024


async def public_identity(key: Path, path: str) -> DeployKey:
    """Give the public key, its hashes and its pictures; nothing when it has none.

    A key under a passphrase has none to show: nobody is there to type it.
    """
    try:
        public = await ssh_public(Plaintext(_read(key)), path)
    except (OSError, KeyFileError, CommandNotFoundError):
        return DeployKey()
    prints = {
        name: Fingerprint(digest, await _randomart(public, name, path))
        for name, digest in (("md5", public.md5), ("sha256", public.sha256))
    }
    return DeployKey(f"{public}\n", prints)


async def _randomart(public: SshPublic, digest: str, path: str) -> str:
    """Give ssh-keygen's picture of a key, by which people see at a glance that it is another."""
    shown = await run(
        ["ssh-keygen", "-l", "-v", "-E", digest, "-f", "-"],
        env={"PATH": path}, cwd=Path("/"), stdin=str(public).encode(), limits=Limits(_SECONDS),
    )  # fmt: skip
    if shown.returncode != 0:
        return ""
    return shown.untrusted_stdout.decode(errors="replace").partition("\n")[2]


def _read(key: Path) -> bytes:
    return read_bounded(key, _MAX_KEY_BYTES)


async def ssh_public(private: Plaintext, path: str) -> SshPublic:
    """Give the public half; raise `KeyFileError` when the key has none that could be shown.

    ssh-keygen reads the key from a pipe: it is in no file, and a mounted Secret's mode, which it
    would refuse, does not matter.
    """
    done = await run(
        ["ssh-keygen", "-y", "-P", "", "-f", "/dev/stdin"],
        env={"PATH": path},
        cwd=Path("/"),
        stdin=private.reveal(),
        limits=Limits(_SECONDS),
    )
    if done.returncode != 0:
        raise KeyFileError(
            "ssh-keygen cannot read the ssh private key",
            remedy="check it: ssh-keygen -y -f FILE; it must have no passphrase",
        )
    return SshPublic.parse(done.untrusted_stdout.decode(errors="replace"))
