from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.embedded.patches.merge import merge_patch
from flux_secret.embedded.patches.pointer import PatchError, json_patch
from flux_secret.embedded.patches.strategic import strategic_patch
from flux_secret.embedded.schema.kinds import built_in
from flux_secret.embedded.tree import Tree

DEPLOYMENT = built_in().shapes.struct("apps.v1.Deployment")
POD = built_in().shapes.struct("core.v1.PodSpec")
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "containers", "$patch", "$setElementOrder/containers", "a"]),
            inner | st.sampled_from(["replace", "delete"]),
        )
    ),
)


def test_null_in_a_merge_patch_removes() -> None:
    assert merge_patch({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": None}}) == {
        "b": {"d": 3}
    }


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/a/-", "value": 3}], {"a": [1, 2, 3], "b/c": "x"}),
        ([{"op": "add", "path": "/a/0", "value": 0}], {"a": [0, 1, 2], "b/c": "x"}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2], "b/c": "x"}),
        ([{"op": "replace", "path": "/b~1c", "value": "y"}], {"a": [1, 2], "b/c": "y"}),
        ([{"op": "move", "from": "/b~1c", "path": "/d"}], {"a": [1, 2], "d": "x"}),
        ([{"op": "copy", "from": "/a", "path": "/d"}], {"a": [1, 2], "b/c": "x", "d": [1, 2]}),
        ([{"op": "test", "path": "/a/1", "value": 2}], {"a": [1, 2], "b/c": "x"}),
    ],
)
def test_a_json_patch_does_what_it_says(operations: list[Tree], expected: Tree) -> None:
    assert json_patch({"a": [1, 2], "b/c": "x"}, operations) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/x"}, {"op": "remove", "path": "/a/9"},
        {"op": "test", "path": "/a/0", "value": 2}, {"op": "add", "path": "/x/y", "value": 1},
        {"op": "add", "path": "a", "value": 1}, {"op": "other", "path": "/a"}, {"op": "add"},
        {"op": "move", "path": "/a", "from": "/x"}, {"op": "replace", "path": "/a/7", "value": 1},
    ],
)  # fmt: skip
def test_a_json_patch_that_does_not_fit_is_refused(operation: Tree) -> None:
    with pytest.raises(PatchError):
        json_patch({"a": [1]}, [operation])


@given(values, st.lists(st.dictionaries(st.sampled_from(["op", "path", "from", "value"]), values)))
def test_arbitrary_operations_give_a_value_or_our_error(live: Any, operations: Any) -> None:  # noqa: ANN401 - that is the point
    try:
        json_patch(live, operations)
    except PatchError:
        return


def _pod(*containers: Tree) -> Tree:
    return {"containers": list(containers)}


def test_a_strategic_patch_finds_items_by_their_key() -> None:
    live = _pod({"name": "a", "image": "1"}, {"name": "b", "image": "2"})
    patched = strategic_patch(live, _pod({"name": "b", "image": "3"}), POD)
    assert patched == _pod({"name": "a", "image": "1"}, {"name": "b", "image": "3"})


def test_a_strategic_patch_deletes_an_item_by_its_key() -> None:
    live = _pod({"name": "a"}, {"name": "b"})
    assert strategic_patch(live, _pod({"name": "a", "$patch": "delete"}), POD) == _pod(
        {"name": "b"}
    )


def test_a_strategic_patch_replaces_a_list_when_told_to() -> None:
    live = _pod({"name": "a"}, {"name": "b"})
    patch = {"containers": [{"$patch": "replace"}, {"name": "c"}]}
    assert strategic_patch(live, patch, POD) == _pod({"name": "c"})


def test_a_strategic_patch_orders_as_it_is_told() -> None:
    live = _pod({"name": "a"}, {"name": "b"}, {"name": "c"})
    patch = {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}
    names = [one["name"] for one in strategic_patch(live, patch, POD)["containers"]]
    assert [name for name in names if name != "b"] == ["c", "a"]


def test_a_strategic_patch_of_an_atomic_list_replaces_it() -> None:
    live = _pod({"name": "a", "args": ["x", "y"]})
    patched = strategic_patch(live, _pod({"name": "a", "args": ["z"]}), POD)
    assert patched["containers"][0]["args"] == ["z"]


def test_retained_keys_drop_the_others() -> None:
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    patched = strategic_patch(live, patch, DEPLOYMENT)
    assert patched["spec"]["strategy"] == {"type": "Recreate"}


def test_primitive_items_are_deleted_by_value() -> None:
    live = {"metadata": {"finalizers": ["a", "b"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic_patch(live, patch, DEPLOYMENT)["metadata"] == {"finalizers": ["b"]}


@given(values, values)
def test_an_arbitrary_strategic_patch_gives_a_value_or_our_error(live: Any, patch: Any) -> None:  # noqa: ANN401 - that is the point
    if not isinstance(live, dict):
        return
    try:
        strategic_patch(live, patch, POD)
    except PatchError:
        return
