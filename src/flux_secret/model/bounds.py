"""What a generator's commands, and a whole delivery, may use: each flag's default stands here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one command and all that it starts may use together."""

    memory_bytes: int = 1024 * MIB
    """`--generator-memory`: private memory, and files in the checkout and the scratch folder, which
    lie in memory."""
    processes: int = 256
    """`--generator-processes`."""
    output_bytes: int = 16 * MIB
    """`--generator-output`: on standard output."""
    temporary_bytes: int = 64 * MIB
    """`--generator-tmp`: of `/tmp` and of `/dev/shm`, where they are private. TMPDIR is neither."""
    open_files: int = 1024
    """A process."""


BOUNDS: Final = Bounds()


@dataclass(frozen=True, slots=True)
class WorkerBounds:
    """What the process of one delivery may use; generators' commands are bounded by themselves."""

    seconds: float = 900.0
    """`--delivery-timeout`: from its start to its end, generators included."""
    memory_bytes: int = 1024 * MIB
    """`--delivery-memory`: private memory."""
