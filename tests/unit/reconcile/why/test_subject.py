"""What a person asks about → an App, an object or an entry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import UsageError
from flux_secret.model.names import ObjectKey, SecretPath
from flux_secret.reconcile.why.subject import Subject, parse_subject

APPS = ("demo/overlay/dev", "team/web")
STORES = ("apps", "secret/team")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("demo/overlay/dev", Subject("demo/overlay/dev", app="demo/overlay/dev")),
        ("web", Subject("web", app="web")),
        ("team/web", Subject("team/web", app="team/web")),
        ("app:web", Subject("app:web", app="web")),
        ("apps/demo", Subject("apps/demo", entry=SecretPath(("apps", "demo")))),
        ("other/demo", Subject("other/demo", entry=SecretPath(("other", "demo")))),
        ("entry:secret/x", Subject("entry:secret/x", entry=SecretPath(("secret", "x")))),
        ("secret/team/db", Subject("secret/team/db", entry=SecretPath(("secret", "team", "db")))),
        ("secret/db", Subject("secret/db", kind="secret", name="db")),
        ("Secrets/db", Subject("Secrets/db", kind="secret", name="db")),
        ("dev/deploy/x", Subject("dev/deploy/x", kind="deployment", name="x", namespace="dev")),
        ("deployment.apps/x", Subject("deployment.apps/x", kind="deployment.apps", name="x")),
        ("object:widget/x", Subject("object:widget/x", kind="widget", name="x")),
    ],
)
def test_names_are_understood(text: str, wanted: Subject) -> None:
    assert parse_subject(text, apps=APPS, stores=STORES) == wanted


@pytest.mark.parametrize("text", ["nope", "", "object:x", "entry:/x", "object:a/b/c/d"])
def test_what_names_nothing_is_an_error_that_names_what_there_is(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_subject(text, apps=APPS, stores=STORES)
    assert raised.value.remedy


@given(st.text())
def test_any_text_gives_a_subject_or_our_error(text: str) -> None:
    try:
        found = parse_subject(text, apps=APPS, stores=STORES)
    except UsageError:
        return
    assert sum(map(bool, (found.app, found.entry, found.kind))) == 1


def test_an_object_is_named_with_or_without_group_and_namespace() -> None:
    key = ObjectKey("apps", "Deployment", "dev", "x")
    for text in ("deploy/x", "dev/deploy/x", "deployment.apps/x"):
        assert parse_subject(text, apps=(), stores=()).is_about(key)
    for text in ("prod/deploy/x", "deploy/y", "sts/x", "deployment.other/x"):
        assert not parse_subject(text, apps=(), stores=()).is_about(key)
