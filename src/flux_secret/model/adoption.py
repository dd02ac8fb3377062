"""Taking objects over from Flux v1: which way, and whether in earnest."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Direction(enum.Enum):
    """Whose the objects are to be."""

    OURS = "adopted"
    FLUX_V1 = "released"


@dataclass(frozen=True, slots=True)
class Mode:
    """What a person asked for."""

    direction: Direction = Direction.OURS
    dry: bool = True
