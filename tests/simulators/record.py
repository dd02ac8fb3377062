"""Records for tests: one that is a list, and one that is slow, or full."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from flux_secret.errors import RecordError
from flux_secret.model.record import Kind, Note


@dataclass
class ListedRecord:
    """Keeps notes in a list; while it is `full` it takes none."""

    notes: list[Note] = field(default_factory=list)
    writes: int = 0
    full: bool = False
    full_after: int | None = None
    """Notes from which on it is full."""

    async def write(self, notes: Sequence[Note]) -> None:
        await asyncio.sleep(0)
        if self.full or (self.full_after is not None and len(self.notes) >= self.full_after):
            raise RecordError("nothing can be recorded: no space left", remedy="make room")
        self.writes += 1
        self.notes += notes

    def kinds(self) -> list[str]:
        return [note.kind.value for note in self.notes]

    def of(self, kind: Kind) -> list[Note]:
        return [note for note in self.notes if note.kind is kind]
