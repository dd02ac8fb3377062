"""Notes → the same, with the delivery that they belong to; one that left notes ends with one more.

Whose notes they are is said here, in the agent's own process: what a worker gives for the record
belongs to the delivery that the worker was started for, whatever it says itself. An undertaking
that left nothing on the record ends without a word, so a pass with nothing to do writes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Final

from flux_secret.errors import FluxSecretError, RecordError
from flux_secret.model.change import ChangeSet
from flux_secret.model.record import Detail, Kind, Note, Recorder

ID_BYTES: Final = 4
"""The id of one is random, and unique enough for a log: 8 hex digits."""


@dataclass(slots=True)
class Undertaking:
    """A delivery, or whatever else has an intent and an outcome."""

    about: str
    marks: Mapping[str, Detail]
    """What each of its notes says, too: `delivery`, `app`, `target`."""
    _recorders: list[Recorder] = field(default_factory=list)
    """Those that have notes of it."""

    async def end(self, outcome: Mapping[str, Detail]) -> None:
        """Record how it ended, if it left anything on the record; raise `RecordError`."""
        recorders, self._recorders = self._recorders, []
        for recorder in recorders:
            await recorder.write([Note(Kind.OUTCOME, self.about, {**outcome, **self.marks})])

    def wrote(self, recorder: Recorder) -> None:
        """Know that a recorder has notes of it."""
        if recorder not in self._recorders:
            self._recorders.append(recorder)


_now: ContextVar[Undertaking | None] = ContextVar("undertaking", default=None)


@contextmanager
def undertaking(about: str, **marks: Detail) -> Iterator[Undertaking]:
    """Begin one: every note that is written meanwhile, here and in tasks begun here, is of it."""
    one = Undertaking(about, marks)
    token = _now.set(one)
    try:
        yield one
    finally:
        _now.reset(token)


async def removing(app: str, removal: Awaitable[ChangeSet]) -> ChangeSet:
    """Wait for the removal of all that an App, `NAMESPACE/NAME`, owns; it has an outcome, too."""
    with undertaking(app, delivery=secrets.token_hex(ID_BYTES), app=app) as doing:
        try:
            changes = await removal
        except FluxSecretError as failure:
            with suppress(RecordError):  # what went wrong is the news
                await doing.end({"error": failure.what})
            raise
        await doing.end({"objects": len(changes), "failed": len(changes.failed)})
        return changes


class Marked:
    """Gives what is noted to a recorder, with the marks of the undertaking that it is part of."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def write(self, notes: Sequence[Note]) -> None:
        """Record them; raise `RecordError`."""
        one = _now.get()
        if not notes:  # whoever has nothing to say leaves nothing that has to end
            return
        if one is None:
            await self._recorder.write(notes)
            return
        marked = [replace(note, details={**note.details, **one.marks}) for note in notes]
        one.wrote(self._recorder)
        await self._recorder.write(marked)
