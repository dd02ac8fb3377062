"""Every note of a delivery has its id, whatever it says; one that left notes ends with one."""

from __future__ import annotations

import asyncio

import pytest

from flux_secret.errors import BugError, RecordError, UnreachableError
from flux_secret.model.change import ChangeSet
from flux_secret.model.record import Kind, Note
from flux_secret.reconcile.deliver import deliver
from flux_secret.reconcile.undertaking import Marked, removing, undertaking
from flux_secret.reconcile.workers import permitted
from simulators.record import ListedRecord
from unit.reconcile.stages import World, target


async def test_a_note_gets_the_marks_of_its_undertaking_and_no_other_ones() -> None:
    record = ListedRecord()
    marked = Marked(record)
    forged = Note(Kind.READ, "apps/demo/db", {"delivery": "forged", "app": "other", "blob": "b"})
    with undertaking("demo", delivery="d1", app="demo") as doing:
        await marked.write([forged])
        await doing.end({"error": None})
    await marked.write([Note(Kind.STARTED, "agent")])
    assert record.notes == [
        Note(Kind.READ, "apps/demo/db", {"delivery": "d1", "app": "demo", "blob": "b"}),
        Note(Kind.OUTCOME, "demo", {"error": None, "delivery": "d1", "app": "demo"}),
        Note(Kind.STARTED, "agent"),
    ]


async def test_undertakings_at_once_are_not_mixed() -> None:
    record = ListedRecord()
    marked = Marked(record)

    async def one(name: str) -> None:
        with undertaking(name, delivery=name) as doing:
            for _ in range(3):
                await marked.write([Note(Kind.READ, name)])
                await asyncio.sleep(0)
            await doing.end({})

    await asyncio.gather(*(one(name) for name in "abc"))
    assert all(note.details["delivery"] == note.about for note in record.notes)
    assert len(record.of(Kind.OUTCOME)) == 3


async def test_an_undertaking_that_left_nothing_ends_without_a_word() -> None:
    record = ListedRecord()
    with undertaking("demo", delivery="d1") as doing:
        await Marked(record).write([])
        await doing.end({})
    assert record.writes == 0


class Recording(World):
    """A world whose applier has something to record."""

    record_: Marked

    async def apply(self, *given: object) -> None:
        await self.record_.write([Note(Kind.INTENT, "demo")])
        await super().apply(*given)  # type: ignore[arg-type]


def world(record: ListedRecord, **failing: UnreachableError) -> Recording:
    made = Recording(failing={name.replace("_", " "): one for name, one in failing.items()})
    made.record_ = Marked(record)
    return made


async def test_a_delivery_that_recorded_something_ends_with_its_outcome() -> None:
    record = ListedRecord()
    done = await deliver(target("a"), world(record).pinned())
    assert done.error is None
    intent, outcome = record.notes
    assert (intent.kind, outcome.kind) == (Kind.INTENT, Kind.OUTCOME)
    assert intent.details["delivery"] == outcome.details["delivery"]
    assert (outcome.details["error"], outcome.details["objects"]) == (None, 1)


async def test_an_outcome_has_the_words_of_what_went_wrong() -> None:
    record = ListedRecord()
    gone = world(record, apply_a=UnreachableError("the API server is gone"))
    await deliver(target("a"), gone.pinned())
    assert record.notes[-1].details["error"] == "the API server is gone"


async def test_a_delivery_that_came_to_nothing_before_it_recorded_anything_records_nothing() -> (
    None
):
    record = ListedRecord()
    gone = world(record, checkout_a=UnreachableError("git is gone"))
    await deliver(target("a"), gone.pinned())
    assert record.writes == 0


async def test_an_outcome_that_cannot_be_recorded_fails_the_delivery() -> None:
    done = await deliver(target("a"), world(ListedRecord(full_after=1)).pinned())
    assert isinstance(done.error, RecordError)


async def test_a_delivery_that_is_interrupted_says_so() -> None:
    record = ListedRecord()
    made = world(record)

    async def hangs(*_given: object) -> None:
        await made.record_.write([Note(Kind.INTENT, "demo")])
        await asyncio.Event().wait()

    made.apply = hangs  # type: ignore[method-assign]
    task = asyncio.ensure_future(deliver(target("a"), made.pinned()))
    while not record.notes:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert record.notes[-1].kind is Kind.OUTCOME
    assert record.notes[-1].details["error"] == "it was interrupted"


@pytest.mark.parametrize("kind", [Kind.APPROVAL, Kind.SETTINGS, Kind.STARTED, Kind.OUTCOME])
def test_a_worker_may_not_record_what_no_worker_does(kind: Kind) -> None:
    good = Note(Kind.READ, "apps/demo/db")
    assert permitted([good]) == [good]
    with pytest.raises(BugError):
        permitted([good, Note(kind, "x")])


async def test_the_removal_of_an_app_has_an_outcome_as_its_intent_has_one() -> None:
    record = ListedRecord()

    async def removal(error: UnreachableError | None = None) -> ChangeSet:
        await Marked(record).write([Note(Kind.INTENT, "dev/shop")])
        if error:
            raise error
        return ChangeSet()

    await removing("dev/shop", removal())
    with pytest.raises(UnreachableError):
        await removing("dev/shop", removal(UnreachableError("the API server is gone")))
    assert record.kinds() == ["intent", "outcome"] * 2
    ids = [note.details["delivery"] for note in record.notes]
    assert (ids[0], ids[2]) == (ids[1], ids[3])
    assert record.notes[1].details["app"] == "dev/shop"
    assert record.notes[3].details["error"] == "the API server is gone"
