"""What hosts send, as their documents have it → whether to look, and where."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.api.webhook.calls import Call, Event, call_of, payload
from flux_secret.api.webhook.hosts import BITBUCKET, GENERIC, GITEA, GITHUB, GITLAB, Host

PUSHED: dict[Host, dict[str, Any]] = {
    GITHUB: {
        "ref": "refs/heads/main",
        "repository": {
            "full_name": "Org/Repo",
            "clone_url": "https://github.com/Org/Repo.git",
            "ssh_url": "git@github.com:Org/Repo.git",
            "owner": {"name": "Org"},
        },
    },
    GITLAB: {
        "object_kind": "push",
        "ref": "refs/heads/main",
        "project": {
            "path_with_namespace": "org/repo",
            "git_ssh_url": "git@gitlab.com:org/repo.git",
            "git_http_url": "https://gitlab.com/org/repo.git",
        },
    },
    GITEA: {
        "ref": "refs/heads/main",
        "repository": {"full_name": "org/repo", "clone_url": "http://gitea:3000/org/repo.git"},
    },
    BITBUCKET: {
        "push": {"changes": [{"new": {"type": "branch", "name": "main"}}]},
        "repository": {
            "full_name": "org/repo",
            "links": {"html": {"href": "https://bitbucket.org/org/repo"}},
        },
    },
}
HEADERS = {
    GITHUB: {"X-GitHub-Event": "push"},
    GITLAB: {"X-Gitlab-Event": "Push Hook"},
    GITEA: {"X-Gitea-Event": "push"},
    BITBUCKET: {"X-Event-Key": "repo:push"},
}
NAMES = frozenset({"org/repo"})


def call(host: Host, body: object, headers: dict[str, str] | None = None) -> Call:
    return call_of(host, HEADERS[host] if headers is None else headers, json.dumps(body).encode())


@pytest.mark.parametrize("host", PUSHED, ids=lambda host: host.name)
def test_a_push_names_its_repository(host: Host) -> None:
    assert call(host, PUSHED[host]) == Call(Event.PUSH, NAMES)
    assert call(host, PUSHED[host], {}).event is Event.OTHER
    assert call(host, {"repository": {}}).event is Event.OTHER


def test_bitbucket_data_center_and_forgejo_and_gitlabs_system_hooks_are_understood() -> None:
    changes = [{"ref": {"id": "refs/heads/main", "type": "BRANCH"}, "type": "UPDATE"}]
    clone = [{"href": "ssh://git@host:7999/org/repo.git", "name": "ssh"}]
    center: dict[str, Any] = {
        "changes": changes,
        "repository": {"slug": "repo", "project": {"key": "ORG"}, "links": {"clone": clone}},
    }
    refs_changed = {"X-Event-Key": "repo:refs_changed"}
    assert call(BITBUCKET, center, refs_changed) == Call(Event.PUSH, NAMES)
    del center["repository"]["links"]
    assert call(BITBUCKET, center, refs_changed) == Call(Event.PUSH, NAMES)
    forgejo = {"X-Forgejo-Event": "push", "X-Gitea-Event": "push"}
    assert call(GITEA, PUSHED[GITEA], forgejo).event is Event.PUSH
    system = {"X-Gitlab-Event": "System Hook"}
    assert call(GITLAB, {**PUSHED[GITLAB], "event_name": "push"}, system).event is Event.PUSH
    assert call(GITLAB, {"event_name": "user_create"}, system).event is Event.OTHER


@pytest.mark.parametrize(
    ("host", "headers"),
    [(GITHUB, {"X-GitHub-Event": "ping"}), (BITBUCKET, {"X-Event-Key": "diagnostics:ping"})],
)
def test_a_ping_is_one_whatever_its_body(host: Host, headers: dict[str, str]) -> None:
    assert call_of(host, headers, b"no json").event is Event.PING


@pytest.mark.parametrize(
    ("host", "body"),
    [
        (GITHUB, {**PUSHED[GITHUB], "ref": "refs/tags/flux-sync"}),
        (GITLAB, {**PUSHED[GITLAB], "ref": "refs/tags/flux-sync"}),
        (GITEA, {**PUSHED[GITEA], "ref": "refs/tags/flux-sync"}),
        (BITBUCKET, {**PUSHED[BITBUCKET], "push": {"changes": [{"new": {"type": "tag"}}]}}),
        (BITBUCKET, {**PUSHED[BITBUCKET], "push": {"changes": [{"old": {"type": "tag"}}]}}),
    ],
)
def test_the_agents_own_tag_makes_it_look_for_nothing(host: Host, body: object) -> None:
    assert call(host, body).event is Event.OTHER


def test_a_tag_beside_a_branch_is_a_push() -> None:
    changes = [{"new": {"type": "tag"}}, {"new": {"type": "branch"}}]
    assert call(BITBUCKET, {**PUSHED[BITBUCKET], "push": {"changes": changes}}).event is Event.PUSH


def test_a_generic_call_means_everything_whatever_it_says() -> None:
    assert call_of(GENERIC, {}, b"") == Call(Event.PUSH)
    assert call_of(GENERIC, {}, b'{"repository": {"full_name": "org/repo"}}') == Call(Event.PUSH)


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b"\xff", b"null"])
def test_a_push_that_is_no_object_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        call_of(GITHUB, HEADERS[GITHUB], body)


def test_nesting_without_end_is_an_error_that_is_expected() -> None:
    with pytest.raises((ValueError, RecursionError)):
        call_of(GITHUB, HEADERS[GITHUB], b"[" * 500_000)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["repository", "project", "links", "clone", "href", "changes", "push", "new", "ref",
             "type", "full_name", "key", "slug"]
        ),
        inner, max_size=6,
    ),
    max_leaves=30,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["repository", "project", "push", "changes", "ref"]),
                       json_values, max_size=5))  # fmt: skip
def test_any_object_is_a_call(body: object) -> None:
    for host in PUSHED:
        assert call(host, body).event in {Event.PUSH, Event.OTHER}


def test_githubs_form_is_signed_as_it_is_and_giteas_is_not() -> None:
    inner = json.dumps(PUSHED[GITHUB]).encode()
    form = urlencode({"payload": inner.decode()}).encode()
    kind = "application/x-www-form-urlencoded; charset=utf-8"
    assert payload(GITHUB, kind, form) == (form, inner)
    assert payload(GITEA, kind, form) == (inner, inner)
    assert payload(GITEA, "application/json", inner) == (inner, inner)
    for broken in (b"\xff", b"a&b", b"&".join([b"a=1"] * 20)):
        with pytest.raises(ValueError, match=r"."):
            payload(GITHUB, kind, broken)
