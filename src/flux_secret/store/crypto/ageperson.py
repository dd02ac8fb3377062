"""A person's identities for age, where gopass, passage and ssh keep them.

Files are read when they are first needed, and kept in memory until the command ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flux_secret.errors import KeyFileError
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.crypto.ageidentities import (
    Identities,
    identities,
    is_locked,
    read,
    together,
    unlock,
)

Ask = Callable[[str], Awaitable[Plaintext | None]]
"""A file's name → its passphrase; None where nobody can be asked."""


@dataclass(frozen=True, slots=True)
class AgeFiles:
    """Where a person's identities may be."""

    files: Sequence[Path]
    """gopass's own, which is under a passphrase, and passage's, which may be."""
    ssh: Sequence[Path]


class PersonsAge:
    """The identities of one person."""

    def __init__(self, files: AgeFiles, ask: Ask) -> None:
        self._files = files
        self._ask = ask
        self._plain: Identities | None = None
        self._ssh: Identities | None = None
        self._unlocked: Identities | None = None
        self._failed: KeyFileError | None = None
        self._locked: list[tuple[Path, bytes]] = []
        self._one_at_a_time = asyncio.Lock()

    def forget(self) -> None:
        """Read the files anew when they are needed again."""
        self._plain = self._ssh = self._unlocked = self._failed = None

    async def ready(self, *, ssh: bool) -> Identities:
        """Give those that nothing has to be asked for; with those of ssh, or without."""
        plain = self._read()
        if ssh and self._ssh is None:
            keys = {path: read(path) for path in self._files.ssh}
            self._ssh = together(identities(key, str(path)) for path, key in keys.items() if key)
        return plain + self._ssh if ssh and self._ssh else plain

    async def unlocked(self) -> Identities:
        """Give those under a passphrase, which is asked for once; raise `KeyFileError`."""
        self._read()
        async with self._one_at_a_time:
            if self._failed is not None:
                raise self._failed
            if self._unlocked is None:
                try:
                    self._unlocked = together(
                        [await self._unlock(path, data) for path, data in self._locked]
                    )
                except KeyFileError as failure:
                    self._failed = failure
                    raise
            return self._unlocked

    async def _unlock(self, path: Path, data: bytes) -> Identities:
        passphrase = await self._ask(str(path))
        if passphrase is None:
            raise KeyFileError(
                f"{path} is under a passphrase, and there is no terminal to ask for it on",
                remedy="run it on a terminal, or set GOPASS_AGE_PASSWORD",
            )
        text = await asyncio.to_thread(unlock, data, passphrase, str(path))
        return identities(text.reveal(), str(path))

    def _read(self) -> Identities:
        if self._plain is None:
            there = {path: data for path in self._files.files if (data := read(path))}
            self._locked = [(path, data) for path, data in there.items() if is_locked(data)]
            self._plain = together(
                identities(data, str(path)) for path, data in there.items() if not is_locked(data)
            )
        return self._plain
