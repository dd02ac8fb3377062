"""Test vectors, a file each, as age has them: header lines, an empty line, the payload."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors"
_PART = re.compile(rb"^=== (.*)\n", re.MULTILINE)


@dataclass(frozen=True)
class Vector:
    """One case; a header may stand several times."""

    name: str
    headers: Mapping[str, Sequence[str]]
    payload: bytes

    def all(self, header: str) -> list[str]:
        return list(self.headers.get(header, ()))

    def one(self, header: str) -> str:
        (value,) = self.headers[header]
        return value

    def parts(self) -> dict[str, bytes]:
        """Open a payload of several files or outputs, each after a line `=== NAME`."""
        before, *rest = _PART.split(self.payload)
        assert before == b"", f"{self.name}: its payload does not begin with ==="
        return {name.decode(): text for name, text in zip(rest[::2], rest[1::2], strict=True)}


def read_vectors(folder: str, known: Collection[str]) -> list[Vector]:
    """Read a folder of them; every one says what is expected, and which source says so."""
    vectors = [_read(file) for file in sorted((VECTORS / folder).iterdir())]
    for vector in vectors:
        assert vector.headers.keys() <= {"expect", "source", *known}, vector.name
        assert vector.all("expect"), f"{vector.name} expects nothing"
        assert vector.all("source"), f"{vector.name} names no source"
    return vectors


def _read(file: Path) -> Vector:
    head, separator, payload = file.read_bytes().partition(b"\n\n")
    assert separator, f"{file.name} has no empty line after its header"
    headers: dict[str, list[str]] = {}
    for line in head.decode().split("\n"):
        name, _, value = line.partition(":")
        headers.setdefault(name, []).append(value.removeprefix(" "))
    return Vector(file.name, headers, payload)
