"""The order of merged lists, against a literal transcription of structured-merge-diff's loop."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from flux_secret.embedded.merge.combine import combine
from flux_secret.embedded.merge.schema import Atom, ListType, Scalar

SET = Atom(list=ListType(Atom(scalar=Scalar.TEXT), associative=True))
items = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6)


def _reference(left: list[str], right: list[str]) -> list[str]:
    """typed/merge.go visitListItems, line by line."""
    shared = [one for one in right if one in left]
    following = shared.pop(0) if shared else None
    merged: set[str] = set()
    out: list[str] = []
    at_left = at_right = 0
    while at_left < len(left) or at_right < len(right):
        if at_left < len(left) and at_right < len(right):
            one = left[at_left]
            if one == right[at_right]:
                merged.add(one)
                out.append(one)
                at_left += 1
                at_right += 1
                following = shared.pop(0) if shared else None
                continue
            if one in right and following is not None and following != one:
                at_left += 1
                continue
        if at_left < len(left):
            one = left[at_left]
            if one not in right:
                out.append(one)
                at_left += 1
                continue
            if one in merged:
                at_left += 1
        if at_right < len(right):
            one = right[at_right]
            merged.add(one)
            out.append(one)
            at_right += 1
            if following is not None and following == one:
                following = shared.pop(0) if shared else None
    return out


@settings(max_examples=150)
@given(items, items)
def test_merged_items_stand_where_the_real_one_puts_them(left: list[str], right: list[str]) -> None:
    expected = _reference(left, right)
    assert combine(left, right, SET) == (expected if left or right else [])


def test_an_item_of_the_live_list_keeps_its_place_between_applied_ones() -> None:
    assert combine(["a", "b", "c"], ["c", "a"], SET) == ["b", "c", "a"]
    assert combine(["a", "b", "c"], ["d", "b"], SET) == ["a", "d", "b", "c"]
