"""Names of stores, entries and objects: what is one, what is none, and how each is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import UsageError
from flux_secret.model.names import MAX_SECRET_PATH, ObjectKey, SecretPath, StoreName


@pytest.mark.parametrize("name", ["apps", "a", "team-1", "de.example", "me@home", "org/team", "_x"])
def test_a_mount_name_as_gopass_allows_it_is_a_store_name(name: str) -> None:
    assert str(StoreName.parse(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-apps",
        ".apps",
        "/apps",
        "apps/",
        "a//b",
        "a b",
        "a/../b",
        "a/./b",
        "a\n",
        "apps\0",
        "ä",
    ],
)
def test_what_could_be_an_option_a_path_or_a_trick_is_no_store_name(name: str) -> None:
    with pytest.raises(UsageError, match="is not a store name") as raised:
        StoreName.parse(name)
    assert raised.value.exit_code == 2
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("apps/application/demo/prod/db", "apps/application/demo/prod/db"),
        ("apps/technical/k8s/flux//gpg-private-key", "apps/technical/k8s/flux/gpg-private-key"),
        ("apps/demo/", "apps/demo"),
        ("apps///demo//", "apps/demo"),
        ("apps/with blank", "apps/with blank"),
        ("apps/größe", "apps/größe"),
        ("apps/...", "apps/..."),
        ("apps/.hidden", "apps/.hidden"),
        ("apps/-o", "apps/-o"),
    ],
)
def test_an_entry_is_named_as_people_and_scripts_write_it(text: str, name: str) -> None:
    assert str(SecretPath.parse(text)) == name


@pytest.mark.parametrize(
    "text",
    ["", "apps/../etc", "..", ".", "apps/./demo", "apps/de\nmo", "apps/\0", "apps/\x1b[2J",
     "a\u202eb", "x" * (MAX_SECRET_PATH + 1)],
)  # fmt: skip
def test_what_leads_elsewhere_or_cannot_be_shown_is_no_entry(text: str) -> None:
    with pytest.raises(UsageError, match="is not an entry name"):
        SecretPath.parse(text)


def test_a_leading_slash_is_taken_for_a_variable_that_is_not_set() -> None:
    with pytest.raises(UsageError, match="starts with a slash") as raised:
        SecretPath.parse("/demo")
    assert "--generator-env" in raised.value.remedy


def test_the_longest_name_is_a_name() -> None:
    assert SecretPath.parse("x" * MAX_SECRET_PATH).parts == ("x" * MAX_SECRET_PATH,)


def test_an_overlong_name_is_not_quoted_whole() -> None:
    with pytest.raises(UsageError) as raised:
        SecretPath.parse("y" * 5000)
    assert len(raised.value.what) < 200


@given(st.text())
def test_any_text_is_an_entry_or_our_error(text: str) -> None:
    try:
        path = SecretPath.parse(text)
    except UsageError:
        return
    assert path.parts
    assert not {"", ".", ".."} & set(path.parts)
    assert SecretPath.parse(str(path)) == path


@given(st.text())
def test_any_text_is_a_store_or_our_error(text: str) -> None:
    try:
        assert StoreName.parse(text).value == text
    except UsageError:
        return


@pytest.mark.parametrize(
    ("path", "mount", "inside"),
    [
        ("apps/demo", "apps", "demo"),
        ("apps/a/b", "apps", "a/b"),
        ("org/team/x", "org/team", "x"),
        ("apps", "apps", None),
        ("apps-old/demo", "apps", None),
        ("other/apps/demo", "apps", None),
        ("org/teams/x", "org/team", None),
    ],
)
def test_an_entry_lies_under_a_mount_by_whole_parts(
    path: str, mount: str, inside: str | None
) -> None:
    assert SecretPath.parse(path).under(StoreName.parse(mount)) == inside


def test_an_object_is_named_as_kubectl_names_it() -> None:
    secret = ObjectKey("", "Secret", "dev-demo", "demo-secret")
    deployment = ObjectKey("apps", "Deployment", "dev-demo", "demo")
    namespace = ObjectKey("", "Namespace", "", "dev-demo")
    assert str(secret) == "secret/demo-secret"
    assert str(deployment) == "deployment.apps/demo"
    assert secret.long == "secret/demo-secret in dev-demo"
    assert namespace.long == "namespace/dev-demo"
