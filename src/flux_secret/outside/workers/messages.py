"""What a worker and its parent say to each other: a length, and a pickle of words of ours.

Both ends are the same program, so the format needs no versions. A worker reads what others wrote,
so what comes from it is believed no more than it must be: `unpacked` makes only frozen words, enums
and errors of this package, and calls nothing else. A `Plaintext` refuses to be packed, and none is
made when unpacking.
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flux_secret import errors
from flux_secret.errors import BugError, FluxSecretError

MAX_MESSAGE: Final = 256 * 1024 * 1024  # bytes; an inventory of 50,000 objects is a tenth of it
_LENGTH: Final = 8  # bytes
_OURS: Final = "flux_secret."
_THEIRS: Final = frozenset({("pathlib", "PosixPath"), ("pathlib", "Path")})


@dataclass(frozen=True, slots=True)
class Given:
    """What a worker is given."""

    job: Any
    supervisors: int
    """The process id of the fork server that its commands are started by."""
    memory_bytes: int
    """Private memory that it may have; the kernel gives it no more."""


@dataclass(frozen=True, slots=True)
class Question:
    """The worker wants to know."""

    content: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """The parent answers; or the work is done, and this is what came of it."""

    content: Any


@dataclass(frozen=True, slots=True)
class Failure:
    """The parent cannot answer; or the work failed."""

    error: FluxSecretError


@dataclass(frozen=True, slots=True)
class Line:
    """The worker logs."""

    level: str
    facts: Mapping[str, Any]


def packed(message: object) -> bytes:
    """Give the pickle; raise `BugError` for what may not cross, a `Plaintext` above all."""
    try:
        return pickle.dumps(message, protocol=5)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        why = type(error).__name__  # its words may quote what it is about
        raise BugError(f"what may not leave its process was to be sent: {why}") from None


def unpacked(untrusted: bytes) -> Any:  # noqa: ANN401 -- whatever was packed
    """Read what `packed` gave; raise `BugError` when it is anything else."""
    try:
        return _Words(io.BytesIO(untrusted)).load()
    except Exception as error:  # noqa: BLE001 -- pickle raises whatever
        raise BugError(f"a message between our processes is none: {type(error).__name__}") from None


class _Words(pickle.Unpickler):
    """Makes frozen words, enums and errors of ours, and paths."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 -- pickle's own signature
        """Give the class; raise for everything else that has a name."""
        if (module, name) in _THEIRS:
            return super().find_class(module, name)
        if (module, name) == ("builtins", "getattr"):
            return _member
        if module.startswith(_OURS):
            found = super().find_class(module, name)
            if _is_word(found):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no word of ours")


def _member(kind: object, name: object) -> enum.Enum:
    """Give an enum's member: Python 3.11.0 to 3.11.3 pack it as `getattr(KIND, NAME)`."""
    if isinstance(kind, type) and issubclass(kind, enum.Enum) and isinstance(name, str):
        return kind[name]
    raise pickle.UnpicklingError("an attribute is no word of ours")


def _is_word(found: object) -> bool:
    if not isinstance(found, type):
        return found is errors.made
    return dataclasses.is_dataclass(found) or issubclass(found, enum.Enum | FluxSecretError)


def framed(message: object) -> bytes:
    """Give the bytes to send."""
    data = packed(message)
    return len(data).to_bytes(_LENGTH, "big") + data


async def received(stream: asyncio.StreamReader) -> Any:  # noqa: ANN401 -- one of the above
    """Wait for the next message; None when the other end is gone."""
    try:
        size = int.from_bytes(await stream.readexactly(_LENGTH), "big")
        if size > MAX_MESSAGE:
            raise BugError(f"a message between our processes has {size} bytes")
        return unpacked(await stream.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
