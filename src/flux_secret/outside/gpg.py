"""Ciphertext → plaintext by the gpg program: for keys and messages that only gpg can use.

Its home is also what git verifies with and the sync tag is signed with.

gpg's answer counts only when it reported DECRYPTION_OKAY and GOODMDC and ended as it should: it
prints plaintext before it knows whether the message was whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from flux_secret.errors import DecryptError, KeyFileError
from flux_secret.outside.files import scratch, write_atomic
from flux_secret.outside.process import CommandNotFoundError, Completed, Limits, run

_LIMITS: Final = Limits(timeout_seconds=60.0)  # gopass gives gpg 60 s too, pinentry included
_SAFE: Final = ("--batch", "--no-tty", "--quiet", "--no-auto-key-locate", "--no-auto-check-trustdb")


@dataclass(frozen=True, slots=True)
class Lent:
    """What a gpg that somebody else starts needs, to decrypt as ours does."""

    env: Mapping[str, str]
    folders: tuple[Path, ...]
    """Its home, and where the sockets of its agent are."""


_TRIED: Final = 2  # gpg's exit status when something failed, and be it a key that was only tried


class Gpg:
    """A gpg with a home of its own in memory, or with a person's home, which keeps its keys."""

    def __init__(
        self, *, path: str, home: Path | None = None, terminal: Mapping[str, str] | None = None
    ) -> None:
        """`home` is a person's GNUPGHOME; without it, one is made in memory for imported keys.

        `terminal` is what a person's pinentry needs of the environment, to find screen or display.
        """
        self._path = path
        self._terminal = dict(terminal or {})
        self._persons_home = home
        self._home = home
        self._passphrase = b""
        self._keys: tuple[bytes, ...] = ()
        self._resources = contextlib.ExitStack()
        self._ready = asyncio.Lock()
        self._lender: Callable[[], Awaitable[Path]] | None = None

    @classmethod
    def private(cls, keys: Sequence[bytes], passphrase: bytes, *, path: str) -> Gpg:
        """Use these armored private keys; nothing is started before the first message."""
        gpg = cls(path=path)
        gpg._keys, gpg._passphrase = tuple(keys), passphrase
        return gpg

    async def decrypt(self, ciphertext: bytes) -> bytes:
        """Decrypt one message; raise `DecryptError` with gpg's reason."""
        home = await self._prepared()
        with scratch("msg") as place:
            message = place / "message.gpg"
            write_atomic(message, ciphertext)
            done = await self._gpg(home, "--decrypt", "--", str(message))
        status = status_of(done.untrusted_stderr)
        if _is_whole(done, status):
            return done.untrusted_stdout
        raise DecryptError(_reason(status, done.untrusted_stderr))

    def borrow(self, lender: Callable[[], Awaitable[Path]]) -> None:
        """Use the home of another process from now on, asked for with the first message."""
        self._lender = lender

    async def serve(self) -> Path:
        """Give the home, with an agent that outlives whoever borrows it."""
        home = await self._prepared()
        await self._gpgconf(home, "--launch", "gpg-agent")
        return home

    async def home(self) -> Path:
        """Give the home, with every imported key in it and trusted, as Flux v1 trusts them."""
        return await self._prepared()

    async def lent(self) -> Lent:
        """Give the home and a running agent to a program that starts gpg by itself.

        The passphrase of imported keys is lent too: it lies in their home, in memory. A person's
        agent has to run before, as no pinentry can be seen from inside a sandbox.
        """
        home = await self._prepared()
        if self._passphrase and self._persons_home is None:
            write_atomic(home / "passphrase", self._passphrase)
            unlock = f"batch\nno-tty\npinentry-mode loopback\npassphrase-file {home}/passphrase\n"
            (home / "gpg.conf").write_text(unlock)
        await self._gpgconf(home, "--launch", "gpg-agent")
        sockets = Path((await self._gpgconf(home, "--list-dirs", "socketdir")) or home)
        if sockets.name.startswith("d."):  # below the one whose owner and rights gpg looks at
            sockets = sockets.parent
        env = {name: value for name, value in self._env(home).items() if name != "HOME"}
        folders = dict.fromkeys(folder for folder in (home, sockets) if folder.is_dir())
        return Lent(env, tuple(folders))

    async def sign(self, message: bytes, key: str) -> bytes:
        """Sign; give the armored detached signature."""
        home = await self._prepared()
        with scratch("msg") as place:
            file = place / "message"
            write_atomic(file, message)
            words = ("--armor", "--detach-sign", "--local-user", key, "--output", "-")
            done = await self._gpg(home, *words, "--", str(file))
        if done.returncode == 0 and "SIG_CREATED" in status_of(done.untrusted_stderr):
            return done.untrusted_stdout
        raise KeyFileError(
            f"gpg cannot sign with the key {key!a} of --git-signing-key",
            remedy="import its private half with --git-gpg-key-import, and check that it is valid",
        )

    async def close(self) -> None:
        """End the daemons of our own home, and forget it; a person's home is left alone."""
        is_ours = self._persons_home is None and self._lender is None
        if is_ours and self._home is not None:
            argv = ["gpgconf", "--homedir", str(self._home), "--kill", "all"]
            await run(argv, env=self._env(self._home), cwd=self._home, limits=_LIMITS)
            self._home = None
        self._resources.close()

    async def _gpgconf(self, home: Path, *arguments: str) -> str:
        argv = ["gpgconf", "--homedir", str(home), *arguments]
        try:
            done = await run(argv, env=self._env(home), cwd=home, limits=_LIMITS)
        except CommandNotFoundError:
            raise _no_gpg() from None
        return unquote(done.untrusted_stdout.decode(errors="surrogateescape").strip())

    async def _prepared(self) -> Path:
        async with self._ready:
            if self._lender is not None:
                self._home, self._lender = await self._lender(), None
            if self._home is None:
                home = self._resources.enter_context(scratch("gpg"))
                (home / "gpg-agent.conf").write_text("allow-loopback-pinentry\n")
                for key in self._keys:
                    await self._import(home, key)
                await self._trust(home)
                self._home = home
            return self._home

    async def _import(self, home: Path, key: bytes) -> None:
        file = home / "key.asc"
        write_atomic(file, key)
        done = await self._gpg(home, "--import", "--", str(file))
        file.unlink()
        if "IMPORT_OK" not in status_of(done.untrusted_stderr):
            raise KeyFileError(
                "gpg cannot import the key", remedy="check the file with `gpg --show-keys FILE`"
            )

    async def _trust(self, home: Path) -> None:
        """Trust every imported key ultimately: naming its file is what says so."""
        listed = await self._gpg(home, "--with-colons", "--list-keys")
        lines = [line.split(":") for line in listed.untrusted_stdout.decode().splitlines()]
        owners = [
            after[9]
            for line, after in itertools.pairwise(lines)
            if line[0] == "pub" and after[0] == "fpr"
        ]
        file = home / "ownertrust.txt"
        write_atomic(file, "".join(f"{owner}:6:\n" for owner in owners).encode())
        await self._gpg(home, "--import-ownertrust", str(file))
        file.unlink()

    async def run(
        self, *arguments: str, stdin: bytes | None = None, limits: Limits = _LIMITS
    ) -> Completed:
        """Run gpg in this home; what it reports stands on stderr, for `status` to read."""
        return await self._gpg(await self._prepared(), *arguments, stdin=stdin, limits=limits)

    async def _gpg(
        self, home: Path, *arguments: str, stdin: bytes | None = None, limits: Limits = _LIMITS
    ) -> Completed:
        # our own home's passphrase takes the place of standard input
        unlocks = self._persons_home is None and stdin is None
        unlock = ("--pinentry-mode", "loopback", "--passphrase-fd", "0") if unlocks else ()
        argv = ["gpg", *_SAFE, "--status-fd", "2", *unlock, *arguments]
        given = self._passphrase if stdin is None else stdin
        try:
            return await run(argv, env=self._env(home), cwd=home, stdin=given, limits=limits)
        except CommandNotFoundError:
            raise _no_gpg() from None

    def _env(self, home: Path) -> dict[str, str]:
        env = {"PATH": self._path, "GNUPGHOME": str(home), "LC_ALL": "C", "HOME": str(home)}
        if self._persons_home is not None:
            env |= self._terminal
        return env


def _no_gpg() -> DecryptError:
    return DecryptError(
        "this key or message needs the gpg program, which is not here", remedy="install gnupg"
    )


def status_of(untrusted_stderr: bytes) -> dict[str, str]:
    """Give gpg's status keywords and their arguments (doc/DETAILS of GnuPG)."""
    status = {}
    for line in untrusted_stderr.decode(errors="replace").splitlines():
        if line.startswith("[GNUPG:] "):
            keyword, _, arguments = line.removeprefix("[GNUPG:] ").partition(" ")
            status[keyword] = arguments
    return status


def _is_whole(done: Completed, status: dict[str, str]) -> bool:
    """Say whether gpg gave a whole message, and nothing else.

    For a hidden recipient it tries every key, and ends with 2 when one was not it, although the
    next one was.
    """
    if not {"DECRYPTION_OKAY", "GOODMDC", "END_DECRYPTION"} <= status.keys():
        return False
    length = status.get("PLAINTEXT_LENGTH", str(len(done.untrusted_stdout)))
    was_hidden = done.returncode == _TRIED and status.get("ENC_TO", "").startswith("0" * 16)
    return done.returncode == 0 or (was_hidden and length == str(len(done.untrusted_stdout)))


def _reason(status: dict[str, str], untrusted_stderr: bytes) -> str:
    # gpg 2.2 reports a missing key only in words, which LC_ALL=C keeps stable
    if "NO_SECKEY" in status or b"No secret key" in untrusted_stderr:
        return "no private key for it here"
    if "BADMDC" in status or "DECRYPTION_FAILED" in status or "NODATA" in status:
        return "the message is damaged"
    if "DECRYPTION_OKAY" in status:
        return "the message is not protected against change"
    return "gpg cannot decrypt it"
