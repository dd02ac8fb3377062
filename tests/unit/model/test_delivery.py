"""A delivery says how it ended: by its first reason, else by its objects."""

from __future__ import annotations

import pytest

from flux_secret.errors import (
    AccessError,
    BugError,
    ConfigurationError,
    FluxSecretError,
    ForbiddenError,
    HeldError,
    IntegrityError,
    NotOursError,
    ObjectError,
    RejectedError,
    UnreachableError,
    UsageError,
)
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.delivery import Delivery, Revision, StoreRevision
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey, StoreName
from flux_secret.model.target import Source, Target

TARGET = Target(Source(GitUrl.parse("https://git.example/ops"), "master"), "demo/overlay/dev")
SECRET = ObjectKey("", "Secret", "dev-demo", "demo-secret")
SERVICE = ObjectKey("", "Service", "dev-demo", "demo")


def delivery(*changes: Change, error: FluxSecretError | None = None) -> Delivery:
    return Delivery(TARGET, changes=ChangeSet(list(changes)), error=error)


def failed(error: FluxSecretError) -> Change:
    return Change(SECRET, Action.FAILED, error=error)


def test_a_delivery_without_a_change_is_done() -> None:
    assert delivery().exit_code == 0


@pytest.mark.parametrize("action", [action for action in Action if action is not Action.FAILED])
def test_every_outcome_but_failure_is_done(action: Action) -> None:
    assert delivery(Change(SECRET, action)).exit_code == 0


@pytest.mark.parametrize("kind", [ObjectError, ForbiddenError, RejectedError, NotOursError])
def test_an_object_that_failed_gives_seven(kind: type[FluxSecretError]) -> None:
    done = delivery(Change(SERVICE, Action.CREATED), failed(kind("x")))
    assert done.exit_code == 7
    assert [change.key for change in done.changes.failed] == [SECRET]


def test_a_value_that_was_held_back_gives_four_beside_other_failures() -> None:
    done = delivery(failed(RejectedError("x")), failed(HeldError("y", token="abc")))
    assert done.exit_code == 4


@pytest.mark.parametrize(
    ("kind", "code"),
    [(UsageError, 2), (ConfigurationError, 3), (AccessError, 4), (UnreachableError, 5),
     (IntegrityError, 6), (BugError, 70)],
)  # fmt: skip
def test_the_reason_that_ended_it_comes_before_its_objects(
    kind: type[FluxSecretError], code: int
) -> None:
    assert delivery(failed(RejectedError("x")), error=kind("y")).exit_code == code


def test_a_failed_object_without_a_reason_still_is_no_success() -> None:
    assert delivery(Change(SECRET, Action.FAILED)).exit_code == 7


def test_a_change_is_one_line_in_kubectls_words() -> None:
    assert str(Change(SECRET, Action.CREATED)) == "secret/demo-secret created"
    note = "repaired: spec.replicas was changed by kubectl-edit"
    assert str(Change(SERVICE, Action.CONFIGURED, note)) == f"service/demo configured ({note})"


def test_changes_stay_in_the_order_in_which_they_happened() -> None:
    changes = ChangeSet()
    for action in (Action.CREATED, Action.DELETED, Action.CREATED):
        changes.add(Change(SECRET, action))
    assert [change.action for change in changes] == [
        Action.CREATED, Action.DELETED, Action.CREATED,
    ]  # fmt: skip
    assert len(changes) == 3


def test_a_revision_names_each_store_shortly_and_in_order() -> None:
    stores = {
        StoreName.parse("b"): StoreRevision("2" * 40),
        StoreName.parse("a"): StoreRevision("1" * 64),
    }
    assert str(Revision("f" * 40)) == "f" * 12
    assert str(Revision("f" * 40, stores)) == f"{'f' * 12}, a@{'1' * 12}, b@{'2' * 12}"


def test_an_error_has_a_sentence_a_remedy_and_a_code() -> None:
    error = AccessError("no entry apps/demo", remedy="gopass insert apps/demo")
    assert str(error) == error.what == "no entry apps/demo"
    assert error.remedy == "gopass insert apps/demo"
    assert error.exit_code == 4
    assert not error.retryable


def test_a_target_is_called_by_its_path() -> None:
    assert TARGET.name == "demo/overlay/dev"
    assert Target(TARGET.source, "").name == "/"
