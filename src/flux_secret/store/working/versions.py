"""A store's versions → digests of what is in each; every version is decrypted once for all times.

What is already known comes from the cache. What cannot be decrypted here is tried again each time,
as the key may be there next time.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from flux_secret.errors import DecryptError
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.working.parts import Parts
from flux_secret.store.working.recorded import Opener, Sealed
from flux_secret.store.working.reencrypt import Watch

_PORTION: Final = 200  # messages that are decrypted at one time
_KEEP_EVERY: Final = 2000  # messages, so that a scan that is interrupted begins where it was


class Remembering(Protocol):
    """What keeps records of blobs from one time to the next."""

    @property
    def key(self) -> bytes:
        """For digests of values."""

    @property
    def records(self) -> MutableMapping[str, bytes]:
        """Blob id → its record."""

    def keep(self, blobs: Collection[str]) -> None:
        """Write the records of these blobs, and forget all others."""


@dataclass(slots=True)
class Forgetting:
    """Keeps nothing: digests under a key that ends with the command."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    records: dict[str, bytes] = field(default_factory=dict)

    def keep(self, blobs: Collection[str]) -> None:
        """Keep nothing."""


@dataclass(slots=True)
class Counted:
    """How much work it was."""

    known: int = 0
    """Versions whose digests were remembered."""
    decrypted: int = 0
    failed: int = 0
    """Versions that cannot be decrypted here."""


@dataclass(frozen=True, slots=True)
class Digests:
    """Digests a store's versions."""

    opener: Opener
    memory: Remembering
    watch: Watch | None = None
    """Is told of those that have to be decrypted."""
    counted: Counted = field(default_factory=Counted)

    async def of(
        self, versions: Iterable[Sealed], read: Callable[[str], bytes]
    ) -> dict[str, Parts | None]:
        """Give the digests of each blob, whose bytes `read` gives; None for what is closed here.

        On the record a blob has the name of the first version that has it, and the others' beside
        it. The versions of one entry are decrypted together, so that they are one line of it.
        """
        each: dict[str, Sealed] = {}
        names: dict[str, dict[str, None]] = {}
        for one in versions:
            each.setdefault(one.blob, one)
            names.setdefault(one.blob, {})[one.name] = None
        parts: dict[str, Parts | None] = {}
        for blob in each:
            known = self._known(blob)
            if known is not None:
                parts[blob] = known
        due = sorted(
            (
                one._replace(also=tuple(names[one.blob])[1:])
                for one in each.values()
                if one.blob not in parts
            ),
            key=_entry,
        )
        self.counted.known += len(parts)
        for at in range(0, len(due), _PORTION):
            portion = due[at : at + _PORTION]
            opened = await self.opener.open_all([(one, read(one.blob)) for one in portion])
            parts |= {
                one.blob: self._digest(one.blob, text)
                for one, text in zip(portion, opened, strict=True)
            }
            if self.watch is not None:
                self.watch(at + len(portion), len(due))
            if (at + _PORTION) % _KEEP_EVERY == 0:
                self.memory.keep(self.memory.records.keys())
        return parts

    def _known(self, blob: str) -> Parts | None:
        record = self.memory.records.get(blob)
        return Parts.remembered(record) if record is not None else None

    def _digest(self, blob: str, text: Plaintext | DecryptError) -> Parts | None:
        if isinstance(text, DecryptError):
            self.counted.failed += 1
            return None
        found = Parts.of(text, self.memory.key)
        self.memory.records[blob] = found.record
        self.counted.decrypted += 1
        return found


def _entry(one: Sealed) -> str:
    return one.name


def names_of(parts: Parts, digests: Sequence[str]) -> tuple[str, ...]:
    """Give the names of keys for those that are only remembered."""
    named = {digest.hex(): name for name, digest in parts.keys.items()}
    return tuple(named.get(one, one) for one in digests)
