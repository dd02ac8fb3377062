"""What a long change has done so far, kept inside `.git` until it is committed.

One line a file that is encrypted anew: which bytes it was made from, for whom, and which object of
git it became. Whoever is killed loses the line that was being written, and no more; the next one
takes up what still fits, and checks it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from flux_secret.errors import ConfigurationError
from flux_secret.outside.files import write_atomic
from flux_secret.outside.process import MIB

PROGRESS: Final = "flux-secret-progress"
MAX_BYTES: Final = 64 * MIB  # a line has about 250 bytes


class Step(NamedTuple):
    """One file that is done."""

    path: str
    old: str
    """Object id of the bytes that it was made from."""
    wanted: str
    """For whom, as one word."""
    new: str
    """Object id of the bytes that it became."""


class Progress:
    """The file that remembers steps."""

    def __init__(self, git_dir: Path) -> None:
        self._file = git_dir / PROGRESS

    @property
    def is_there(self) -> bool:
        """Whether somebody began and did not end."""
        return self._file.exists()

    def steps(self) -> list[Step]:
        """Give every step that is written whole."""
        try:
            with self._file.open("rb") as file:
                untrusted = file.read(MAX_BYTES)
        except FileNotFoundError:
            return []
        steps = (_step(line) for line in untrusted.splitlines())
        return [step for step in steps if step is not None]

    def add(self, steps: Iterable[Step]) -> None:
        """Remember more steps, on the disk when this returns."""
        # a line break before each: what stands there may be half a line
        lines = b"".join(b"\n" + json.dumps(step).encode() for step in steps) + b"\n"
        try:
            with self._file.open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ConfigurationError(
                f"{self._file} cannot be written: {error.strerror}",
                remedy="make room on the disk, or mend the rights; nothing was changed",
            ) from None

    def clear(self) -> None:
        """Forget everything."""
        self._file.unlink(missing_ok=True)

    def forget(self, paths: Iterable[str]) -> None:
        """Forget the steps of these files: they are committed."""
        done = set(paths)
        left = [step for step in self.steps() if step.path not in done]
        if left:
            with contextlib.suppress(OSError):  # too much on record is only work that is looked at
                write_atomic(
                    self._file, b"".join(json.dumps(step).encode() + b"\n" for step in left)
                )
        else:
            self._file.unlink(missing_ok=True)


def _step(line: bytes) -> Step | None:
    try:
        words = json.loads(line)
    except ValueError:
        return None
    if not isinstance(words, list) or len(words) != len(Step._fields):
        return None
    return Step(*words) if all(isinstance(word, str) for word in words) else None
