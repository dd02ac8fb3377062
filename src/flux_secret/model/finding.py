"""What `doctor` and `store check` find: a level, what it is about, what is so, and what to do."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from flux_secret.errors import FluxSecretError


class Level(enum.Enum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    """It works, and a person should know."""
    ERROR = "error"
    """It does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    about: str
    """`sandbox`, `repository URL`, `store NAME`, `keys`, `cluster`, `target PATH`."""
    says: str
    remedy: str = ""
    exit_code: int = 0
    """Of an error, as everywhere (design §6); 0 for the others."""
    kind: str = ""
    """What sort of thing it is, for programs; empty where none asks."""

    @classmethod
    def of(cls, about: str, failure: FluxSecretError) -> Finding:
        """Make an error of a failure."""
        return cls(Level.ERROR, about, failure.what, failure.remedy, failure.exit_code)
