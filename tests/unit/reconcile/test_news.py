"""What people are told of an App: what changed, what fails, that it goes on; never a value."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from flux_secret.errors import HeldError, ObjectError, ReadRefusedError
from flux_secret.model.app import AppName
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.delivery import Delivery
from flux_secret.model.names import ObjectKey
from flux_secret.model.restart import ROLLOUT, SecretRollout
from flux_secret.model.status import AppStatus, Reason
from flux_secret.model.target import Target
from flux_secret.reconcile.news import (
    HELD,
    MAX_MESSAGE,
    PRUNED,
    RESTARTED,
    RESTARTING,
    RESUMED,
    news,
)
from flux_secret.reconcile.round import Round
from unit.reconcile.stages import SOURCE

NEW = AppStatus(AppName("dev-demo", "demo"))
READY = replace(NEW, ready=True, reason=Reason.SUCCEEDED, applied="main@1", attempted="main@1")
FAILED = replace(NEW, ready=False, reason=Reason.FAILED, message="why", attempted="main@2")


def key(name: str) -> ObjectKey:
    return ObjectKey("", "Secret", "dev-demo", name)


def done(*changes: Change, swept: tuple[Change, ...] = ()) -> Round:
    return Round(
        (Delivery(Target(SOURCE, "demo"), changes=ChangeSet(list(changes))),), ChangeSet([*swept])
    )


def test_a_pass_in_which_nothing_happened_tells_nothing() -> None:
    assert news(READY, READY, done(Change(key("a"), Action.UNCHANGED))) == []
    assert news(NEW, READY, done(Change(key("a"), Action.UNCHANGED))) == []  # an agent started
    assert news(READY, replace(READY, reconciling=True), None) == []
    assert news(FAILED, FAILED, done()) == []


def test_what_changed_is_counted_and_named() -> None:
    changes = [Change(key("a"), Action.CREATED), Change(key("b"), Action.CONFIGURED)]
    (told,) = news(NEW, READY, done(*changes))
    assert told.reason == "ReconciliationSucceeded"
    assert told.message == ("delivered main@1: 1 created, 1 configured: secret/a, secret/b")
    assert told.revision == "main@1"
    assert not told.is_warning
    many = [Change(key(f"s{at}"), Action.CREATED) for at in range(12)]
    assert news(NEW, READY, done(*many))[0].message.endswith("secret/s9 and 2 more")


def test_what_was_removed_is_told_by_itself() -> None:
    (told,) = news(READY, READY, done(swept=(Change(key("old"), Action.DELETED),)))
    assert (told.reason, told.message) == (PRUNED, "no longer wanted: 1 deleted: secret/old")


def test_a_failure_is_told_when_it_begins_and_when_it_changes() -> None:
    (told,) = news(READY, FAILED, done())
    assert told.is_warning
    assert (told.reason, told.message, told.revision) == ("ReconciliationFailed", "why", "main@2")
    assert news(FAILED, replace(FAILED, message="another"), done())[0].message == "another"
    assert news(FAILED, replace(FAILED, failures=2), done()) == []
    refused = replace(FAILED, reason=Reason.INVALID)
    assert news(READY, refused, None)[0].reason == "InvalidSpec"


def test_what_was_written_in_part_is_told_beside_the_failure() -> None:
    failed = Change(key("b"), Action.FAILED, error=ObjectError("no"))
    told = news(READY, FAILED, done(Change(key("a"), Action.CREATED), failed))
    assert [one.reason for one in told] == ["Progressing", "ReconciliationFailed"]
    assert told[0].message == "in part: 1 created: secret/a"


def test_it_is_told_that_an_app_goes_on_even_when_nothing_had_changed() -> None:
    (told,) = news(FAILED, READY, done(Change(key("a"), Action.UNCHANGED)))
    assert told.message == "recovered; delivered main@1: nothing had changed"


def test_a_held_change_has_a_word_of_its_own() -> None:
    held = HeldError("it would vanish", remedy="--confirm 3f1a", token="3f1a")
    status = replace(
        FAILED, reason=Reason.SECRET_FAILED, message="it would vanish (--confirm 3f1a)"
    )
    (told,) = news(READY, status, done(Change(key("a"), Action.FAILED, error=held)))
    assert told.reason == HELD
    assert "--confirm 3f1a" in told.message


def test_a_refused_attempt_is_said_to_be_recorded_also_after_a_long_reason() -> None:
    one = Delivery(Target(SOURCE, "demo"), error=ReadRefusedError("no"))
    status = replace(FAILED, reason=Reason.ACCESS_DENIED, message="x" * 5000)
    (told,) = news(READY, status, Round((one,)))
    assert told.reason == "AccessDenied"
    assert len(told.message) == MAX_MESSAGE
    assert told.message.endswith("…\nthe refused attempt is recorded")


def test_suspending_and_resuming_are_told_once() -> None:
    still = replace(READY, suspended=True)
    assert [one.reason for one in news(READY, still, None)] == ["Suspended"]
    assert news(still, still, None) == []
    assert [one.reason for one in news(still, READY, None)] == [RESUMED]


def test_an_agent_that_starts_does_not_tell_what_was_suspended_before() -> None:
    unknown = replace(READY, ready=None)
    assert news(unknown, replace(unknown, suspended=True), None) == []


def test_it_is_told_when_a_workload_waits_for_a_changed_secret_and_when_it_has_it() -> None:
    demo = ObjectKey("apps", "Deployment", "dev-demo", "demo")
    rollout = SecretRollout(demo, ("demo-secret",), datetime.now(UTC), 2, 0, "the budget")
    rolling = replace(READY, rollouts=(rollout,))
    (waits,) = news(READY, rolling, None)
    assert waits.reason == RESTARTING
    assert "demo-secret, which waits for the budget" in waits.message
    assert news(rolling, replace(rolling, rollouts=(replace(rollout, pods_new=1),)), None) == []
    restarted = replace(READY, rollouts=(replace(rollout, waiting_for=ROLLOUT),))
    (over,) = news(restarted, READY, None)
    assert (over.reason, over.is_warning) == (RESTARTED, False)
    assert over.message == "deployment.apps/demo runs with what changed in demo-secret"


def test_of_a_restart_that_never_came_nobody_is_told_that_it_was_done() -> None:
    """The workload is gone, is not to be restarted, or somebody rolled it out in a freeze."""
    demo = ObjectKey("apps", "Deployment", "dev-demo", "demo")
    due = SecretRollout(demo, ("demo-secret",), datetime.now(UTC), 2, 0, "the end of a freeze")
    (over,) = news(replace(READY, rollouts=(due,)), READY, None)
    assert (over.reason, over.is_warning) == ("RestartOver", False)
    assert "no restart of deployment.apps/demo is due any more" in over.message


def test_it_is_told_once_that_a_change_waits_for_owners_and_that_none_does_any_more() -> None:
    waits = replace(READY, held=("store apps: demo/prod is not approved",))
    (told,) = news(READY, waits, done(Change(key("a"), Action.UNCHANGED)))
    assert (told.reason, told.is_warning) == ("ApprovalMissing", True)
    assert told.message == "store apps: demo/prod is not approved"
    assert news(waits, waits, done()) == []
    (told,) = news(waits, READY, done())
    assert (told.reason, told.is_warning) == ("Approved", False)
