"""Plain scalars mean what kubectl makes of them (facts: dependencies, YAML)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.generate.scalars import plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0400", 256), ("0o400", 256), ("08", 8), ("0x1F", 31), ("0b11", 3), ("-0x10", -16),
        ("yes", True), ("on", True), ("y", True), ("No", False), ("off", False), ("TRUE", True),
        ("1e3", 1000), ("1_000", 1000), ("1.5", 1.5), (".5", 0.5), ("1.", 1), ("+12", 12),
        ("2001-01-01", "2001-01-01"), ("12:30:45", "12:30:45"), ("1.2.3", "1.2.3"),
        ("", None), ("~", None), ("null", None), ("NULL", None), ("nULL", "nULL"),
        ("tRue", "tRue"), ("-", "-"), (".", "."), ("+", "+"), ("_1", "_1"), ("0x", "0x"),
        ("1e400", "1e400"), ("18446744073709551615", 2**64 - 1), ("1e21", 1e21),
        ("9" * 30, float("9" * 30)),
    ],
)  # fmt: skip
def test_a_plain_scalar_is_what_kubectl_makes_of_it(text: str, value: object) -> None:
    found = plain(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".nan"])
def test_what_json_cannot_say_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        plain(text)


@given(st.text(max_size=20))
def test_any_text_is_a_json_scalar(text: str) -> None:
    try:
        value = plain(text)
    except ValueError:
        return
    json.dumps(value, allow_nan=False)
