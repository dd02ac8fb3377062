"""A restart is on the record before it happens, and after; one that cannot be recorded waits."""

from __future__ import annotations

from flux_secret.apply.restart.restarter import Restarter
from flux_secret.errors import ForbiddenError
from flux_secret.model.record import Kind
from simulators.record import ListedRecord
from unit.apply.restart.cluster import FakeCluster, secret, target, web

DEMO = target()


async def rotated(cluster: FakeCluster, record: ListedRecord) -> Restarter:
    restarter = cluster.restarter(recorder=record)
    for said in ("old", "new"):
        await restarter.before([DEMO])
        await restarter.after([cluster.deliver(DEMO, {secret(): said}, web())])
    return restarter


async def test_a_restart_has_an_intent_and_an_outcome() -> None:
    cluster, record = FakeCluster(), ListedRecord()
    cluster.run(web())
    await rotated(cluster, record)
    intent, restarted, outcome = record.notes
    kinds = (intent.kind, restarted.kind, outcome.kind)
    assert kinds == (Kind.INTENT, Kind.RESTARTED, Kind.OUTCOME)
    assert {note.about for note in record.notes} == {"deployment.apps/web in dev"}
    assert len({note.details["delivery"] for note in record.notes}) == 1
    assert restarted.details["secrets"] == ["s"]
    assert restarted.details["resourceVersion"] == "8"
    assert "error" not in outcome.details


async def test_a_restart_that_cannot_be_recorded_does_not_happen_until_it_can() -> None:
    cluster, record = FakeCluster(), ListedRecord(full=True)
    cluster.run(web())
    restarter = await rotated(cluster, record)
    assert cluster.restarted == []
    record.full = False
    await restarter.settle()
    assert cluster.restarted == ["web"]


async def test_a_restart_that_is_refused_says_so() -> None:
    cluster, record = FakeCluster(), ListedRecord()
    cluster.run(web())
    cluster.refuses = lambda request: ForbiddenError("no") if "as flux" in request else None
    await rotated(cluster, record)
    assert record.kinds() == ["intent", "outcome"]
    assert record.notes[1].details["error"] == "no"
