"""Many private copies of one commit: laid out once, packed in our own memory, unpacked for many.

A repository of 300 applications is laid out 300 times a round, once a target. Writing 2,700 files
and folders from blobs takes Python 0.19 s, and holds the others up meanwhile; `tar` takes 0.05 s,
beside us (bench/checkout.py). The packed tree is memory of this process: no script reaches it.
A copy that a target's scripts have left as it was is lent to the next (`copies`).
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import tarfile
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from flux_secret.errors import FluxSecretError, SourceError
from flux_secret.outside.copies import Copy, Idle
from flux_secret.outside.process import MIB, Limits, run
from flux_secret.outside.worktree import lay_out

MAX_PACKED: Final = 64 * MIB
"""A larger tree is laid out anew for each target."""
MOST_PACKED: Final = 256 * MIB
"""Of all repositories together; the one that was asked for longest ago goes first."""
UNPACK_SECONDS: Final = 60.0


class Packed:
    """A packed tree that each `tar` reads by itself: fed through a pipe, it cost us 10 ms each."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = data
        self._handle = -1
        if data and hasattr(os, "memfd_create"):
            self._data, self._handle = b"", os.memfd_create("tree")
            weakref.finalize(self, os.close, self._handle)
            with open(self._handle, "wb", closefd=False) as file:
                file.write(data)

    def __bool__(self) -> bool:
        """Whether there is anything: a tree that is too large is not kept."""
        return bool(self._data) or self._handle >= 0

    @contextmanager
    def opened(self) -> Iterator[bytes | int]:
        """Give it as standard input, from its beginning."""
        if self._handle < 0:
            yield self._data
            return
        handle = os.open(f"/proc/self/fd/{self._handle}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield handle
        finally:
            os.close(handle)


@dataclass(slots=True)
class _Last:
    """The commit of a repository that was asked for last."""

    commit: str = ""
    times: int = 0
    packed: Packed | None = None
    packing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Layouts:
    """Lends copies of commits; remembers the last commit of each repository.

    Within `async with`, copies that came back untouched are lent again; the end removes them.
    """

    def __init__(self, path: str) -> None:
        """`path` is where `tar` is found; without one every copy is laid out."""
        self._tar = shutil.which("tar", path=path)
        self._env = {"PATH": path}
        self._last: dict[Path, _Last] = {}
        self._idle = Idle()

    async def __aenter__(self) -> Self:
        self._idle.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._idle.close()

    @asynccontextmanager
    async def lay_out(self, repository: Path, commit: str) -> AsyncIterator[Path]:
        """Lend a private writable copy, as `worktree.lay_out` does; raises what it raises."""
        async with self._lent(repository, commit, again=True) as root:
            yield root

    @asynccontextmanager
    async def lay_out_apart(self, repository: Path, commit: str) -> AsyncIterator[Path]:
        """Do it for scripts that use the network: what they had is lent to nobody else.

        With a network two sandboxes share abstract sockets, and could hand an open file over.
        """
        async with self._lent(repository, commit, again=False) as root:
            yield root

    @asynccontextmanager
    async def _lent(self, repository: Path, commit: str, *, again: bool) -> AsyncIterator[Path]:
        last = self._last[repository] = self._last.pop(repository, _Last())
        if last.commit != commit:
            self._idle.drop((repository, last.commit))
            last.commit, last.times, last.packed = commit, 0, None
        last.times += 1
        packed = await self._packed(last, repository, commit)
        if packed is None:
            async with lay_out(repository, commit) as root:
                yield root
            return
        again = again and self._idle.is_open
        copy = (self._idle.take((repository, commit)) if again else None) or await Copy.make(
            lambda root: self._unpack(packed, root, commit), packed.size, again=again
        )
        try:
            yield copy.root
        except BaseException:
            await copy.remove()
            raise
        if again and last.commit == commit:
            await self._idle.give(
                (repository, commit), copy, lambda root: self._has_same(packed, root)
            )
        else:
            await copy.remove()

    async def _packed(self, last: _Last, repository: Path, commit: str) -> Packed | None:
        """Give the packed tree, made when a commit is asked for a second time."""
        if self._tar is None or last.times == 1:
            return None
        async with last.packing:
            if last.packed is None and last.commit == commit:
                async with lay_out(repository, commit) as root:
                    packed = Packed(await asyncio.to_thread(_pack, root))
                if last.commit == commit:  # another one may have been asked for meanwhile
                    last.packed = packed
                    self._make_room()
            return last.packed if last.commit == commit and last.packed else None

    def _make_room(self) -> None:
        """Keep of all packed trees as many as may be, those that were asked for last."""
        total = 0
        for one in reversed(self._last.values()):
            if one.packed is None:
                continue
            total += one.packed.size
            if total > MOST_PACKED:
                one.packed, one.times = None, 0

    async def _has_same(self, packed: Packed, root: Path) -> bool:
        """Whether every file has what it had: tar's own comparison, `tar -d`."""
        with packed.opened() as archive:
            done = await run(
                [str(self._tar), "-d", "-f", "-"],
                env=self._env, cwd=root, stdin=archive, limits=Limits(UNPACK_SECONDS),
            )  # fmt: skip
        return done.returncode == 0

    async def _unpack(self, packed: Packed, root: Path, commit: str) -> None:
        await asyncio.to_thread(root.mkdir, 0o700)
        words = [str(self._tar), "-x", "-p", "--no-same-owner", "-f", "-"]
        try:
            with packed.opened() as archive:
                done = await run(
                    words, env=self._env, cwd=root, stdin=archive, limits=Limits(UNPACK_SECONDS)
                )
        except FluxSecretError as failure:
            raise _failed(commit, failure.what) from None
        if done.returncode != 0:
            said = done.untrusted_stderr.decode(errors="replace").strip()
            raise _failed(commit, ascii(said[:200])[1:-1])


def _pack(root: Path) -> bytes:
    """Give a tar of the tree; nothing where it is too large to be kept."""
    with io.BytesIO() as packed:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for path in sorted(root.iterdir()):
                tar.add(path, path.name)
                if packed.tell() > MAX_PACKED:
                    return b""
        return packed.getvalue()


def _failed(commit: str, why: str) -> SourceError:
    return SourceError(
        f"the repository at {commit[:12]} cannot be laid out: {why}",
        remedy="check the space in memory (/dev/shm) or in TMPDIR",
    )
