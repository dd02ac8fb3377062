"""Text and an ssh key → a signature, or whether one is good: `ssh-keygen -Y` (PROTOCOL.sshsig).

Verifying needs no agent, no network and no configuration: the one key is named in a file of its
own. Signing asks nothing: a key under a passphrase has to be in the person's ssh-agent.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, KeyFileError
from flux_secret.model.identity import SshPublic
from flux_secret.outside.files import scratch, write_atomic
from flux_secret.outside.process import CommandNotFoundError, Completed, Limits, run

_LIMITS: Final = Limits(timeout_seconds=20.0)
_TOUCH: Final = Limits(timeout_seconds=60.0)  # a person may have to touch a security key
_WHO: Final = "owner"


class SshKeygen:
    """Runs the ssh-keygen of PATH."""

    def __init__(self, path: str, env: Mapping[str, str] | None = None) -> None:
        """`env` is what a person's ssh-agent needs; nothing to verify only."""
        self._env = {"PATH": path, "LC_ALL": "C", **(env or {})}

    async def verify(
        self, message: bytes, signature: bytes, key: SshPublic, namespace: str
    ) -> bool:
        """Say whether a key has signed a message; `signature` is armored."""
        with scratch("ssh") as place:
            write_atomic(place / "signature", signature)
            signers = f'{_WHO} namespaces="{namespace}" {SshPublic(key.kind, key.blob)}\n'
            write_atomic(place / "signers", signers.encode())
            words = (
                "-Y", "verify", "-f", str(place / "signers"), "-I", _WHO, "-n", namespace,
                "-s", str(place / "signature"),
            )  # fmt: skip
            done = await self._run(place, *words, stdin=message, limits=_LIMITS)
        return done.returncode == 0

    async def sign(self, message: bytes, key: Path, namespace: str) -> bytes:
        """Sign with a private key, or with the one of a `.pub` file that an ssh-agent holds."""
        with scratch("ssh") as place:
            words = ("-Y", "sign", "-n", namespace, "-f", _absolute(key))
            done = await self._run(place, *words, stdin=message, limits=_TOUCH)
        if done.returncode == 0 and done.untrusted_stdout.startswith(b"-----BEGIN SSH SIGNATURE"):
            return done.untrusted_stdout
        said = done.untrusted_stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
        raise KeyFileError(
            f"ssh-keygen cannot sign with {key}: {ascii(said)[1:-1] or 'it does not say why'}",
            remedy=f"a key under a passphrase has to be in your agent: ssh-add {key}",
        )

    async def public(self, key: Path) -> SshPublic:
        """Give the public half of a key file; raise `KeyFileError`."""
        beside = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
        try:
            with beside.open("rb") as file:
                return SshPublic.parse(file.read(64 * 1024).decode(errors="replace"))
        except OSError:
            pass
        with scratch("ssh") as place:
            words = ("-y", "-P", "", "-f", _absolute(key))
            done = await self._run(place, *words, stdin=b"", limits=_LIMITS)
        if done.returncode != 0:
            raise KeyFileError(
                f"{key} is no ssh key that can be read",
                remedy="name a private key, or a .pub file whose key your ssh-agent holds",
            )
        return SshPublic.parse(done.untrusted_stdout.decode(errors="replace"))

    async def _run(self, place: Path, *words: str, stdin: bytes, limits: Limits) -> Completed:
        env = {"HOME": str(place), **self._env}
        try:
            return await run(["ssh-keygen", *words], env=env, cwd=place, stdin=stdin, limits=limits)
        except CommandNotFoundError:
            raise ConfigurationError(
                "an SSH signature needs the program ssh-keygen, which is not here",
                remedy="install it: it comes with OpenSSH",
            ) from None


def _absolute(key: Path) -> str:
    """Give a path that is right in another folder too, and that is no option."""
    return str(key.absolute())
