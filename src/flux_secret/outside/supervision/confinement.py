"""What a supervised program may use and see."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, Self


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a program and all that it starts may use together, and what it may see."""

    memory_bytes: int = 0
    """Private memory of all processes, and the files in `folders`; 0 for no bound."""
    processes: int = 0
    """How many at once; 0 for no bound."""
    open_files: int = 0
    """A process; 0 for no bound."""
    folders: Sequence[str] = ()
    """Memory-backed folders whose files count."""
    seccomp: bytes = b""
    """A filter for the program, or for the `{filter}` in its words."""
    landlock: bool = False
    """Whether the program is confined to the three lists below."""
    readable: Sequence[str] = ()
    writable: Sequence[str] = ()
    devices: Sequence[str] = ()


_BOUNDS: Final = tuple(field.name for field in fields(Confinement))


@dataclass(frozen=True, slots=True)
class Job:
    """A program, and all that it gets: how the fork server is asked for it."""

    argv: Sequence[str]
    env: Mapping[str, str]
    """Its whole environment."""
    cwd: str
    confinement: Confinement = Confinement()

    def packed(self) -> bytes:
        """Give it as JSON; paths that are no text survive as lone surrogates."""
        bounds = {name: getattr(self.confinement, name) for name in _BOUNDS}
        bounds["seccomp"] = self.confinement.seccomp.hex()
        tree = {"argv": self.argv, "env": dict(self.env), "cwd": self.cwd, "confinement": bounds}
        return json.dumps(tree).encode()

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """Read what `packed` gave."""
        tree = json.loads(data)
        confined = tree.pop("confinement")
        confined["seccomp"] = bytes.fromhex(confined["seccomp"])
        return cls(**tree, confinement=Confinement(**confined))
