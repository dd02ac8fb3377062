"""What came of a store's head is on the record once: what counts, what waits, what was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from flux_secret.errors import RecordError, StoreRewoundError
from flux_secret.model.approval import State
from flux_secret.model.delivery import HeldBack
from flux_secret.model.record import Kind, Note
from flux_secret.store.advance import Advance
from flux_secret.store.news import News
from flux_secret.store.owned import Agreed
from flux_secret.store.standing import Standing
from unit.store.test_advance import APPS, A, B, C, Records, Replica

ONE, TWO = State(A, "1" * 64), State(B, "2" * 64)
WAITS = HeldBack(APPS, "prod", "the signature of bob is missing")
REWOUND = StoreRewoundError("store apps was rewound")


class Told(News):
    """One whose news are on the record at once."""

    def of(
        self, known: Standing, agreed: Agreed, head: str, refusal: StoreRewoundError | None
    ) -> Sequence[Note]:
        notes = super().of(known, agreed, head, refusal)
        self.told(agreed, head, refusal)
        return notes


def said(notes: Sequence[Note]) -> list[tuple[Kind, str]]:
    return [(note.kind, note.about) for note in notes]


def test_what_is_trusted_to_begin_with_is_no_approval() -> None:
    new = Standing(APPS, A, states={"prod": ONE}, began=A)
    (note,) = Told().of(Standing(APPS), Agreed(new), A, None)
    assert (note.kind, note.about) == (Kind.OWNERS, "apps")
    assert note.details["commit"] == A


def test_a_step_that_counts_is_told_once_with_both_commits() -> None:
    old = Standing(APPS, A, states={"prod": ONE, "dev": ONE}, began=A)
    new = replace(old, commit=B, states={"prod": TWO, "dev": State(B, ONE.content)})
    news = Told()
    (note,) = news.of(old, Agreed(new), B, None)
    assert (note.kind, note.about) == (Kind.APPROVAL, "apps/prod")
    assert (note.details["before"], note.details["commit"]) == (A, B)
    assert news.of(new, Agreed(new), B, None) == []


def test_what_waits_is_told_when_it_begins_to_and_when_somebody_else_is_missing() -> None:
    news, old = Told(), Standing(APPS, A)
    waits = Agreed(old, (WAITS,))
    (note,) = news.of(old, waits, B, None)
    assert (note.kind, note.about, note.details["reason"]) == (Kind.HELD, "apps/prod", WAITS.says)
    assert news.of(old, waits, B, None) == []
    other = Agreed(old, (replace(WAITS, prefix="", says="the signature of alice is missing"),))
    assert said(news.of(old, other, B, None)) == [(Kind.HELD, "apps")]
    assert news.of(old, Agreed(old), B, None) == []
    assert said(news.of(old, waits, B, None)) == [(Kind.HELD, "apps/prod")]


def test_a_rewind_is_told_when_it_is_refused_and_when_it_is_accepted() -> None:
    news, old = Told(), Standing(APPS, B)
    (note,) = news.of(old, Agreed(old), A, REWOUND)
    assert (note.kind, note.details["error"]) == (Kind.REWIND, REWOUND.what)
    assert news.of(old, Agreed(old), A, REWOUND) == []
    assert news.of(old, Agreed(old), B, None) == []
    assert said(news.of(old, Agreed(old), A, REWOUND)) == [(Kind.REWIND, "apps")]
    accepted = replace(old, commit=A, rewinds=(A,))
    (note,) = news.of(old, Agreed(accepted), A, None)
    assert (note.kind, note.details["error"], note.details["before"]) == (Kind.REWIND, None, B)


@dataclass
class Recorder:
    """A record; full when it is told so."""

    notes: list[Note] = field(default_factory=list)
    full: bool = False

    async def write(self, notes: Sequence[Note]) -> None:
        if self.full and notes:
            raise RecordError("no space")
        self.notes += notes


async def test_nothing_is_read_of_a_head_whose_news_cannot_be_recorded() -> None:
    one, recorder = Replica(Records(Standing(APPS, B))), Recorder()
    one.gate = Advance(one.records, lambda _name: one.repository, {}, None, recorder)
    assert await one.reads(A) == f"{B} and not {A}"
    assert said(recorder.notes) == [(Kind.REWIND, "apps")]
    assert await one.reads(C) == C
    recorder.full = True
    with pytest.raises(RecordError):
        await one.reads(A)
    recorder.full = False
    assert await one.reads(A) == f"{C} and not {A}"
    assert said(recorder.notes) == [(Kind.REWIND, "apps")] * 2
