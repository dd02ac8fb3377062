"""An App that goes from one replica to another has one status: the one of who delivers it now."""

from __future__ import annotations

from flux_secret.reconcile.resources.teller import QUIET_SECONDS
from unit.reconcile.resources.replicas import ROUND_SECONDS, Replica, told


def goes(one: Replica, two: Replica) -> None:
    one.take(owns=False)
    two.take(owns=True)


def returns(one: Replica, two: Replica) -> None:
    goes(two, one)


def test_what_a_replica_was_about_to_say_is_not_said_once_the_app_is_anothers() -> None:
    cluster = told((ROUND_SECONDS / 2, goes), seconds=2 * QUIET_SECONDS)
    assert cluster.writes == [(ROUND_SECONDS * 1.5, "True")]


def test_a_replica_that_gets_an_app_back_says_again_what_it_had_said_before() -> None:
    def other_head(_one: Replica, two: Replica) -> None:
        two.head = "2"

    cluster = told((0, other_head), (10, goes), (20, returns), seconds=19)
    assert "2" in cluster.applied
    cluster = told((0, other_head), (10, goes), (20, returns), seconds=30)
    assert "1" in cluster.applied
    assert cluster.ready == "True"


def test_a_status_that_somebody_else_overwrote_is_said_again_once() -> None:
    def overwrites(one: Replica, _two: Replica) -> None:
        conditions = [{"type": "Ready", "status": "Unknown"}]
        one.cluster.write({"observedGeneration": 1, "conditions": conditions})

    cluster = told((5, overwrites), seconds=100)
    assert cluster.writes == [
        (ROUND_SECONDS, "True"), (5, "Unknown"), (5 + QUIET_SECONDS, "True")
    ]  # fmt: skip


def test_a_round_that_ends_while_it_is_shown_as_running_is_shown_as_ended() -> None:
    def slowly(one: Replica, _two: Replica) -> None:
        one.cluster.takes_seconds = 0.2
        one.round_seconds = QUIET_SECONDS + 0.1
        one.board.scheduler.wake()

    cluster = told((10, slowly), seconds=100)
    assert cluster.conditions == ["Ready"]
    assert cluster.ready == "True"


def test_two_that_both_take_it_for_theirs_do_not_write_without_end() -> None:
    def both(_one: Replica, two: Replica) -> None:
        two.head = "2"
        two.take(owns=True)

    cluster = told((1, both), seconds=250)
    assert len(cluster.writes) < 16
