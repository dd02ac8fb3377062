"""A private copy of a commit, and whether scripts have left it as it was: then it is lent again.

Unpacking 3,000 files and folders and removing them takes 37 ms of a processor; a look at all of
them, and at what is in them, 22. Names, kinds, modes, links and owners are compared, and the
kernel's own time of the last change of each (`st_ctime`, inode(7)), which no script can set back;
then what is in the files, since a write through a mapping may move no time (tmpfs). Whoever had the
copy has ended with all that it started, so nothing comes later (ADR 0030).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import struct
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import structlog

from flux_secret.outside.files import scratch
from flux_secret.outside.process import MIB
from flux_secret.outside.worktree import in_thread

RACY_SECONDS: Final = 0.02
"""Two changes within one tick of the kernel's clock have one time; a tick is 10 ms at most."""
IDLE_SECONDS: Final = 5.0
"""How long nobody may want a copy before it is removed: it takes memory."""
MOST_IDLE: Final = 16
MOST_BYTES: Final = 256 * MIB
"""Of all that wait."""
_State: TypeAlias = tuple[int, bytes]
"""How many files and folders, and a digest of what changes with each of them."""
_ABOUT: Final = struct.Struct("=QIQIIQQQ")
_WHOLE: Final = 2**64 - 1  # a script may set a time that no one has lived in
_NAME_BYTES: Final = 16
_log = structlog.get_logger(component="checkout")


@dataclass(slots=True)
class Copy:
    """One of them; `root` may be written to. No two that have it know it by the same name."""

    root: Path
    bytes: int
    _place: contextlib.ExitStack
    _before: _State | None = None
    """What it was like before anybody had it; None for one that is not lent again."""
    idle_since: float = 0.0

    @classmethod
    async def make(cls, fill: Callable[[Path], Awaitable[None]], size: int, *, again: bool) -> Copy:
        """Have one filled, which takes about `size` bytes; `again`: it may be lent again."""
        place = contextlib.ExitStack()
        try:
            folder = place.enter_context(scratch("checkout", runnable=True))
            root = folder / secrets.token_hex(_NAME_BYTES) / "tree"
            root.parent.mkdir(mode=0o700)
            await fill(root)
            before = await asyncio.to_thread(_state, root) if again else None
            if again:
                await asyncio.sleep(RACY_SECONDS)
        except BaseException:
            await in_thread(place.close, lambda: None)
            raise
        return cls(root, size, place, before)

    async def is_untouched(self) -> bool:
        """Whether it is as it was before anybody had it, by all that a folder says of its files.

        Anything that goes wrong at that is a change: a script has locked something away.
        """
        before, untouched = self._before, False

        def look() -> None:
            nonlocal untouched
            with contextlib.suppress(Exception):
                untouched = before is not None and _state(self.root, most=before[0]) == before

        await in_thread(look, lambda: None)
        return untouched

    def rename(self) -> None:
        """Take another name: whoever had it knows the one that it had."""
        folder = self.root.parent
        self.root = folder.rename(folder.with_name(secrets.token_hex(_NAME_BYTES))) / "tree"

    async def remove(self) -> None:
        """Take it away, also what scripts have locked in it."""
        await in_thread(self._place.close, lambda: None)


class Idle:
    """Copies that nobody has; gone after a while, and at the end."""

    def __init__(self) -> None:
        """Begin with none, and keep none before it is opened."""
        self._copies: dict[Hashable, list[Copy]] = {}
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

    def take(self, what: Hashable) -> Copy | None:
        """Give one of this, the one that came back last, under a new name."""
        copies = self._copies.get(what)
        if not copies:
            return None
        copy = copies.pop()
        try:
            copy.rename()
        except OSError:  # somebody has removed it
            self._remove([copy])
            return None
        return copy

    async def give(
        self, what: Hashable, copy: Copy, has_same: Callable[[Path], Awaitable[bool]]
    ) -> None:
        """Take one back; it is removed unless it is as it was, and `has_same` content.

        Raises nothing but being cancelled: then it is removed as well.
        """
        kept = False
        try:
            if self._has_room(copy) and await copy.is_untouched() and await has_same(copy.root):
                kept = self._has_room(copy)
        except Exception as failure:  # noqa: BLE001 -- one more copy is no reason to end a delivery
            _log.warning("copy.not_kept", err=type(failure).__name__)
        finally:
            if not kept:
                await copy.remove()
        if kept:
            copy.idle_since = asyncio.get_running_loop().time()
            self._copies.setdefault(what, []).append(copy)
            self._look_later(IDLE_SECONDS)

    def drop(self, what: Hashable) -> None:
        """Remove those that nobody will want."""
        self._remove(self._copies.pop(what, []))

    async def close(self) -> None:
        """Remove all, and keep none any more."""
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
        for what in tuple(self._copies):
            self.drop(what)
        await asyncio.gather(*self._removing)

    def _has_room(self, copy: Copy) -> bool:
        waiting = [one for copies in self._copies.values() for one in copies]
        size = copy.bytes + sum(one.bytes for one in waiting)
        return self._is_open and len(waiting) < MOST_IDLE and size <= MOST_BYTES

    def _look_later(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """Remove those that nobody wanted for a while."""
        self._timer = None
        oldest = asyncio.get_running_loop().time() - IDLE_SECONDS
        for what, copies in tuple(self._copies.items()):
            kept = [one for one in copies if one.idle_since > oldest]
            self._remove([one for one in copies if one.idle_since <= oldest])
            self._copies[what] = kept
            if not kept:
                del self._copies[what]
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
    digest, seen, start = hashlib.sha256(_packed(root.lstat())), 1, len(str(root))
    waiting = [str(root)]
    while waiting and seen != most + 1:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:  # in the same order, as long as nothing is added or removed
                seen += 1
                if seen == most + 1:
                    break
                digest.update(os.fsencode(entry.path[start:]) + b"\0")
                digest.update(_packed(entry.stat(follow_symlinks=False)))
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return seen, digest.digest()


def _packed(about: os.stat_result) -> bytes:
    return _ABOUT.pack(
        about.st_ino & _WHOLE,
        about.st_mode,
        about.st_nlink,
        about.st_uid,
        about.st_gid,
        about.st_size & _WHOLE,
        about.st_mtime_ns & _WHOLE,
        about.st_ctime_ns & _WHOLE,
    )
