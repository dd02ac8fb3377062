"""What an App's object asks for is done once; and nothing is removed while it is suspended."""

from __future__ import annotations

import asyncio

import pytest

from flux_secret.model.hold import Hold
from flux_secret.reconcile.resources.teller import QUIET_SECONDS
from unit.reconcile.resources.replicas import NAME, ROUND_SECONDS, Replica, told

ASKED = {"annotations": {"flux-secret.io/requestedAt": "now"}}
DELETED = {"deletionTimestamp": "2026-11-30T09:00:00Z"}


@pytest.mark.parametrize("seconds", [1, QUIET_SECONDS + 2])
def test_who_asks_with_an_annotation_gets_one_delivery_however_long_it_takes(seconds: int) -> None:
    """One that takes longer is shown as running, so the object changes meanwhile."""
    rounds = list[tuple[float, bool]]()

    def asks(one: Replica, _two: Replica) -> None:
        one.round_seconds, one.rounds = seconds, rounds
        one.cluster.change(metadata=ASKED)

    cluster = told((10, asks), seconds=60)
    assert rounds == [(10, True)]
    assert cluster.tree["status"]["lastHandledReconcileAt"] == "now"


@pytest.mark.parametrize("change", [{"spec": {"path": "../up"}}, {"metadata": DELETED}])
def test_nobody_goes_on_asking_for_an_app_that_is_delivered_no_more(
    change: dict[str, dict[str, str]],
) -> None:
    def asks(one: Replica, _two: Replica) -> None:
        one.round_seconds = 2
        one.cluster.change(metadata=ASKED)

    def breaks(one: Replica, _two: Replica) -> None:
        one.cluster.refuses_to_retire = True
        one.cluster.change(metadata=ASKED | {"annotations": {"flux-secret.io/requestedAt": "2"}})
        one.cluster.change(**change)

    cluster = told((10, asks), (11, breaks), seconds=300)
    assert [said for said in cluster.log if "sync of" in str(said.get("about"))] == []
    assert len(cluster.writes) < 8


def test_while_somebody_waits_for_a_delivery_statuses_are_written() -> None:
    """Of a thousand that are asked for at once, each waits for its turn."""

    def asks(one: Replica, _two: Replica) -> None:
        one.round_seconds = QUIET_SECONDS + 60
        one.cluster.change(metadata=ASKED)

    cluster = told((10, asks), seconds=20)
    assert cluster.conditions == ["Ready", "Reconciling"]


def test_while_a_deleted_app_waits_for_its_delivery_to_end_statuses_are_written() -> None:
    def deletes(one: Replica, _two: Replica) -> None:
        one.round_seconds = QUIET_SECONDS + 60
        one.board.scheduler.wake()
        asyncio.get_running_loop().call_later(1, lambda: one.cluster.change(metadata=DELETED))

    cluster = told((10, deletes), seconds=20)
    assert cluster.conditions == ["Ready", "Reconciling"]
    assert cluster.retired == []


def test_what_was_asked_of_a_suspended_app_is_done_once_it_is_resumed() -> None:
    rounds = list[tuple[float, bool]]()

    def asks(one: Replica, _two: Replica) -> None:
        one.board.hold(Hold(names=frozenset({NAME})))
        one.rounds = rounds
        one.cluster.change(metadata=ASKED)

    def resumes(one: Replica, _two: Replica) -> None:
        one.board.hold(Hold())

    cluster = told((10, asks), (20, resumes), seconds=60)
    assert rounds == [(20, False), (20 + ROUND_SECONDS, True)]
    assert cluster.tree["status"]["lastHandledReconcileAt"] == "now"


def test_nothing_of_a_suspended_app_that_is_deleted_is_removed_until_it_is_resumed() -> None:
    def deletes(one: Replica, _two: Replica) -> None:
        one.cluster.change(spec={"suspend": True})
        one.cluster.change(metadata=DELETED)

    def resumes(one: Replica, _two: Replica) -> None:
        one.cluster.change(spec={"suspend": False})

    cluster = told((10, deletes), (100, resumes), seconds=90)
    assert cluster.retired == []
    ready, suspended = cluster.tree["status"]["conditions"]
    assert (ready["status"], ready["reason"]) == ("False", "Suspended")
    assert (suspended["type"], suspended["status"]) == ("Suspended", "True")
    assert "is deleted and suspended" in ready["message"]
    assert told((10, deletes), (100, resumes), seconds=110).retired == [(100, True)]


def test_nor_is_it_while_the_agent_was_told_to_rest() -> None:
    def deletes(one: Replica, _two: Replica) -> None:
        one.board.hold(Hold(everything=True))
        one.cluster.change(metadata=DELETED)

    def resumes(one: Replica, _two: Replica) -> None:
        one.board.hold(Hold())

    assert told((10, deletes), (100, resumes), seconds=110).retired == [(100, True)]


def test_the_objects_of_a_suspended_app_that_are_to_stay_are_let_go_at_once() -> None:
    def deletes(one: Replica, _two: Replica) -> None:
        one.cluster.change(spec={"suspend": True, "deletionPolicy": "Orphan"})
        one.cluster.change(metadata=DELETED)

    assert told((10, deletes), seconds=20).retired == [(10, False)]


def test_what_is_said_of_a_suspended_app_stays_when_another_replica_has_it() -> None:
    """It has not delivered it, and does not: what was said last holds."""

    def suspends(one: Replica, _two: Replica) -> None:
        one.cluster.change(spec={"suspend": True})

    def goes(one: Replica, two: Replica) -> None:
        one.take(owns=False)
        two.take(owns=True)

    cluster = told((10, suspends), (20, goes), seconds=60)
    assert cluster.ready == "True"
    assert cluster.applied == "main@sha256:1"


def test_what_is_said_of_an_app_stays_when_its_agent_was_told_to_rest_and_starts_anew() -> None:
    def starts(_one: Replica, two: Replica) -> None:
        two.board.hold(None)
        two.board.hold(Hold(everything=True))
        two.take(owns=True)

    def ends(one: Replica, _two: Replica) -> None:
        one.take(owns=False)

    cluster = told((20, ends), (20, starts), seconds=60)
    assert cluster.ready == "True"
    assert cluster.applied == "main@sha256:1"
    assert cluster.conditions == ["Ready", "Suspended"]


def test_who_asks_for_an_app_that_cannot_be_used_is_answered_at_once() -> None:
    def breaks(one: Replica, _two: Replica) -> None:
        one.cluster.change(spec={"path": "../up"}, metadata={"generation": 2})
        one.cluster.change(metadata=ASKED)

    cluster = told((10, breaks), seconds=20)
    assert cluster.ready == "False"
    assert cluster.tree["status"]["lastHandledReconcileAt"] == "now"
    assert cluster.tree["status"]["observedGeneration"] == 2
