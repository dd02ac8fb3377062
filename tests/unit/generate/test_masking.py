"""What a command complained of is shown without the values that were read."""

from __future__ import annotations

import base64
import json
import shlex
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.generate.masking import MAX_SHOWN, masked
from flux_secret.model.plaintext import Plaintext

VALUE = b'it\'s a "pass phrase" with \\ and $\nuser: bob.hunter\n'


def show(text: bytes, value: bytes = VALUE) -> str:
    return masked(text, [Plaintext(value)])


def test_the_rest_of_the_text_stays() -> None:
    assert show(b"sh: 3: bad thing\n") == "sh: 3: bad thing"


LINE = VALUE.splitlines()[0]


@pytest.mark.parametrize(
    "printed",
    [
        VALUE,
        VALUE.rstrip(),
        LINE,
        b"bob.hunter",
        base64.b64encode(VALUE),
        base64.b64encode(VALUE.rstrip()),
        base64.b64encode(LINE + b"\n"),
        base64.encodebytes(VALUE * 1),
        shlex.quote(LINE.decode()).encode(),
        b"'it'\\''s a \"pass phrase\" with \\ and $'",
        json.dumps(LINE.decode()).encode(),
        quote(LINE).encode(),
        LINE.hex().encode(),
    ],
)
def test_a_value_is_masked_in_the_forms_that_tools_give_it(printed: bytes) -> None:
    shown = show(b"before " + printed + b" after")
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    for canary in (
        b"pass phrase",
        b"bob.hunter",
        base64.b64encode(VALUE)[:12],
        LINE.hex().encode(),
    ):
        assert canary.decode() not in shown


@pytest.mark.parametrize("said", ["hunter2", '"hunter2"', "PASSWORD=hunter2"])
def test_what_stands_after_an_equals_sign_is_masked(said: str) -> None:
    assert "hunter2" not in show(said.encode(), b'USER=x\nPASSWORD="hunter2"\n')


def test_base64_wrapped_over_lines_is_masked() -> None:
    value = bytes(range(97, 123)) * 8
    assert show(base64.encodebytes(value), value).replace("\n", "").strip("*") == ""


@given(st.binary(min_size=12, max_size=90))
def test_no_value_stays_raw_or_in_base64(value: bytes) -> None:
    encoded = base64.b64encode(value)
    shown = masked(b"a " + value + b" b " + encoded + b" c", [Plaintext(value)])
    assert encoded.decode() not in shown
    if value.decode(errors="replace").isprintable():
        assert value.decode(errors="replace").strip() not in shown.removeprefix("a ")


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in show(b"\x1b[2J red")


def test_only_the_end_is_shown() -> None:
    shown = show(b"x" * 10_000 + b"end")
    assert len(shown) == MAX_SHOWN
    assert shown.endswith("end")


def test_large_values_take_no_time_worth_naming() -> None:
    value = b"".join(b"line %d of a long file\n" % number for number in range(2000))
    assert show(
        b"noise\n" * 20_000 + b"".join(value.splitlines(keepends=True)[:9]), value
    ).endswith("***")
