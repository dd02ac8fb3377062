"""Target → Checkout: the newest commit of its branch, laid out in a private copy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from flux_secret.errors import SourceError
from flux_secret.model.target import Target
from flux_secret.source.interface import LayOut, MirrorOf


@dataclass(frozen=True, slots=True)
class Checkout:
    """A pinned commit; `root` may be written to and is thrown away."""

    root: Path
    directory: Path
    """The target's directory, or the file that it names, inside `root`."""
    commit: str


class GitSource:
    """Lays out what a target's branch holds now."""

    def __init__(self, mirror_of: MirrorOf, lay_out: LayOut) -> None:
        self._mirror_of = mirror_of
        self._lay_out = lay_out

    @asynccontextmanager
    async def checkout(self, target: Target) -> AsyncIterator[Checkout]:
        """Fetch, pin and lay out; the copy is removed on every path.

        Raises what the mirror raises, and `SourceError` when the path is not there: a missing path
        is an error, never an empty target (design decision 13).
        """
        mirror = self._mirror_of(target.source)
        commit = await mirror.fetch(target.source.branch)
        with self._lay_out(mirror.path, commit) as root:
            yield Checkout(root, _directory(root, target, commit), commit)


def _directory(root: Path, target: Target, commit: str) -> Path:
    directory = (root / target.path).resolve()
    if directory != root.resolve() and root.resolve() not in directory.parents:
        raise SourceError(
            f"git path {target.path!r} leads out of the repository at {commit[:12]}",
            remedy="name a path inside it; a link may not lead out",
        )
    if not directory.exists():
        raise SourceError(
            f"git path {target.path!r} does not exist in {target.source.url} at {commit[:12]}",
            remedy="mend --git-path, or bring the path back; nothing was removed meanwhile",
        )
    return directory
