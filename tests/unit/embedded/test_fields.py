from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.embedded.merge.fields import EMPTY, FieldSet, by_keys, by_name, by_value, shown

names = st.text(min_size=1, max_size=4).map(by_name)
keys = st.dictionaries(
    st.sampled_from(["name", "port"]), st.one_of(st.text(max_size=3), st.integers(0, 9)), min_size=1
).map(by_keys)
values = st.one_of(st.text(max_size=3), st.integers(), st.booleans()).map(by_value)
paths = st.lists(st.one_of(names, keys, values), min_size=1, max_size=4).map(tuple)
field_sets = st.lists(paths, max_size=8).map(FieldSet.of)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
)


@given(field_sets)
def test_a_set_survives_its_written_form(fields: FieldSet) -> None:
    assert FieldSet.decode(fields.encode()) == fields


@given(trees)
def test_arbitrary_json_is_a_set_or_a_value_error(tree: object) -> None:
    try:
        FieldSet.decode(tree)
    except ValueError:
        return


@given(field_sets, field_sets)
def test_sets_obey_the_laws_of_sets(left: FieldSet, right: FieldSet) -> None:
    a, b = set(left.paths()), set(right.paths())
    assert set((left | right).paths()) == a | b
    assert set((left & right).paths()) == a & b
    assert set((left - right).paths()) == a - b


@given(field_sets)
def test_taking_a_path_away_takes_what_is_below_it(fields: FieldSet) -> None:
    for path in list(fields.paths())[:3]:
        left = fields.without_below(FieldSet.of([path]))
        assert not [one for one in left.paths() if one[: len(path)] == path]


def test_a_field_with_children_of_its_own_is_marked_by_a_dot() -> None:
    fields = FieldSet.of([("f:data",), ("f:data", "f:a")])
    assert fields.encode() == {"f:data": {".": {}, "f:a": {}}}


def test_an_empty_set_is_false() -> None:
    assert not EMPTY
    assert FieldSet.of([("f:a",)])


def test_keys_are_written_in_the_order_of_their_names() -> None:
    assert by_keys({"protocol": "TCP", "port": 80}) == 'k:{"port":80,"protocol":"TCP"}'


def test_a_path_is_shown_as_conflicts_name_it() -> None:
    path = ("f:spec", "f:ports", by_keys({"port": 80, "protocol": "TCP"}), "f:name")
    assert shown(path) == '.spec.ports[port=80,protocol="TCP"].name'
    assert shown((by_value("a"),)) == '[="a"]'
    assert shown(("i:3",)) == "[3]"


@pytest.mark.parametrize(
    "tree", [[], {"x": {}}, {"x:a": {}}, {"k:1": {}}, {"k:{": {}}, {"i:x": {}}]
)
def test_what_is_no_field_set_is_refused(tree: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        FieldSet.decode(tree)
