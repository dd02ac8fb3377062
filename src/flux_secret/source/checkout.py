"""Target → Checkout: the newest commit of its branch, laid out in a private copy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from flux_secret.errors import SourceError, UsageError
from flux_secret.model.target import Target
from flux_secret.outside.objects import DamagedRepositoryError
from flux_secret.source.interface import LayOut, Mirror, MirrorOf


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

    async def head(self, target: Target) -> str:
        """Fetch; give the commit that a checkout would lay out."""
        return await self._mirror_of(target.source).fetch(target.source.branch)

    @asynccontextmanager
    async def checkout(self, target: Target) -> AsyncIterator[Checkout]:
        """Fetch, pin and lay out; the copy is removed on every path.

        Raises what the mirror raises, and `SourceError` when the path is not there: a missing path
        is an error, never an empty target (design decision 13).
        """
        _check(target.path)
        mirror = self._mirror_of(target.source)
        commit = await mirror.fetch(target.source.branch)
        async with AsyncExitStack() as copies:
            try:
                root = await copies.enter_async_context(self._lay_out(mirror.path, commit))
            except DamagedRepositoryError:
                commit = await _fetch_anew(mirror, target.source.branch)
                root = await copies.enter_async_context(self._lay_out(mirror.path, commit))
            yield Checkout(root, _directory(root, target, commit), commit)


async def _fetch_anew(mirror: Mirror, branch: str) -> str:
    mirror.condemn()
    return await mirror.fetch(branch)


def _check(path: str) -> None:
    if path.startswith("/"):
        raise UsageError(  # Flux v1's own words, facts/flux-v1.md §1.2
            "subdirectory given as --git-path should not have leading forward slash",
            remedy=f"write --git-path={path.lstrip('/')}",
        )
    parts = path.split("/")
    if ".." in parts or ".git" in parts or not path.isprintable():
        raise UsageError(
            f"--git-path {path[:200]!a} leads out of the repository",
            remedy="name a path inside it",
        )


def _directory(root: Path, target: Target, commit: str) -> Path:
    inside = root.resolve()
    try:
        directory = (inside / target.path).resolve()
        there = directory.exists()
    except (OSError, RuntimeError):  # a link that leads to itself, or a name too long for a file
        there = False
    else:
        if directory != inside and inside not in directory.parents:
            raise SourceError(
                f"git path {target.path!r} leads out of the repository at {commit[:12]}",
                remedy="name a path inside it; a link may not lead out",
            )
    if not there:
        raise SourceError(
            f"git path {target.path!r} does not exist in {target.source.url} at {commit[:12]}",
            remedy="mend --git-path, or bring the path back; nothing was removed meanwhile",
        )
    if directory.is_dir() and not any(entry.name != ".git" for entry in directory.iterdir()):
        # git keeps no empty folders; taken for an empty target, its objects would be pruned
        raise SourceError(
            f"git path {target.path!r} is empty in {target.source.url} at {commit[:12]}",
            remedy="a submodule is not fetched: name its own repository; nothing was removed",
        )
    return directory
