"""The lines that Flux v1 had of kubectl: how many objects, how long, and what became of each."""

from __future__ import annotations

import pytest
import structlog.testing

from flux_secret.apply import telling
from flux_secret.apply.telling import applying, removing
from flux_secret.errors import RejectedError, UnreachableError
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.names import ObjectKey

SECRET = ObjectKey("", "Secret", "dev", "demo-secret")


def test_an_apply_is_said_before_and_after() -> None:
    changes = ChangeSet([Change(SECRET, Action.UNCHANGED)])
    with structlog.testing.capture_logs() as lines, applying("demo", 2, changes):
        changes.add(Change(SECRET, Action.CREATED))
        changes.add(Change(SECRET, Action.FAILED, error=RejectedError("no")))
    first, last = lines
    assert (first["event"], first["headline"], first["count"]) == ("apply", "cmd", 2)
    assert {first["component"], last["component"]} == {"cluster"}
    assert last["output"] == "secret/demo-secret created\nsecret/demo-secret failed"
    assert last["err"] == "1 of 2 objects could not be applied"
    assert last["took"].endswith("s")


def test_what_stops_it_is_said_and_goes_on_its_way() -> None:
    with (
        structlog.testing.capture_logs() as lines,
        pytest.raises(UnreachableError),
        applying("demo", 1, ChangeSet()),
    ):
        raise UnreachableError("the API server is gone")
    assert (lines[1]["err"], lines[1]["log_level"]) == ("the API server is gone", "error")


def test_nothing_to_apply_is_no_line_and_a_long_list_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with structlog.testing.capture_logs() as lines, applying("demo", 0, ChangeSet()):
        pass
    assert lines == []
    monkeypatch.setattr(telling, "MAX_LINES", 1)
    changes = ChangeSet()
    with structlog.testing.capture_logs() as lines, applying("demo", 3, changes):
        changes.changes += [Change(SECRET, Action.CREATED)] * 3
    assert lines[1]["output"] == "secret/demo-secret created\nand 2 more"
    assert lines[1]["err"] is None


def test_a_removal_has_flux_v1s_words() -> None:
    with structlog.testing.capture_logs() as lines:
        removing(SECRET, dry=True)
    assert lines[0]["event"] == "cluster resource not in resources to be synced; deleting"
    assert (lines[0]["dry-run"], lines[0]["resource"]) == (True, "dev:secret/demo-secret")
