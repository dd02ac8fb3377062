"""A process of its own that records until something ends it; it says what it was promised."""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from flux_secret.audit.keeper import RecordKeeper
from flux_secret.errors import RecordError
from flux_secret.model.record import Kind, Note

TEXT = "x" * 400


async def forever(root: Path) -> None:
    """Record one thing after another, and print its name once it is durable."""
    async with RecordKeeper(root, "agent") as record:
        number = 0
        while True:
            names = [f"entry-{number + more}" for more in range(3)]
            await asyncio.gather(*(record.write([Note(Kind.READ, name)]) for name in names))
            sys.stdout.write("".join(f"{name}\n" for name in names))
            sys.stdout.flush()
            number += 3


async def until_full(root: Path, limit: int) -> None:
    """Record until there is no room, make room, and record once more; print what was durable.

    With a limit it is one on the size of a file; without it the disk is full, but for `filler`.
    """
    filler = root.parent / "filler"
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    else:
        filler.write_bytes(b"f" * 60_000)
    async with RecordKeeper(root, "agent") as record:
        number = 0
        try:
            while number < 10_000:
                await record.write([Note(Kind.READ, f"entry-{number}", {"text": TEXT})])
                sys.stdout.write(f"entry-{number}\n")
                number += 1
        except RecordError as failure:
            sys.stdout.write(f"refused: {failure.what}\n")
        for _ in range(3):
            try:
                await record.write([Note(Kind.READ, "lost", {"text": TEXT}) for _ in range(9)])
                sys.stdout.write("lost\n")
            except RecordError:
                sys.stdout.write("refused again\n")
        if limit:
            resource.setrlimit(
                resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            )
        else:
            filler.unlink()
        await record.write([Note(Kind.READ, "at last")])
        sys.stdout.write("at last\n")


if __name__ == "__main__":
    what, place, *more = sys.argv[1:]
    if what == "forever":
        asyncio.run(forever(Path(place)))
    else:
        asyncio.run(until_full(Path(place), int(more[0])))
    for file in sorted(Path(place).glob("*/*.jsonl")) if what != "forever" else ():
        sys.stdout.write(f"--\n{file.read_text()}")
