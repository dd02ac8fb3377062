"""Ciphertext of sops → clear text, by the sops program, confined (ADR 0015).

sops asks whomever the file names: a key service's address stands in the file, and whoever may push
to the repository writes it. So it runs as generators do, without network, and sees besides its own
scratch folder the age keys, and gpg's home where the file needs gpg. The clear text comes through a
pipe: it is never in a file.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, DecryptError, KeyFileError
from flux_secret.model.bounds import BOUNDS
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.files import scratch
from flux_secret.outside.gpg import Lent
from flux_secret.outside.process import (
    MIB,
    Completed,
    Limits,
    OutputLimitError,
    ProcessTimeoutError,
)
from flux_secret.outside.sandbox.sandbox import Room
from flux_secret.outside.supervision.confinement import Confinement
from flux_secret.outside.workshop import Workshops

MAX_CLEAR: Final = 16 * MIB  # bytes of one file
_DECRYPT: Final = ("--decrypt", "--input-type", "yaml", "--output-type", "yaml")
_NO_KEY: Final = 128
_REASONS: Final = {  # cmd/sops/codes of sops; its words may quote a value, so they are not shown
    24: "its MAC is damaged",
    25: "a value in it is damaged, or was put in another place",
    51: "its MAC does not match: it was changed after it was encrypted",
    52: "it has no MAC",
    _NO_KEY: "no key of this agent opens it",
}
_BY_HAND: Final = "look at it by hand: sops --decrypt FILE"


class Sops:
    """Decrypts with the agent's gpg and age keys."""

    def __init__(
        self, confined: Workshops, lend: Callable[[], Awaitable[Lent]], age_file: Path | None
    ) -> None:
        """`confined` says what confines generators; `lend` gives what gpg needs, once."""
        self._confined = confined
        self._lend = lend
        self._lent: Lent | None = None
        self._lending = asyncio.Lock()
        self._age_file = age_file

    async def decrypt(
        self, ciphertext: bytes, /, *, pgp: bool, timeout_seconds: float
    ) -> Plaintext:
        """Decrypt a YAML file; `pgp`: whether gpg may be needed.

        Raises `DecryptError` when it cannot be opened or is not as it was encrypted, `KeyFileError`
        for the age keys, and `ConfigurationError` where sops or a sandbox is missing.
        """
        path, sandbox = self._confined.path, self._confined.sandbox
        program, readable = _program(path), _age_keys(self._age_file)
        if isinstance(sandbox, ConfigurationError):
            raise ConfigurationError(sandbox.what, remedy=sandbox.remedy)
        env = {"PATH": path, "LC_ALL": "C", "SOPS_DECRYPTION_ORDER": "age,pgp"}
        folders: tuple[Path, ...] = ()
        if pgp and self._has_gpg():
            lent = await self._gpg()
            env, folders = {**lent.env, **env}, lent.folders
        if readable:
            env["SOPS_AGE_KEY_FILE"] = readable[0]
        with scratch("sops") as place:
            env["HOME"] = str(place)
            file = place / "encrypted.yaml"
            file.write_bytes(ciphertext)
            room = Room(
                (place, *folders),
                self._confined.tools.of(path),
                readable=readable,
                local_sockets=pgp,
            )
            argv, bounds = sandbox.confined([program, *_DECRYPT, str(file)], room, place)
            return clear(await self._run(argv, env, place, bounds, timeout_seconds))

    async def _run(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        place: Path,
        bounds: Confinement,
        seconds: float,
    ) -> Completed:
        try:
            return await self._confined.supervisors.run(
                argv, env=env, cwd=place, limits=Limits(seconds, MAX_CLEAR), confinement=bounds
            )
        except ProcessTimeoutError:
            raise DecryptError(
                f"sops did not end within {seconds:g} s (--sync-timeout)",
                remedy="a key that asks for its passphrase cannot be used here; " + _BY_HAND,
            ) from None
        except OutputLimitError:
            raise DecryptError(
                f"it holds more than {MAX_CLEAR / MIB:g} MiB",
                remedy="split it into several files",
            ) from None

    def _has_gpg(self) -> bool:
        """Whether gpg is here; without it age keys may still open the file."""
        if shutil.which("gpg", path=self._confined.path) is not None:
            return True
        if self._age_file is None:
            raise ConfigurationError(
                "the program gpg is not on PATH, and the file is encrypted to OpenPGP keys",
                remedy="install gnupg where this runs",
            )
        return False

    async def _gpg(self) -> Lent:
        async with self._lending:
            if self._lent is None:
                self._lent = await self._lend()
            return self._lent


def examined(path: str, age_file: Path | None) -> str:
    """Say what would be used; raise what `Sops.decrypt` would before it asks anybody."""
    return ", age keys ".join((_program(path), *_age_keys(age_file)))


def _program(path: str) -> str:
    found = shutil.which("sops", path=path)
    if found is None:
        raise ConfigurationError(
            "the program sops is not on PATH",
            remedy="install sops where this runs (https://getsops.io)",
        )
    return found


def _age_keys(age_file: Path | None) -> tuple[str, ...]:
    if age_file is None:
        return ()
    file = age_file.absolute()
    if not file.is_file() or not os.access(file, os.R_OK):
        raise KeyFileError(
            f"the age keys {age_file} cannot be read",
            remedy="let SOPS_AGE_KEY_FILE name a file that this user may read",
        )
    return (str(file),)


def clear(done: Completed) -> Plaintext:
    """Give what sops printed, if it ended well."""
    code = done.returncode
    if code == 0 and done.untrusted_stdout.strip():
        return Plaintext(done.untrusted_stdout)
    if code == 0:
        raise DecryptError("it decrypts to nothing", remedy=_BY_HAND)
    if code < 0:
        raise DecryptError(
            "sops could not run in its sandbox, or used more than "
            f"{BOUNDS.memory_bytes / MIB:g} MiB of memory",
            remedy=_BY_HAND,
        )
    remedy = _BY_HAND
    if code == _NO_KEY:
        remedy = (
            "encrypt it to a key of this agent too (sops updatekeys FILE), or give the agent a key "
            "of it: --git-gpg-key-import, or SOPS_AGE_KEY_FILE"
        )
    raise DecryptError(_REASONS.get(code, f"sops ended with exit code {code}"), remedy=remedy)
