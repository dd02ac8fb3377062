"""The lines of one command on a person's record: what it is about, what it reads, how it failed.

The record is opened for each write alone. While it is open no other command of the person goes on
with the same chain, and some commands wait for an editor.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import Final

from flux_secret.errors import FluxSecretError, KeyFileError, RecordError
from flux_secret.model.record import Detail, Kind, Note
from flux_secret.settings.record import RecordSettings

_ID_BYTES: Final = 4


class CommandRecord:
    """The `Recorder` of one command; each line has the person, the command and its id."""

    def __init__(self, command: str) -> None:
        """`command` is its words, as `store show`."""
        self._command = command
        self._id = secrets.token_hex(_ID_BYTES)
        self._waiting: list[Note] = []
        self._known: set[Hashable] = set()
        self._is_begun = False
        self._turn = asyncio.Lock()

    def begin(self, notes: Sequence[Note], *, waits: bool = False) -> None:
        """Record what the command is about, before it does anything; raise `RecordError`.

        With `waits` that comes with the first entry that it reads: a line of that entry says more.
        """
        self._is_begun = True
        self._waiting = [self._marked(note) for note in notes]
        if not waits:
            asyncio.run(self.write(()))

    async def write(self, notes: Sequence[Note]) -> None:
        """Return once they are durable, each entry of one version once; raise `RecordError`."""
        async with self._turn:
            fresh = {_which(note): self._marked(note) for note in notes}
            fresh = {one: note for one, note in fresh.items() if one not in self._known}
            named = {note.about for note in fresh.values()}
            waiting = [note for note in self._waiting if note.about not in named]
            if not waiting and not fresh:
                return
            try:
                await _append(self._settings, [*waiting, *fresh.values()])
            except (RecordError, KeyFileError) as failure:
                raise explained(failure, self._command) from None
            self._waiting, self._is_begun = [], True
            self._known |= fresh.keys()

    def end(self, error: str = "") -> None:
        """Record what still waits, and how it failed if it did.

        Raises `RecordError` for what waits; a failure is recorded where that can be, as what it
        failed with is the news.
        """
        waiting, self._waiting = self._waiting, []
        outcome = [Note(Kind.OUTCOME, self._command, {**self._marks, "error": error})]
        lines = [*waiting, *(outcome if error and self._is_begun else [])]
        if not lines:
            return
        try:
            asyncio.run(_append(self._settings, lines))
        except (RecordError, KeyFileError) as failure:
            if waiting:
                raise explained(failure, self._command) from None

    @cached_property
    def _settings(self) -> RecordSettings:
        return RecordSettings.of_person()

    @cached_property
    def _marks(self) -> Mapping[str, Detail]:
        return {"person": self._settings.name, "command": self._command, "delivery": self._id}

    def _marked(self, note: Note) -> Note:
        return Note(note.kind, note.about, {**note.details, **self._marks})


def explained(failure: RecordError | KeyFileError, command: str) -> FluxSecretError:
    """Say what a person can do, in an emergency, too."""
    remedy = failure.remedy.replace("--record-dir", "FLUX_SECRET_RECORD_DIR=DIRECTORY")
    if isinstance(failure, KeyFileError):
        remedy = (
            "name a key of yours that signs (gpg --list-secret-keys), or none: "
            "FLUX_SECRET_RECORD_SIGNING_KEY"
        )
    return type(failure)(
        failure.what,
        remedy=f"{remedy}; in an emergency: flux-secret --no-record {command} …",
    )


def _which(note: Note) -> Hashable:
    """Tell notes apart that say something else."""
    said = ((name, str(value)) for name, value in note.details.items())
    return (note.kind, note.about, *sorted(said))


async def _append(settings: RecordSettings, notes: Sequence[Note]) -> None:
    from flux_secret.wiring.onrecord import persons

    async with persons(settings) as record:
        await record.write(notes)
