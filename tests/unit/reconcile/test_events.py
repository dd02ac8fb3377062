"""Flux v1's sync event: who had it in an alert or a dashboard finds it with the same facts."""

from __future__ import annotations

import pytest
import structlog.testing

from flux_secret.errors import RejectedError, UnreachableError
from flux_secret.model.change import Action, Change
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey
from flux_secret.model.sync import CommitLine, Sync
from flux_secret.model.target import Source
from flux_secret.reconcile import events
from flux_secret.reconcile.events import sync_event, tell

SOURCE = Source(GitUrl.parse("https://bot:hunter2@example.org/ops"), "main")
SECRET = ObjectKey("", "Secret", "dev", "demo-secret")
SPACE = ObjectKey("", "Namespace", "", "dev")
REFUSED = Change(
    ObjectKey("apps", "Deployment", "dev", "demo"), Action.FAILED,
    error=RejectedError("spec.replicas: refused"), origin="demo/deployment.yaml, document 1",
)  # fmt: skip


def sync(commits: int = 0, since: str | None = "0" * 40) -> Sync:
    lines = tuple(
        CommitLine(f"{number}" * 40, f"commit {number}") for number in range(commits, 0, -1)
    )
    return Sync(SOURCE, commit="c" * 40, head="c" * 40, since=since, commits=lines)


@pytest.mark.parametrize(
    ("commits", "revisions"),
    [(1, "1111111"), (2, "2222222"), (3, "1111111..3333333"), (0, "<no revision>")],
)
def test_it_is_said_as_flux_v1_said_it(commits: int, revisions: str) -> None:
    changes = [Change(SECRET, Action.CONFIGURED), Change(SPACE, Action.CREATED),
               Change(ObjectKey("", "Service", "dev", "a"), Action.UNCHANGED)]  # fmt: skip
    event = sync_event(sync(commits), changes, in_full=True)
    assert str(event) == f"Sync: {revisions}, <cluster>:namespace/dev, dev:secret/demo-secret"


def test_its_metadata_is_flux_v1s_json() -> None:
    event = sync_event(sync(2, since=None), [Change(SECRET, Action.CREATED), REFUSED], in_full=True)
    assert event is not None
    assert event.metadata == {
        "commits": [{"revision": "2" * 40, "message": "commit 2"},
                    {"revision": "1" * 40, "message": "commit 1"}],
        "includes": {"other": True},
        "errors": [{"ID": "dev:deployment/demo", "Path": "demo/deployment.yaml, document 1",
                    "Error": "spec.replicas: refused"}],
        "initialSync": True,
    }  # fmt: skip


def test_commits_that_change_nothing_are_an_event_and_no_change_at_all_is_none() -> None:
    assert str(sync_event(sync(1), [], in_full=True)) == "Sync: 1111111, no workloads changed"
    unchanged = [Change(SECRET, Action.UNCHANGED), REFUSED]
    assert sync_event(sync(0), unchanged, in_full=True) is None


def test_a_rotation_without_a_commit_is_an_event_and_is_never_the_initial_sync() -> None:
    event = sync_event(sync(0, since=None), [Change(SECRET, Action.CONFIGURED)], in_full=True)
    assert event is not None
    assert event.metadata == {}


def test_commits_are_told_when_they_are_delivered_and_not_at_every_try() -> None:
    assert sync_event(sync(1), [REFUSED], in_full=False) is None
    assert sync_event(sync(1), [Change(SECRET, Action.CREATED)], in_full=False) is not None


def test_a_first_sync_of_thousands_is_one_bounded_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_IDS", 2)
    keys = [ObjectKey("", "Secret", "dev", name) for name in "abc"]
    event = sync_event(sync(), [Change(key, Action.CREATED) for key in keys], in_full=True)
    assert str(event) == "Sync: <no revision>, dev:secret/a, dev:secret/b, 1 more"


def test_what_people_should_know_is_logged_under_flux_v1s_keys_without_a_password() -> None:
    told = Sync(
        SOURCE, "c" * 40, "c" * 40, notes=("the tag was moved",),
        error=UnreachableError("no push", remedy="allow it"),
    )  # fmt: skip
    kept = Change(SECRET, Action.SKIPPED, note="ignored", origin="a.yaml")
    left = Change(SPACE, Action.SKIPPED, note="pruning is off")
    with structlog.testing.capture_logs() as lines:
        tell(told, [kept, Change(SPACE, Action.CREATED)], [left], in_full=True)
    assert [(line.get("headline", "msg"), line["event"]) for line in lines] == [
        ("warning", "the tag was moved"),
        ("msg", "sync.marker"),
        ("info", "not applying resource"),
        ("info", "not removing resource"),
        ("event", "Sync: <no revision>, <cluster>:namespace/dev"),
    ]
    assert lines[1]["err"] == "no push"
    assert lines[2]["resource"] == "dev:secret/demo-secret"
    assert {line["component"] for line in lines} == {"daemon"}
    assert "hunter2" not in str(lines)
