"""Flags → what a generator's commands may use."""

from __future__ import annotations

from typing import Final

from flux_secret.errors import UsageError
from flux_secret.model.bounds import MIB, Bounds
from flux_secret.model.quantity import parse_quantity, shown_quantity
from flux_secret.settings.flags import Flags

_LEAST_MEMORY: Final = 32 * MIB  # enough for shells; kubectl's kustomize asks for 96 MiB
_LEAST_OUTPUT: Final = 64 * 1024
_LEAST_TEMPORARY: Final = 4096
_LEAST_PROCESSES: Final = 8  # bubblewrap's two, a shell, a pipeline


def bounds_of(flags: Flags) -> Bounds:
    """Read the flags; raise `UsageError`."""
    if flags.generator_processes < _LEAST_PROCESSES:
        raise UsageError(
            f"--generator-processes {flags.generator_processes} is less than any command needs",
            remedy=f"write {_LEAST_PROCESSES} or more",
        )
    return Bounds(
        memory_bytes=_size("--generator-memory", flags.generator_memory, _LEAST_MEMORY),
        processes=flags.generator_processes,
        output_bytes=_size("--generator-output", flags.generator_output, _LEAST_OUTPUT),
        temporary_bytes=_size("--generator-tmp", flags.generator_tmp, _LEAST_TEMPORARY),
    )


def _size(flag: str, text: str, least: int) -> int:
    try:
        size = parse_quantity(text)
    except UsageError as error:
        raise UsageError(f"{flag}: {error.what}", remedy=error.remedy) from None
    if size < least:
        raise UsageError(
            f"{flag} {text} is less than any command needs",
            remedy=f"write {shown_quantity(least)} or more",
        )
    return size
