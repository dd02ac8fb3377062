"""What reaches one replica reaches all: hints of new commits, and syncs with their answers.

A replica says it in its own Lease, which the others follow anyway, so nobody needs an address of
anybody. Each says a number with it that grows: who has heard a number does nothing at the second
time, and what is said again by mistake costs one look for commits.

1. A hint is a mark of a repository. It is said for `KEPT_SECONDS`, longer than others take to read.
2. A sync is asked of all who live now, one at a time; who asks meanwhile shares the next one.
3. Each delivers what is its own, and answers in its Lease until the asker says something else.
4. Whoever leaves without an answer is told of as a failure: others deliver its share by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from flux_secret.api.interface import SyncOutcome
from flux_secret.errors import FluxSecretError, UnreachableError
from flux_secret.reconcile.standing import said
from flux_secret.reconcile.word import EVERYTHING, MAX_MARKS, Answer, Ask, Word, mark, understood

_log = structlog.get_logger(component="replicas")
KEPT_SECONDS: Final = 60.0
"""How long a hint is said."""


class Neighbours(Protocol):
    """The other replicas."""

    @property
    def others(self) -> frozenset[str]:
        """Who lives beside us, as it was last read."""

    @property
    def identity(self) -> str:
        """Our own name."""

    def say(self, text: str, *, soon: bool) -> None:
        """Have the others read this; `soon`: now, not with the next renewal."""


class Loop(Protocol):
    """What delivers here."""

    @property
    def repositories(self) -> Collection[str]:
        """The addresses where it looks for commits."""

    def look_at(self, urls: Collection[str]) -> None:
        """Look for new commits here: at these addresses, or at all."""

    async def sync_here(self, confirmed: Collection[str]) -> SyncOutcome:
        """Deliver what is ours anew; raise `FluxSecretError` when no round can be done."""


@dataclass(slots=True)
class _Asked:
    """A sync that others are asked for."""

    confirmed: set[str] = field(default_factory=set)
    number: int = 0
    awaited: set[str] = field(default_factory=set)
    outcomes: list[SyncOutcome] = field(default_factory=list)
    done: asyncio.Future[Sequence[SyncOutcome]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


@dataclass(slots=True)
class _Heard:
    """What one of the others has said before."""

    hints: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    answer: Answer | None = None
    """What we answered last: what is read late may take an answer back that still is waited for."""


class Relay:
    """One replica's ear and mouth."""

    def __init__(self, neighbours: Neighbours, loop: Loop) -> None:
        self._neighbours = neighbours
        self._loop = loop
        self._number = 0
        self._hints: dict[str, tuple[int, float]] = {}
        self._asked: _Asked | None = None
        self._next: _Asked | None = None
        self._answers: dict[str, Answer] = {}
        self._heard: dict[str, _Heard] = {}
        self._answering: dict[str, asyncio.Task[None]] = {}
        self._say(soon=False)

    # -- what is said --

    def hint(self, urls: Collection[str] = ()) -> None:
        """Have others look for new commits: at these addresses, or at all."""
        if not self._neighbours.others:
            return
        self._number += 1
        until = self._now() + KEPT_SECONDS
        for one in [mark(url) for url in urls] or [EVERYTHING]:
            self._hints[one] = (self._number, until)
        if len(self._hints) > MAX_MARKS:
            self._hints = {EVERYTHING: (self._number, until)}
        self._say()

    async def sync(self, confirmed: Collection[str] = ()) -> Sequence[SyncOutcome]:
        """Have others deliver what is theirs anew; give how it ended, one each.

        Raises `UnreachableError` when the agent stops first.
        """
        if not self._neighbours.others:
            return ()
        asked = self._next or _Asked()
        asked.confirmed.update(confirmed)
        self._next = asked
        if self._asked is None:
            self._begin()
        return await asyncio.shield(asked.done)

    def _begin(self) -> None:
        """Ask for what waits."""
        self._asked, self._next = self._next, None
        if self._asked is not None:
            self._number += 1
            self._asked.number = self._number
            self._asked.awaited = set(self._neighbours.others)
            self._say()
            self._see_whether_done()

    def _see_whether_done(self) -> None:
        asked = self._asked
        if asked is None or asked.awaited:
            return
        if not asked.done.done():
            asked.done.set_result(tuple(asked.outcomes))
        self._asked = None
        self._say(soon=False)
        self._begin()

    def _say(self, *, soon: bool = True) -> None:
        now = self._now()
        self._hints = {name: last for name, last in self._hints.items() if last[1] > now}
        one = self._asked
        ask = None if one is None else Ask(one.number, frozenset(one.confirmed))
        word = Word({name: last[0] for name, last in self._hints.items()}, ask, self._answers)
        self._neighbours.say(word.text(), soon=soon)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    # -- what is heard --

    def hear(self, who: str, untrusted_text: str) -> None:
        """Take in what another one says; what was said before is nothing new."""
        if any(until <= self._now() for _, until in self._hints.values()):
            self._say(soon=False)
        word = understood(untrusted_text)
        if word is None:
            self._unheard(who)
            return
        before = self._heard.setdefault(who, _Heard())
        new = {one for one, number in word.hints.items() if before.hints.get(one) != number}
        before.hints = dict(word.hints)
        if new:
            self._look(who, new)
        if word.ask is not None and word.ask.number > before.asked:
            before.asked = word.ask.number
            self._answer(who, word.ask)
        elif word.ask is not None and before.answer and word.ask.number == before.answer.number:
            if self._answers.get(who) != before.answer:
                self._answers[who] = before.answer
                self._say()
        elif who in self._answers and (
            word.ask is None or word.ask.number != self._answers[who].number
        ):
            del self._answers[who]  # it has read it
            self._say(soon=False)
        answer = word.answers.get(self._neighbours.identity)
        if answer is not None and self._asked and answer.number == self._asked.number:
            self._take(who, answer.outcome)

    def changed(self) -> None:
        """Forget who left; whoever waits for one of them is told."""
        others = self._neighbours.others
        for who in set(self._heard) - others:
            del self._heard[who]
            self._answers.pop(who, None)
        if self._asked is not None:
            for who in self._asked.awaited - others:
                left = UnreachableError(
                    f"replica {who} went away before it had answered",
                    remedy="others deliver its share by now: see flux-secret status, or ask again",
                )
                self._take(who, _outcome_of(left))

    def _look(self, who: str, marks: Collection[str]) -> None:
        known = {mark(url): url for url in self._loop.repositories}
        urls = [known[one] for one in sorted(marks) if one in known]
        everything = EVERYTHING in marks
        if urls or everything:
            _log.info("hint.passed_on", by=who, repositories=" ".join(urls) or "all")
            self._loop.look_at(() if everything else urls)

    def _answer(self, who: str, ask: Ask) -> None:
        """Deliver what is ours, and say how it ended."""

        async def answered() -> None:
            try:
                outcome = await self._loop.sync_here(ask.confirmed)
            except FluxSecretError as failure:
                outcome = _outcome_of(failure)
            if who in self._heard and self._heard[who].asked == ask.number:
                self._answers[who] = self._heard[who].answer = Answer(ask.number, outcome)
                self._say()

        _log.info("sync.passed_on", by=who)
        before = self._answering.pop(who, None)
        if before is not None:
            before.cancel()
        self._answering[who] = asyncio.create_task(answered(), name=f"sync for {who}")

    def _unheard(self, who: str) -> None:
        """Wait for no answer of one that does not understand us."""
        silent = UnreachableError(
            f"replica {who} takes no syncs from others",
            remedy="it is of an older version: ask it itself, or wait for its interval",
        )
        self._take(who, _outcome_of(silent))

    def _take(self, who: str, outcome: SyncOutcome) -> None:
        if self._asked is not None and who in self._asked.awaited:
            self._asked.awaited.discard(who)
            self._asked.outcomes.append(outcome)
            self._see_whether_done()

    # -- the end --

    async def close(self) -> None:
        """Answer nobody any more, and tell who still waits; raise what was a bug."""
        tasks = list(self._answering.values())
        for task in tasks:
            task.cancel()
        for asked in (self._asked, self._next):
            if asked is not None and not asked.done.done():
                asked.done.set_exception(
                    UnreachableError("the agent is stopping", remedy="ask again in a moment")
                )
                asked.done.exception()  # who asked may have gone away
        self._asked = self._next = None
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


def _outcome_of(failure: FluxSecretError) -> SyncOutcome:
    return SyncOutcome(failure.exit_code, "", error=said(failure))


def joined(outcomes: Sequence[SyncOutcome]) -> SyncOutcome:
    """Give several replicas' outcomes as one; its code is the most telling one, as a round's is."""
    return SyncOutcome(
        exit_code=min({one.exit_code for one in outcomes} - {0}, default=0),
        commit=next((one.commit for one in outcomes if one.commit), ""),
        targets=[target for one in outcomes for target in one.targets],
        error="\n".join(one.error for one in outcomes if one.error),
        head=next((one.head for one in outcomes if one.head), ""),
    )


Elsewhere = Callable[[Collection[str]], Awaitable[Sequence[SyncOutcome]]]
"""Has the other replicas deliver theirs anew."""
