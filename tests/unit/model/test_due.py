"""What is due when."""

from __future__ import annotations

import pytest

from flux_secret.model.due import DAY, Due, Standing

NOW = 1000 * DAY


def standing(since: float, earliest: float | None = None, every: float | None = 90) -> Standing:
    """Judge a value by its days of age."""
    return Due.of(
        int(NOW - since * DAY), int(NOW - (since if earliest is None else earliest) * DAY),
        None if every is None else every * DAY, NOW,
    ).standing  # fmt: skip


@pytest.mark.parametrize(
    ("since", "earliest", "expected"),
    [
        (75.9, None, Standing.OK),
        (76, None, Standing.SOON),
        (89.9, None, Standing.SOON),
        (90, None, Standing.OVERDUE),
        (60, 90, Standing.UNKNOWN),
        (60, 80, Standing.SOON),
        (60, 70, Standing.OK),
        (90, 200, Standing.OVERDUE),
    ],
)
def test_a_deadline_is_warned_of_14_days_ahead(
    since: float, earliest: float | None, expected: Standing
) -> None:
    assert standing(since, earliest) is expected
    assert expected.is_due == (expected in {Standing.OVERDUE, Standing.UNKNOWN})


@pytest.mark.parametrize("every", [None, 0])
def test_without_an_interval_there_is_no_deadline(every: float | None) -> None:
    assert standing(5000, None, every) is Standing.FREE
    assert Due.of(0, 0, every, NOW).deadline is None


def test_the_deadline_counts_from_the_earliest_time() -> None:
    assert Due.of(NOW, NOW - DAY, 10 * DAY, NOW).deadline == NOW + 9 * DAY
