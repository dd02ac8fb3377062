"""A mirror's commit → who changed a line or a file of it last; nothing is fetched."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from flux_secret.model.why import Touched
from flux_secret.outside.git.mirror import Mirror

_SECONDS: Final = 20.0  # of one question
_FORMAT: Final = "--format=%H%x1f%an%x1f%aI"
_ZONE: Final = re.compile(r"([+-])(\d\d)(\d\d)\Z")


async def touched(mirror: Mirror, commit: str, file: str, line: int | None) -> Touched | None:
    """Give the last commit that changed a line; without one, the file; without a file, itself."""
    if file and line is not None:
        found = await _blamed(mirror, commit, file, line)
        if found is not None:
            return found
    history = await commits(mirror, commit, file, limit=1)
    return history[0] if history else None


async def commits(mirror: Mirror, commit: str, file: str, *, limit: int) -> list[Touched]:
    """Give the commits that changed a file, the newest first; without a file, all of them."""
    words = ("log", "--no-show-signature", "--no-color", "--encoding=UTF-8", _FORMAT)
    paths = ("--", file) if file else ("--",)
    found = await mirror.git.local(
        mirror.path, *words, f"--max-count={limit}", commit, *paths, seconds=_SECONDS
    )
    rows = (found or b"").decode(errors="replace").splitlines()
    return [Touched(*row.split("\x1f")) for row in rows if row.count("\x1f") == 2]  # noqa: PLR2004


async def _blamed(mirror: Mirror, commit: str, file: str, line: int) -> Touched | None:
    words = ("blame", "--porcelain", f"-L{line},{line}", commit, "--", file)
    found = await mirror.git.local(mirror.path, *words, seconds=_SECONDS)
    lines = (found or b"").decode(errors="replace").splitlines()
    if not lines:
        return None
    said = dict(one.partition(" ")[::2] for one in lines[1:] if not one.startswith("\t"))
    return Touched(lines[0].split()[0], said.get("author", ""), _when(said))


def _when(said: dict[str, str]) -> str:
    """Write a time as git-blame gives it: seconds since the epoch, and a zone."""
    zone = _ZONE.match(said.get("author-tz", ""))
    try:
        seconds = int(said.get("author-time", ""))
    except ValueError:
        return ""
    offset = timedelta(hours=int(zone[2]), minutes=int(zone[3])) if zone else timedelta()
    where = timezone(-offset if zone and zone[1] == "-" else offset) if offset else UTC
    return datetime.fromtimestamp(seconds, where).isoformat()
