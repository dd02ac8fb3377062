"""Dates of commits, as far as they can be believed."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from flux_secret.outside.git.past import Made
from flux_secret.store.working.dates import GIT, SKEW, dated

DAY = 86_400
NOW = GIT + 5000 * DAY


def whens(*days: float, authored: Sequence[float] = ()) -> list[tuple[float, bool]]:
    """Date commits by the day since git was; give the day of each, and whether it is believed."""
    made = [
        Made(f"c{at}", GIT + int(day * DAY), GIT + int((authored or days)[at] * DAY), "A <a@b>", "")
        for at, day in enumerate(days)
    ]
    found = dated(made, NOW)
    return [((one.when - GIT) / DAY, one.is_believed) for one in found.values()]


def test_dates_that_go_forward_are_believed() -> None:
    assert whens(1, 2, 2, 3) == [(1, True), (2, True), (2, True), (3, True)]


def test_a_date_in_the_future_is_as_old_as_the_one_before_it() -> None:
    assert whens(1, 6000, 3) == [(1, True), (1, False), (3, True)]
    assert whens(1, 2, 9000) == [(1, True), (2, True), (2, False)]
    assert whens(6000, 3) == [(3, False), (3, True)]
    assert whens(9000) == [(5000, False)]


def test_a_clock_that_was_ahead_is_found_by_what_came_after_it() -> None:
    assert whens(1, 400, 2, 3) == [(1, True), (1, False), (2, True), (3, True)]


def test_a_clock_that_was_behind_moves_nobody_else() -> None:
    assert whens(10, 20, -900, 30) == [(10, True), (20, True), (20, False), (30, True)]
    assert whens(10, 20, 1, 30) == [(10, True), (20, True), (20, False), (30, True)]


def test_clocks_that_differ_by_minutes_are_no_doubt() -> None:
    minute = 1 / 1440
    found = whens(1, 100, 100 - minute, 200)
    assert all(believed for _, believed in found)
    assert [round(day) for day, _ in found] == [1, 100, 100, 200]
    assert whens(1, 5000 + minute) == [(1, True), (5000, True)]


def test_a_rebase_makes_nothing_younger() -> None:
    assert whens(50, 50, authored=(10, 20)) == [(10, True), (20, True)]
    assert whens(50, 51, authored=(70, -900)) == [(50, True), (51, True)]


@given(st.lists(st.integers(min_value=-(10**12), max_value=10**12), max_size=30))
def test_whatever_commits_say_nothing_is_in_the_future_or_before_git(days: list[int]) -> None:
    made = [Made(str(at), when, when, "", "") for at, when in enumerate(days)]
    found = dated(made, NOW)
    assert list(found) == [one.commit for one in made]
    assert all(GIT <= one.when <= NOW for one in found.values())


@given(st.lists(st.integers(min_value=GIT, max_value=NOW), min_size=1, max_size=20),
       st.data())  # fmt: skip
def test_one_wrong_clock_moves_no_other_commit_by_more_than_it_has_to(
    days: list[int], data: st.DataObject
) -> None:
    days.sort()
    at = data.draw(st.integers(min_value=0, max_value=len(days) - 1))
    wrong = data.draw(st.sampled_from([0, NOW + 10 * SKEW]))
    said = [wrong if each == at else day for each, day in enumerate(days)]
    found = dated([Made(str(each), day, day, "", "") for each, day in enumerate(said)], NOW)
    for each, day in enumerate(days):
        if each != at:
            assert found[str(each)].when == day
        elif at:
            assert found[str(each)].when == days[at - 1]
