from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import UnreachableError
from flux_secret.outside.kubernetes.body import Json, encoded, items, mapping, parse, text, text_map
from flux_secret.outside.kubernetes.live import LiveObject

trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.binary())
def test_arbitrary_bytes_give_an_object_or_our_error(untrusted: bytes) -> None:
    with contextlib.suppress(UnreachableError):
        assert isinstance(parse(untrusted), dict)


def test_a_broken_answer_leaves_no_trace_of_itself() -> None:
    with pytest.raises(UnreachableError) as caught:
        parse(b'{"data": "hunter2"')
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_deep_nesting_is_our_error() -> None:
    with pytest.raises(UnreachableError):
        parse(b"[" * 200_000)


@given(trees)
def test_any_tree_is_read_by_type(tree: Json) -> None:
    assert isinstance(text(tree, "metadata", "name"), str)
    assert isinstance(mapping(tree, "a"), dict)
    assert all(isinstance(item, dict) for item in items(tree, "items"))
    assert all(isinstance(value, str) for value in text_map(tree, "labels").values())
    assert isinstance(LiveObject.parse(tree).uid, str)


@given(st.dictionaries(st.text(), trees, max_size=5))
def test_encoding_round_trips_and_does_not_depend_on_order(tree: dict[str, Json]) -> None:
    assert json.loads(encoded(tree)) == tree
    assert encoded(dict(reversed(tree.items()))) == encoded(tree)
