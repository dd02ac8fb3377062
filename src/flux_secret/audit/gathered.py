"""Many writes at once → few: whoever comes while one is on its way goes with the next.

It is what databases call group commit. Each still returns only when its own notes are durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from flux_secret.errors import FluxSecretError, RecordError
from flux_secret.model.record import Note, Recorder


@dataclass(slots=True)
class _Batch:
    notes: list[Note] = field(default_factory=list)
    is_durable: bool = False
    error: FluxSecretError | None = None


class Gathered:
    """Writes to a recorder that is far away: one request at a time."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._turn = asyncio.Lock()
        self._next = _Batch()

    async def write(self, notes: Sequence[Note]) -> None:
        """Return once they are durable; raise `RecordError`."""
        batch = self._next
        batch.notes += notes
        async with self._turn:
            if batch is self._next:  # nobody has taken it along
                self._next = _Batch()
                await self._written(batch)
        if batch.error is not None:
            raise batch.error
        if not batch.is_durable:  # whoever took it along was interrupted
            raise RecordError(
                "the record was not written: whoever wrote it was interrupted",
                remedy="it is tried again",
            )

    async def _written(self, batch: _Batch) -> None:
        try:
            await self._recorder.write(batch.notes)
            batch.is_durable = True
        except FluxSecretError as failure:
            batch.error = failure
