"""Target → Checkout: a commit of its branch, laid out in a private copy."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.errors import SourceError, UsageError
from flux_secret.model.sync import Sync
from flux_secret.model.target import Source, Target
from flux_secret.outside.files import scratch
from flux_secret.outside.objects import DamagedRepositoryError
from flux_secret.outside.once import Lately, Once
from flux_secret.source.branch import Branch, Pin
from flux_secret.source.interface import LayOut

MANIFEST: Final = "secret.yaml"
"""Where a manifest lies that stands in the cluster."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A pinned commit; `root` may be written to and is thrown away."""

    root: Path
    directory: Path
    """The target's directory, or the file that it names, inside `root`."""
    commit: str
    notes: tuple[str, ...] = ()
    """What people should know of it."""


class GitSource:
    """Lays out what a target's branch holds."""

    def __init__(
        self,
        branch_of: Callable[[Source], Branch],
        lay_out: LayOut,
        fresh_seconds: float = 0.0,
        *,
        apart: LayOut | None = None,
    ) -> None:
        """Begin; a branch that was fetched is not fetched again for `fresh_seconds`.

        `apart` lays out for scripts that use the network; without it, `lay_out` does.
        """
        self._branch_of = branch_of
        self._lay_outs = (lay_out, apart or lay_out)
        self._lately = Lately[Source, Pin](lambda source: branch_of(source).pin(), fresh_seconds)

    def forget(self, source: Source) -> None:
        """Fetch anew the next time: there is a new commit."""
        self._lately.forget(source)

    async def head(self, target: Target) -> Pin:
        """Fetch and pin; give what a checkout would lay out."""
        if target.inline:
            return _written(target)
        return await self._branch_of(target.source).pin()

    @asynccontextmanager
    async def checkout(self, target: Target) -> AsyncIterator[Checkout]:
        """Fetch, pin and lay out; the copy is removed on every path.

        Raises what the mirror raises, and `SourceError` when the path is not there: a missing path
        is an error, never an empty target (design decision 13).
        """
        async with self.round() as one, one.checkout(target) as checkout:
            yield checkout

    @asynccontextmanager
    async def round(self) -> AsyncIterator[SourceRound]:
        """Pin each branch once, however many targets it has: all get the same commit."""
        async with (
            Once[Source, Pin](self._lately) as pins,
            Once[Source, None](self._mend) as mended,
        ):
            yield SourceRound(self._branch_of, self._lay_outs, pins, mended)

    async def _mend(self, source: Source) -> None:
        mirror = self._branch_of(source).mirror
        mirror.condemn()
        await mirror.fetch(source.branch)


class SourceRound:
    """The branches at the commits that one round delivers."""

    def __init__(
        self,
        branch_of: Callable[[Source], Branch],
        lay_outs: tuple[LayOut, LayOut],
        pins: Once[Source, Pin],
        mended: Callable[[Source], Awaitable[None]],
    ) -> None:
        self._branch_of = branch_of
        self._lay_outs = lay_outs
        self._pins = pins
        self._mended = mended
        self._pinned: dict[Source, Pin] = {}

    async def head(self, target: Target) -> Pin:
        """Pin; give what a checkout would lay out."""
        if target.inline:
            return _written(target)
        pin = self._pinned[target.source] = await self._pins(target.source)
        return pin

    @asynccontextmanager
    async def checkout(self, target: Target) -> AsyncIterator[Checkout]:
        """Lay out the pinned commit; raises as `GitSource.checkout` does."""
        if target.inline:
            with scratch("written") as root:
                (root / MANIFEST).write_text(target.inline, encoding="utf-8")
                yield Checkout(root, root, _written(target).commit)
            return
        _check(target.path)
        source = target.source
        pin = await self.head(target)
        mirror = self._branch_of(source).mirror
        lay_out = self._lay_outs[target.generation.network]
        async with AsyncExitStack() as copies:
            try:
                root = await copies.enter_async_context(lay_out(mirror.path, pin.commit))
            except DamagedRepositoryError:
                await self._mended(source)
                root = await copies.enter_async_context(lay_out(mirror.path, pin.commit))
            yield Checkout(root, _directory(root, target, pin.commit), pin.commit, pin.notes)

    async def finish(self, delivered: Collection[Source]) -> tuple[Sync, ...]:
        """Move the markers of what was `delivered` in full; say how each branch stands."""
        return tuple(
            [
                await self._branch_of(source).finish(pin, delivered=source in delivered)
                for source, pin in self._pinned.items()
            ]
        )


def _written(target: Target) -> Pin:
    """Give the only revision of a manifest that stands in the cluster: a digest of what it says."""
    commit = hashlib.sha256(target.inline.encode()).hexdigest()[:40]  # as long as a commit's id
    return Pin(target.source, commit, commit)


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
