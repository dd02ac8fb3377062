"""Flags → what a generator's commands, and a whole delivery, may use."""

from __future__ import annotations

from typing import Final

from flux_secret.errors import UsageError
from flux_secret.model.bounds import MIB, Bounds, WorkerBounds
from flux_secret.model.quantity import parse_quantity, shown_quantity
from flux_secret.settings.flags import Flags
from flux_secret.settings.targets import seconds

_LEAST_MEMORY: Final = 32 * MIB  # enough for shells; kubectl's kustomize asks for 96 MiB
_LEAST_DELIVERY: Final = 256 * MIB  # what is imported takes a third of it
_LEAST_SECONDS: Final = 1.0
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


def worker_bounds_of(flags: Flags) -> WorkerBounds:
    """Read the flags; raise `UsageError`."""
    limit = seconds("--delivery-timeout", flags.delivery_timeout)
    if limit < _LEAST_SECONDS:
        raise UsageError(
            f"--delivery-timeout {flags.delivery_timeout} is less than any delivery needs",
            remedy=f"write {_LEAST_SECONDS:g}s or more",
        )
    memory = _size("--delivery-memory", flags.delivery_memory, _LEAST_DELIVERY, "delivery")
    return WorkerBounds(limit, memory)


def _size(flag: str, text: str, least: int, who: str = "command") -> int:
    try:
        size = parse_quantity(text)
    except UsageError as error:
        raise UsageError(f"{flag}: {error.what}", remedy=error.remedy) from None
    if size < least:
        raise UsageError(
            f"{flag} {text} is less than any {who} needs",
            remedy=f"write {shown_quantity(least)} or more",
        )
    return size
