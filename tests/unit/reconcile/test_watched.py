"""An agent's record: whether it works is known, and what came when it did not is not lost."""

from __future__ import annotations

import pytest

from flux_secret.errors import RecordError
from flux_secret.model.record import Kind, Note
from flux_secret.reconcile.vitals import Vitals
from flux_secret.reconcile.watched import Watched
from simulators.record import ListedRecord

STARTED, LOADED, READ = (Note(kind, "x") for kind in (Kind.STARTED, Kind.KEY, Kind.READ))


async def test_what_could_not_be_recorded_at_the_start_stands_before_what_comes_next() -> None:
    record = ListedRecord(full=True)
    watched = Watched(record)
    await watched.announce([STARTED])
    await watched.announce([LOADED])
    with pytest.raises(RecordError):
        await watched.write([READ])
    record.full = False
    await watched.write([READ])
    await watched.write([READ])
    assert record.notes == [STARTED, LOADED, READ, READ]


async def test_what_can_be_announced_is_recorded_at_once() -> None:
    record = ListedRecord()
    await Watched(record).announce([STARTED])
    assert record.notes == [STARTED]


async def test_the_agents_health_tells_since_when_nothing_could_be_recorded() -> None:
    now, record = 100.0, ListedRecord()
    vitals = Vitals(clock=lambda: now)
    watched = Watched(record)
    watched.told = vitals.recorded
    assert not vitals.facts.records
    await watched.write([READ])
    assert (vitals.facts.records, vitals.facts.unrecorded_since) == (True, None)
    record.full = True
    now = 101.0
    with pytest.raises(RecordError):
        await watched.write([READ])
    now = 105.0
    with pytest.raises(RecordError):
        await watched.write([READ])
    assert vitals.facts.unrecorded_since == 101.0
    record.full = False
    await watched.write([READ])
    assert vitals.facts.unrecorded_since is None
