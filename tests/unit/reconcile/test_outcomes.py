"""The last outcome of every object counts, once, as long as its App is there."""

from __future__ import annotations

from flux_secret.errors import RejectedError, UnreachableError
from flux_secret.model.change import Action, Change
from flux_secret.model.delivery import Delivery
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey
from flux_secret.model.target import Source, Target
from flux_secret.reconcile.outcomes import Outcomes

SOURCE = Source(GitUrl.parse("ssh://git@example.org/ops"), "main")
SECRET = ObjectKey("", "Secret", "dev", "secret")
DEMO = ObjectKey("apps", "Deployment", "dev", "demo")


def good(key: ObjectKey) -> Change:
    return Change(key, Action.CONFIGURED)


def bad(key: ObjectKey) -> Change:
    return Change(key, Action.FAILED, error=RejectedError("no"))


def note(outcomes: Outcomes, path: str, *changes: Change, gone: bool = False) -> None:
    delivery = Delivery(Target(SOURCE, path))
    for change in changes:
        delivery.changes.add(change)
    if gone:
        delivery.error = UnreachableError("gone")
    outcomes.note(delivery)


def test_each_object_is_counted_as_it_was_the_last_time() -> None:
    outcomes = Outcomes()
    note(outcomes, "a", good(SECRET), bad(DEMO))
    note(outcomes, "b", good(SECRET))
    assert (outcomes.applied, outcomes.failed) == (2, 1)
    assert [(key, "no" in why) for key, why in outcomes.errors()] == [(DEMO, True)]
    note(outcomes, "a", good(SECRET), good(DEMO))
    assert (outcomes.applied, outcomes.failed) == (3, 0)
    assert list(outcomes.errors()) == []


def test_a_target_that_failed_as_a_whole_changed_no_object_and_is_each_workloads_error() -> None:
    outcomes = Outcomes()
    note(outcomes, "a", good(SECRET), good(DEMO))
    note(outcomes, "a", gone=True)
    assert (outcomes.applied, outcomes.failed) == (2, 0)
    (found,) = outcomes.errors()
    assert found[0] == DEMO
    assert "gone" in found[1]


def test_a_look_that_found_nothing_to_do_leaves_the_counts() -> None:
    outcomes = Outcomes()
    note(outcomes, "a", good(SECRET), bad(DEMO))
    note(outcomes, "a")
    assert (outcomes.applied, outcomes.failed) == (1, 1)


def test_what_is_gone_is_counted_no_more() -> None:
    outcomes = Outcomes()
    note(outcomes, "a", good(SECRET), bad(DEMO))
    note(outcomes, "b", good(SECRET))
    outcomes.forget([Target(SOURCE, "a").name, "never heard of"])
    assert (outcomes.applied, outcomes.failed) == (1, 0)
    assert list(outcomes.errors()) == []
