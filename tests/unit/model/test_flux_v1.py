"""Flux v1's marks and annotations, with the vectors that its own code gave (facts: flux-v1 §3)."""

from __future__ import annotations

import pytest

from flux_secret.model.flux_v1 import Ignore, SyncSet, ignored, policies, resource_id, safe_url
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey

GET_STARTED = ("ssh://git@github.com/fluxcd/flux-get-started", "master", ())
OPS = ("ssh://git@github.com/example/ops.git", "master", ("staging", "yamls"))
NAMESPACE = ObjectKey("", "Namespace", "", "demo")
SECRET = ObjectKey("", "Secret", "dev-demo", "demo-secret")


@pytest.mark.parametrize(
    ("daemon", "name"),
    [
        (GET_STARTED, "aBqHLTvk4pWff65LXXwheu1mmzfQkdC96YNjgC-1u0Q"),
        (OPS, "3ZQB8EFguqSApIC_C0xhAq1SUxjqBMxePc9WnAY04tY"),
    ],
)
def test_a_daemon_has_the_name_that_flux_gives_it(
    daemon: tuple[str, str, tuple[str, ...]], name: str
) -> None:
    url, branch, paths = daemon
    assert SyncSet.of(GitUrl.parse(url), branch, paths).name == name


@pytest.mark.parametrize(
    ("name", "key", "mark"),
    [
        (
            "aBqHLTvk4pWff65LXXwheu1mmzfQkdC96YNjgC-1u0Q",
            NAMESPACE,
            "sha256.3xa9FRFtnbm0cAHvO6Lta6l0xPtwpoiQBqRt4-XxOD0",
        ),
        (
            "aBqHLTvk4pWff65LXXwheu1mmzfQkdC96YNjgC-1u0Q",
            SECRET,
            "sha256.Lvz-4617wpkhUUeTrOoRkyEUebl5gFdXuU_LXvK3_TQ",
        ),
        (
            "3ZQB8EFguqSApIC_C0xhAq1SUxjqBMxePc9WnAY04tY",
            SECRET,
            "sha256.XHpV74BA5TX3_0aCaZTy5BSkJMlKOy2P4cHvQ5V3HDg",
        ),
        (
            "testset",
            ObjectKey("apps", "Deployment", "foobar", "dep1"),
            "sha256.VX712Q0L5vUasXYlKhJXJKfhfEPbbQ2xx5aKD5EfjnE",
        ),
    ],
)
def test_an_object_has_the_mark_that_flux_gives_it(name: str, key: ObjectKey, mark: str) -> None:
    assert SyncSet(name).mark(key) == mark


def test_the_order_of_the_paths_counts() -> None:
    url = GitUrl.parse("git@host:org/ops")
    assert SyncSet.of(url, "main", ("a", "b")) != SyncSet.of(url, "main", ("b", "a"))


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("git@github.com:o/r", "ssh://git@github.com/o/r"),
        ("git@github.com:/o/r.git", "ssh://git@github.com/o/r.git"),
        ("ssh://git@github.com/o/r", "ssh://git@github.com/o/r"),
        ("https://user:hunter2@host/o/r", "https://user@host/o/r"),
        ("https://host/o/r", "https://host/o/r"),
        ("/stores/ops", "file:///stores/ops"),
    ],
)
def test_an_address_is_normalised_and_shows_no_password(address: str, safe: str) -> None:
    assert safe_url(GitUrl.parse(address)) == safe


def test_an_id_names_namespace_kind_and_name() -> None:
    assert resource_id(NAMESPACE) == "<cluster>:namespace/demo"
    assert resource_id(SECRET) == "dev-demo:secret/demo-secret"


@pytest.mark.parametrize(
    ("annotations", "meaning"),
    [
        ({}, None),
        ({"fluxcd.io/ignore": "true"}, Ignore.WHOLLY),
        ({"flux.weave.works/ignore": "true"}, Ignore.WHOLLY),
        ({"fluxcd.io/ignore": "sync_only"}, Ignore.SYNC_ONLY),
        ({"fluxcd.io/ignore": "sync_only", "flux.weave.works/ignore": "true"}, Ignore.WHOLLY),
        ({"fluxcd.io/ignore": "false"}, None),
        ({"fluxcd.io/ignore": True}, None),  # the API server takes no such annotation
        ({"fluxcd.io/ignore": "True"}, None),
    ],
)
def test_ignore_is_read_in_both_spellings(
    annotations: dict[str, object], meaning: Ignore | None
) -> None:
    assert ignored(annotations) is meaning


def test_policies_are_read_in_every_spelling_and_the_newer_prefix_wins() -> None:
    assert policies(
        {
            "fluxcd.io/ignore": "true",
            "flux.weave.works/ignore": "false",
            "flux.weave.works/tag.app": "glob:*",
            "filter.fluxcd.io/side": "semver:1",
            "fluxcd.io/sync-checksum": "0a",
            "example.org/locked": "true",
        }
    ) == {"ignore": "true", "tag.app": "glob:*", "tag.side": "semver:1"}
