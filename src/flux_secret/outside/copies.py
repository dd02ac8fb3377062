"""A private copy of a commit, and whether scripts have left it as it was: then it is lent again.

Unpacking 3,000 files and folders and removing them takes 50 ms of a processor; a look at all of
them takes 11. What counts is what no script can set back: the kernel's time of the last change
of each file and folder (`st_ctime`, inode(7)), beside its number, mode, size and links. Whoever had
the copy has ended with all that it started, so nothing comes later (ADR 0030).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from flux_secret.outside.files import scratch
from flux_secret.outside.worktree import in_thread, remove

RACY_SECONDS: Final = 0.02
"""Two changes within one tick of the kernel's clock have one time; a tick is 10 ms at most."""
IDLE_SECONDS: Final = 5.0
"""How long nobody may want a copy before it is removed: it takes memory."""
MOST_IDLE: Final = 16
_State: TypeAlias = tuple[int, bytes]
"""How many files and folders, and a digest of what changes with each of them."""
_ABOUT: Final = struct.Struct("=QIQIIqqq")


@dataclass(slots=True)
class Copy:
    """One of them; `root` may be written to."""

    root: Path
    _place: contextlib.ExitStack
    _before: _State | None = None
    """What it was like before anybody had it; None for one that is not lent again."""
    idle_since: float = 0.0

    @classmethod
    async def make(cls, fill: Callable[[Path], Awaitable[None]], *, again: bool) -> Copy:
        """Have one filled; `again`: it may be lent again."""
        with contextlib.ExitStack() as place:
            root = place.enter_context(scratch("checkout", runnable=True)) / "tree"
            place.callback(remove, root)
            await fill(root)
            before = await asyncio.to_thread(lambda: _state(root)) if again else None
            if again:
                await asyncio.sleep(RACY_SECONDS)
            return cls(root, place.pop_all(), before)

    async def is_untouched(self) -> bool:
        """Whether it is as it was before anybody had it."""
        untouched = False

        def look() -> None:
            nonlocal untouched
            with contextlib.suppress(OSError):  # a script has locked something away, or removed it
                untouched = before is not None and _state(self.root, most=before[0]) == before

        before = self._before
        await in_thread(look, lambda: None)
        return untouched

    async def remove(self) -> None:
        """Take it away, also what scripts have locked in it."""
        await in_thread(self._place.close, lambda: None)


class Idle:
    """Copies that nobody has; gone after a while, and at the end."""

    def __init__(self) -> None:
        """Begin with none, and keep none before it is opened."""
        self._copies: dict[str, list[Copy]] = {}
        self._is_open = False
        self._timer: asyncio.TimerHandle | None = None
        self._removing: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Keep what comes back from now on."""
        self._is_open = True

    @property
    def is_open(self) -> bool:
        """Whether a copy may be lent again."""
        return self._is_open

    def take(self, commit: str) -> Copy | None:
        """Give one of a commit, the one that came back last."""
        copies = self._copies.get(commit)
        return copies.pop() if copies else None

    async def give(self, commit: str, copy: Copy) -> None:
        """Take one back; it is removed unless it is as it was."""
        if self._has_room() and await copy.is_untouched() and self._has_room():
            copy.idle_since = asyncio.get_running_loop().time()
            self._copies.setdefault(commit, []).append(copy)
            self._look_later(IDLE_SECONDS)
        else:
            await copy.remove()

    def drop(self, commit: str) -> None:
        """Remove those of a commit that is the newest no more."""
        self._remove(self._copies.pop(commit, []))

    async def close(self) -> None:
        """Remove all, and keep none any more."""
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
        for commit in tuple(self._copies):
            self.drop(commit)
        await asyncio.gather(*self._removing)

    def _has_room(self) -> bool:
        return self._is_open and sum(map(len, self._copies.values())) < MOST_IDLE

    def _look_later(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """Remove those that nobody wanted for a while."""
        self._timer = None
        oldest = asyncio.get_running_loop().time() - IDLE_SECONDS
        for commit, copies in tuple(self._copies.items()):
            kept = [one for one in copies if one.idle_since > oldest]
            self._remove([one for one in copies if one.idle_since <= oldest])
            self._copies[commit] = kept
            if not kept:
                del self._copies[commit]
        if self._copies:
            first = min(one.idle_since for copies in self._copies.values() for one in copies)
            self._look_later(first - oldest)

    def _remove(self, copies: list[Copy]) -> None:
        for copy in copies:
            task = asyncio.ensure_future(copy.remove())
            self._removing.add(task)
            task.add_done_callback(self._removing.discard)


def _state(root: Path, most: int = -1) -> _State:
    """Say how a folder and all in it are; stop where there is more than `most`."""
    digest, seen = hashlib.sha256(_packed(root.lstat())), 1
    waiting = [str(root)]
    while waiting and seen != most + 1:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:  # in the same order, as long as nothing is added or removed
                seen += 1
                if seen == most + 1:
                    break
                digest.update(os.fsencode(entry.path) + b"\0")
                digest.update(_packed(entry.stat(follow_symlinks=False)))
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return seen, digest.digest()


def _packed(about: os.stat_result) -> bytes:
    return _ABOUT.pack(
        about.st_ino,
        about.st_mode,
        about.st_nlink,
        about.st_uid,
        about.st_gid,
        about.st_size,
        about.st_mtime_ns,
        about.st_ctime_ns,
    )
