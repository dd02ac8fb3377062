"""A chain that grows → signed now and then, anchored in others, and kept within its bound.

1. What is new is signed after so many records or seconds, when a file is full, and at the end.
2. How far other writers' chains are is noted, so that a fork, a cut or a missing one shows.
3. Files beyond the bound are removed after a checkpoint that says what they held is durable, and
   signed where anything is signed.

None of it holds up whoever writes. What fails is said, and tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from flux_secret.audit.keeper import RecordKeeper
from flux_secret.audit.pushing import Branch, Pusher, Told, nobody
from flux_secret.audit.seen import heads_below
from flux_secret.audit.segments import Bounds, Head
from flux_secret.audit.signing import Signer, statement
from flux_secret.errors import FluxSecretError, place_of
from flux_secret.model.record import Kind, Note
from flux_secret.outside.clock import Clock

Others = Callable[[], Awaitable[Mapping[str, Head]]]
"""Gives the heads of other writers' chains, as they are seen in some place."""
BranchAt = Callable[[Path], Branch]
"""Gives the branch that a writer, whose folder this is, pushes to."""
END_SECONDS: Final = 10.0
"""How long the last push may take; what it does not get is pushed after the next start."""
_log = structlog.get_logger(component="record")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often."""

    sign_records: int = 1000
    sign_seconds: float = 60.0
    anchor_seconds: float = 300.0
    push_seconds: float = 60.0


class Sealer:
    """Looks after one chain."""

    def __init__(
        self,
        keeper: RecordKeeper,
        signer: Signer | None,
        others: Sequence[Others] = (),
        pace: Pace | None = None,
        *,
        copied: Callable[[], int] | None = None,
    ) -> None:
        """Begin; `copied` gives the last record that is elsewhere too: no newer one is removed."""
        self._keeper, self._signer, self._others = keeper, signer, others
        self._copied = copied
        self._pace = pace or Pace()
        self._due = asyncio.Event()
        self._signed_to = keeper.signed
        self._file = keeper.file
        self._seen = dict(keeper.seen)
        self._is_failing = False
        keeper.grown = self._grown

    async def run(self) -> None:
        """Do it until it is cancelled."""
        loop = asyncio.get_running_loop()
        anchors = loop.time()  # at once
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.sign_seconds):
                    await self._due.wait()
            self._due.clear()
            if loop.time() >= anchors:
                await self._try(self.anchor)
                anchors = loop.time() + self._pace.anchor_seconds
            await self._try(self.seal)
            await self._try(self.trim)

    async def end(self) -> None:
        """Anchor and sign what is left."""
        self._keeper.grown = None
        await self._try(self.anchor)
        await self._try(self.seal)

    async def seal(self) -> None:
        """Sign what is new; raise why it cannot be."""
        if self._signer is None or self._keeper.said <= self._signed_to:
            return
        head = self._keeper.head
        first = self._signed_to + 1
        text = statement(self._keeper.writer, first, head.seq, head.hash)
        signature = await self._signer.sign(text)
        details: Mapping[str, str | int] = {
            "from": first,
            "to": head.seq,
            "head": head.hash,
            "key": self._signer.key,
            "signature": signature.decode(),
        }
        note = Note(Kind.SIGNATURE, f"{first}..{head.seq}", details)
        await self._keeper.write([note])
        self._signed_to, self._file = head.seq, self._keeper.file

    async def anchor(self) -> None:
        """Note how far other chains are; raise `RecordError`."""
        news, seen = [], {}
        for others in self._others:
            for writer, head in sorted((await others()).items()):
                if writer == self._keeper.writer or self._seen.get(writer, 0) >= head.seq:
                    continue
                seen[writer] = head.seq
                news.append(Note(Kind.ANCHOR, writer, {"seq": head.seq, "head": head.hash}))
        await self._keeper.write(news)
        self._seen |= seen

    async def trim(self) -> None:
        """Remove the oldest files that are beyond the bound; raise why they cannot be."""
        files, last = await self._keeper.surplus()
        if last is None or (self._copied is not None and self._copied() < last.seq):
            return
        details: Mapping[str, str | int] = {"to": last.seq, "head": last.hash, "files": len(files)}
        await self._keeper.write([Note(Kind.CHECKPOINT, self._keeper.writer, details)])
        await self.seal()
        await self._keeper.drop(files)
        _log.info("record.trimmed", writer=self._keeper.writer, to=last.seq, files=len(files))

    def _grown(self) -> None:
        self._file = self._file or self._keeper.file
        is_many = self._keeper.head.seq - self._signed_to >= self._pace.sign_records
        if is_many or self._keeper.file != self._file:
            self._due.set()

    async def _try(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except FluxSecretError as failure:
            if not self._is_failing:
                _log.error("record.unsealed", err=failure.what, remedy=failure.remedy)
            self._is_failing = True
        except Exception as failure:  # noqa: BLE001 -- a chain is looked after as long as it grows
            _log.error("record.unsealed", err=f"{type(failure).__name__} at {place_of(failure)}")
        else:
            self._is_failing = False


@asynccontextmanager
async def kept(  # noqa: PLR0913 -- what a record is made of
    root: Path, name: str, *, signer: Signer | None = None, branch: BranchAt | None = None,
    bounds: Bounds | None = None, pace: Pace | None = None, clock: Clock | None = None,
    pushed: Told = nobody,
) -> AsyncIterator[RecordKeeper]:  # fmt: skip
    """Keep a chain, sealed, as long as this lasts; raise `RecordError` when it cannot begin.

    With a branch, made for the chain's folder, it is pushed there, too, and `pushed` hears after
    each attempt why the branch is behind, or None. A chain of which more was
    pushed than its files hold does not go on: its disk was put back, or somebody cut it.
    """
    pace = pace or Pace()
    async with RecordKeeper(root, name, bounds=bounds, clock=clock) as keeper:

        async def beside() -> Mapping[str, Head]:
            return await asyncio.to_thread(heads_below, root, keeper.writer)

        pusher = Pusher(branch(keeper.folder), keeper.folder, told=pushed) if branch else None
        if pusher is not None:
            await pusher.begin()
        others = [beside, *([pusher.heads] if pusher else [])]
        copied = (lambda: pusher.pushed) if pusher else None
        sealer = Sealer(keeper, signer, others, pace, copied=copied)
        tasks = [asyncio.create_task(sealer.run())]
        if pusher is not None:
            tasks.append(asyncio.create_task(pusher.run(pace.push_seconds)))
        try:
            yield keeper
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await sealer.end()
            if pusher is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(END_SECONDS):
                        await pusher.attempt()
