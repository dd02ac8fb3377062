"""A chain in files → the same lines in a branch, pushed now and then; what others pushed.

The files are what is durable at once; the branch is a copy elsewhere, which whoever has the
agent's disk cannot take back. It has the same layout, a folder a writer, in files of about 1 MiB:
the newest one is made anew with each push until it is full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import structlog

from flux_secret.audit.line import MAX_LINE_BYTES, WRITER, BadLineError, hash_in, parse
from flux_secret.audit.places import MAX_BLOB, Item, Tree
from flux_secret.audit.seen import head_in
from flux_secret.audit.segments import SUFFIX, Head, is_segment, segment_files
from flux_secret.errors import (
    FluxSecretError,
    IntegrityError,
    RecordError,
    UnreachableError,
    place_of,
)
from flux_secret.outside.objects import DamagedRepositoryError

CHUNK_BYTES: Final = 1024 * 1024
"""Of a file in the branch, after which the next one begins."""
PUSH_BYTES: Final = 8 * 1024 * 1024
"""Of one push."""
MAX_OTHERS: Final = 1000
"""Other writers that are anchored."""
_log = structlog.get_logger(component="record")


class Branch(Protocol):
    """Where it is pushed to."""

    async def fetch(self) -> str | None:
        """Give the branch's commit; None where there is none. Raises when it was taken back."""

    def at(self, commit: str) -> Tree:
        """Open a commit's tree."""

    def forget(self) -> None:
        """Make our copy of it anew, as it is damaged."""

    async def push(self, base: str | None, files: Mapping[str, bytes], message: str) -> str | None:
        """Add files on top of a commit; None when the branch is elsewhere by now."""


class _Ours(NamedTuple):
    """What the branch has of our chain."""

    head: Head
    chunk: str
    """The name of the newest file; empty where there is none."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """Where in our files the next line is that the branch has not."""

    seq: int = 0
    """Of the last line that it has."""
    file: Path | None = None
    offset: int = 0


Told = Callable[[FluxSecretError | None], None]


def nobody(_failure: FluxSecretError | None) -> None:
    """Hear it, and tell nobody."""


class Pusher:
    """Keeps the branch up to date with one writer's files."""

    def __init__(
        self, branch: Branch, folder: Path, *, tries: int = 8, told: Told = nobody
    ) -> None:
        """Begin; a push is made again `tries` times because another writer was faster.

        `told` hears after each attempt why the branch is behind, or None.
        """
        self._branch, self._folder, self._tries = branch, folder, tries
        self._told = told
        self._at = Position()
        self._others: dict[str, tuple[str, Head]] = {}
        self._said = ""
        self._own = ""
        self.pushed = 0
        """The last record that the branch has."""

    async def begin(self) -> None:
        """Look what the branch has; raise `RecordError` when our files have lost what was pushed.

        A host that does not answer keeps nobody from beginning: the next push looks again.
        """
        try:
            await asyncio.to_thread(self._look, await self._branch.fetch())
        except DifferentError as failure:
            raise RecordError(failure.what, remedy=failure.remedy) from None
        except FluxSecretError as failure:
            self._say(failure)
        else:
            self._told(None)

    async def run(self, seconds: float) -> None:
        """Push every so many seconds, until it is cancelled."""
        while True:
            await self.attempt()
            await asyncio.sleep(seconds)

    async def attempt(self) -> bool:
        """Push what is there; what goes wrong is said once, until it goes well again."""
        try:
            await self.push()
        except DamagedRepositoryError as failure:
            self._branch.forget()  # the next push fetches it anew
            self._say(failure)
            return False
        except FluxSecretError as failure:
            self._say(failure)
            return False
        except Exception as failure:  # noqa: BLE001 -- it is pushed as long as it grows
            says = f"{type(failure).__name__} at {place_of(failure)}"
            self._say(UnreachableError(f"the record was not pushed: {says}"))
            return False
        if self._said:
            _log.warning("record.pushed_again", pushed=self.pushed)
        self._said = ""
        self._told(None)
        return True

    def _say(self, failure: FluxSecretError) -> None:
        if failure.what != self._said:
            is_loss = isinstance(failure, IntegrityError)
            name = "record.taken_back" if is_loss else "record.not_pushed"
            _log.error(name, err=failure.what, remedy=failure.remedy, pushed=self.pushed)
        self._said = failure.what
        self._told(failure)

    async def heads(self) -> Mapping[str, Head]:
        """Give the heads of the other writers' chains, as the branch had them last."""
        return {writer: head for writer, (_, head) in self._others.items()}

    async def push(self) -> None:
        """Push all that is new; raise why it cannot be."""
        tries = 0
        while True:
            base = await self._branch.fetch()
            ours = await asyncio.to_thread(self._look, base)
            files, after = await asyncio.to_thread(self._next, ours)
            if not files:
                return
            message = f"Record of {self._folder.name} up to {after.seq}\n"
            commit = await self._branch.push(base, files, message)
            if commit is not None:
                self.pushed, self._at, tries = after.seq, after, 0
                self._own = _folder_id(self._branch.at(commit), self._folder.name)
                continue
            tries += 1
            if tries >= self._tries:
                raise _busy(self._folder.name, tries)

    def _look(self, base: str | None) -> _Ours:
        """Read what the branch has: our head, which has to be in our files, and others'."""
        if base is None:
            return _Ours(Head(0, ""), "", b"")
        tree = self._branch.at(base)
        own = self._folder.name
        if self._own and _folder_id(tree, own) != self._own:
            raise _differs(own, "somebody else changed what was pushed")
        for item in tree.children(""):
            known = self._others.get(item.name)
            if not item.is_folder or item.name == own or (known and known[0] == item.blob):
                continue
            if not WRITER.match(item.name) or len(self._others) >= MAX_OTHERS:
                continue  # whoever may push there may make folders
            newest = _newest(tree, item.name)
            is_small = newest is not None and tree.size(newest.blob) <= MAX_BLOB
            head = head_in(tree.read(newest.blob)) if newest and is_small else None
            if head is not None:
                self._others[item.name] = (item.blob, head)
        newest = _newest(tree, own)
        if newest is None:
            return _Ours(Head(0, ""), "", b"")
        if tree.size(newest.blob) > MAX_BLOB:
            raise _differs(own, f"{newest.name} there is larger than {MAX_BLOB} bytes")
        data = tree.read(newest.blob)
        return _Ours(self._checked(data), newest.name, data)

    def _checked(self, data: bytes) -> Head:
        """Find the last pushed line in our files; raise `IntegrityError` when it is not there."""
        last = data.rstrip(b"\n").rpartition(b"\n")[2]
        try:
            record = parse(last)
        except BadLineError:
            raise _differs(self._folder.name, "its last line there is no record") from None
        if self._at.seq != record.seq or self._at.file is None:
            self._seek(record.seq, record.hash)
        self.pushed = max(self.pushed, record.seq)
        return Head(record.seq, record.hash)

    def _seek(self, seq: int, digest: str) -> None:
        """Go to the line behind record `seq`."""
        files = segment_files(self._folder)
        file = next((one for one in reversed(files) if int(one.stem) <= seq), None)
        if file is None:
            raise _differs(self._folder.name, f"record {seq} is not in {self._folder} any more")
        offset, at = 0, int(file.stem) - 1
        with file.open("rb") as opened:
            while at < seq and (line := opened.readline(MAX_LINE_BYTES + 1)).endswith(b"\n"):
                at, offset = at + 1, offset + len(line)
                if at == seq and hash_in(line) != digest:
                    says = f"record {seq} in {self._folder} is another than the pushed one"
                    raise _differs(self._folder.name, says)
        if at < seq:
            says = f"{self._folder} ends with record {at}, and record {seq} was pushed"
            raise _differs(self._folder.name, says)
        self._at = Position(seq, file, offset)

    def _next(self, ours: _Ours) -> tuple[dict[str, bytes], Position]:
        """Give the files of the next push, and where we are after it."""
        at = self._at
        if ours.head.seq == 0:
            files = segment_files(self._folder)
            if not files:
                return {}, at
            at = Position(int(files[0].stem) - 1, files[0], 0)
        chunk, size = ours.chunk, len(ours.data)
        made: dict[str, list[bytes]] = {}
        total = 0
        for line, after in self._lines(at):
            if not chunk or size >= CHUNK_BYTES:
                chunk, size = f"{after.seq:012d}{SUFFIX}", 0
            if chunk not in made:
                made[chunk] = [ours.data] if chunk == ours.chunk else []
            made[chunk].append(line)
            at, size, total = after, size + len(line), total + len(line)
            if total >= PUSH_BYTES:
                break
        own = self._folder.name
        return {f"{own}/{name}": b"".join(lines) for name, lines in made.items()}, at

    def _lines(self, at: Position) -> Iterator[tuple[bytes, Position]]:
        """Give the lines behind a position, each with where it ends; half a line is left."""
        file, offset, seq = at.file, at.offset, at.seq
        while file is not None:
            with file.open("rb") as opened:
                opened.seek(offset)
                while (line := opened.readline(MAX_LINE_BYTES + 1)).endswith(b"\n"):
                    offset, seq = offset + len(line), seq + 1
                    yield line, Position(seq, file, offset)
            name = file.name
            file = next((one for one in segment_files(self._folder) if one.name > name), None)
            offset = 0


def _folder_id(tree: Tree, name: str) -> str:
    return next((item.blob for item in tree.children("") if item.name == name), "")


def _newest(tree: Tree, folder: str) -> Item | None:
    items = [one for one in tree.children(folder) if is_segment(one.name)]
    return max(items, key=lambda one: one.name, default=None)


class DifferentError(IntegrityError):
    """What was pushed is not what our files hold."""


def _differs(writer: str, says: str) -> DifferentError:
    return DifferentError(
        f"the pushed record of {writer} is not the one in its files: {says}",
        remedy="compare both: flux-secret audit verify DIRECTORY --git REPOSITORY; what is "
        "pushed stays as it is; to go on, move the writer's folder elsewhere and keep it",
    )


def _busy(writer: str, tries: int) -> FluxSecretError:
    return UnreachableError(
        f"the record of {writer} was not pushed: another writer was faster {tries} times",
        remedy="it is tried again",
    )
