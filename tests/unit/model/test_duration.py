"""Go's durations, as Flux v1's flags and files write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import UsageError
from flux_secret.model.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("5m", 300), ("1h30m", 5400), ("90s", 90), ("1.5s", 1.5), (".5m", 30),
     ("100ms", 0.1),
     ("1m0.5s", 60.5), ("2us", 2e-6)],
)  # fmt: skip
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "5x", "1m 5s", "∞", "1" * 99 + "s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        parse_duration(text)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_our_error(text: str) -> None:
    try:
        assert parse_duration(text) >= 0
    except UsageError:
        return
