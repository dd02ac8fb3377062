"""A recorder → the same, for an agent: it is known whether it works, and what came first waits.

What has happened when nothing can be recorded yet (the agent was started, a key was loaded) is not
lost: it is recorded before whatever is recorded next.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from flux_secret.errors import FluxSecretError, RecordError
from flux_secret.model.record import Note, Recorder


def _nobody(_failure: FluxSecretError | None) -> None:
    """Hear it."""


class Watched:
    """One agent's recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.told: Callable[[FluxSecretError | None], None] = _nobody
        """Hears after each write why it could not be done, or None."""
        self._owed: list[Note] = []

    async def write(self, notes: Sequence[Note]) -> None:
        """Record them, and before them what is owed; raise `RecordError`."""
        owed, self._owed = self._owed, []
        try:
            await self._recorder.write([*owed, *notes])
        except BaseException as failure:
            self._owed = [*owed, *self._owed]
            if isinstance(failure, FluxSecretError):
                self.told(failure)
            raise
        self.told(None)

    async def announce(self, notes: Sequence[Note]) -> None:
        """Record what has happened already; if that cannot be now, with whatever comes next."""
        self._owed += notes
        with contextlib.suppress(RecordError):
            await self.write(())
