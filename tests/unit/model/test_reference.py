"""`ref+gopass://…`: what it asks for, and that nothing else is taken for one."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import SecretRefError
from flux_secret.model.names import SecretPath
from flux_secret.model.reference import SCHEME, Encoding, Lookup, Part, SecretRef

DB = SecretPath.parse("apps/application/demo/prod/db")


@pytest.mark.parametrize(
    ("rest", "reference"),
    [
        ("", SecretRef(Lookup(DB))),
        ("#password", SecretRef(Lookup(DB, Part.PASSWORD))),
        ("#user", SecretRef(Lookup(DB, Part.KEY, "user"))),
        ("#", SecretRef(Lookup(DB))),
        ("#a%20key", SecretRef(Lookup(DB, Part.KEY, "a key"))),
        ("#Password", SecretRef(Lookup(DB, Part.KEY, "Password"))),
        ("#a#b", SecretRef(Lookup(DB, Part.KEY, "a#b"))),
        ("?encoding=text", SecretRef(Lookup(DB))),
        ("?encoding=base64", SecretRef(Lookup(DB), Encoding.BASE64)),
        ("?encoding=base64#tls", SecretRef(Lookup(DB, Part.KEY, "tls"), Encoding.BASE64)),
        ("?encoding=binary", SecretRef(Lookup(DB, Part.BINARY), Encoding.BINARY)),
    ],
)
def test_a_reference_asks_for_what_it_says(rest: str, reference: SecretRef) -> None:
    assert SecretRef.parse(f"{SCHEME}{DB}{rest}") == reference


@pytest.mark.parametrize(
    "text",
    [
        "", "apps/demo", "gopass://apps/demo", "ref+vault://apps/demo", " ref+gopass://apps/demo",
        "REF+GOPASS://apps/demo", SCHEME, f"{SCHEME}/apps/demo", f"{SCHEME}apps/../demo",
        f"{SCHEME}apps/%2e%2e/demo", f"{SCHEME}apps/%00", f"{SCHEME}apps/%ff",
        f"{SCHEME}apps/demo#key?encoding=base64", f"{SCHEME}apps/demo?encoding=hex",
        f"{SCHEME}apps/demo?key=user", f"{SCHEME}apps/demo?encoding=text&encoding=base64",
        f"{SCHEME}apps/demo?encoding", f"{SCHEME}#key", f"{SCHEME}?encoding=base64",
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_reference_is_refused(text: str) -> None:
    with pytest.raises(SecretRefError) as raised:
        SecretRef.parse(text)
    assert raised.value.exit_code == 3
    assert raised.value.remedy


def test_a_long_text_is_not_quoted_whole() -> None:
    with pytest.raises(SecretRefError) as raised:
        SecretRef.parse(f"{SCHEME}apps/demo?{'x' * 5000}")
    assert len(raised.value.what) < 250


@given(st.text())
def test_any_text_is_a_reference_or_our_error(text: str) -> None:
    for candidate in (text, SCHEME + text, f"{SCHEME}apps/{text}"):
        try:
            SecretRef.parse(candidate)
        except SecretRefError:
            continue


@given(st.text(min_size=1))
def test_a_key_of_any_text_can_be_asked_for_when_it_is_escaped(key: str) -> None:
    lookup = SecretRef.parse(f"{SCHEME}{DB}#{quote(key, safe='')}").lookup
    assert lookup.path == DB
    assert lookup.part is (Part.PASSWORD if key == "password" else Part.KEY)
    assert lookup.key == ("" if key == "password" else key)


@pytest.mark.parametrize(
    ("lookup", "said"),
    [
        (Lookup(DB), "apps/application/demo/prod/db"),
        (Lookup(DB, Part.PASSWORD), "apps/application/demo/prod/db (password)"),
        (Lookup(DB, Part.KEY, "user"), "apps/application/demo/prod/db key 'user'"),
    ],
)
def test_a_question_is_said_in_few_words(lookup: Lookup, said: str) -> None:
    assert str(lookup) == said
