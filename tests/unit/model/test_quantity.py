"""Kubernetes' sizes, as flags take them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import UsageError
from flux_secret.model.quantity import parse_quantity, shown_quantity


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1000000", 1_000_000), ("1k", 1000), ("1Ki", 1024), ("512Mi", 512 << 20),
     ("1Gi", 1 << 30), ("1.5G", 1_500_000_000), ("1.5Gi", 3 << 29), ("2T", 2 * 10**12),
     ("0.1", 1), ("1.0001Ki", 1025)],
)  # fmt: skip
def test_a_size_is_read_and_rounded_up_as_by_kubernetes(text: str, size: int) -> None:
    assert parse_quantity(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "G",
        "1GB",
        "1gi",
        "-1Gi",
        "+1",
        "1 Gi",
        "500m",
        "1e9",
        ".5Gi",
        "1.Gi",
        "∞",
        "٣",
        "9" * 19,
    ],
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        parse_quantity(text)


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_our_error(text: str) -> None:
    try:
        assert parse_quantity(text) >= 0
    except UsageError:
        return


@given(st.integers(0, 10**18 - 1))
def test_a_size_that_is_shown_can_be_read_again(size: int) -> None:
    assert parse_quantity(shown_quantity(size)) == size


def test_a_size_is_shown_in_the_unit_that_people_write() -> None:
    shown = [shown_quantity(size) for size in (0, 1000, 1024, 48 << 20, 3 << 29, 1 << 40)]
    assert shown == ["0", "1000", "1Ki", "48Mi", "1536Mi", "1Ti"]
