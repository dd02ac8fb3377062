from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.apply.fields import drift_note, removed, spoken, taken, without
from flux_secret.outside.kubernetes.body import Json
from unit.apply.builders import entry, live

CONTAINER = 'k:{"name":"web"}'
WANTED: dict[str, Json] = {
    "apiVersion": "apps/v1",
    "metadata": {"name": "d", "namespace": "demo", "labels": {"a": "b"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "d"}},
        "template": {"spec": {"containers": [{"name": "web", "image": "nginx"}]}},
        "empty": {},
        "null": None,
    },
}
OURS: dict[str, Json] = {
    "f:metadata": {"f:labels": {"f:a": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
            "f:spec": {"f:containers": {CONTAINER: {".": {}, "f:name": {}, "f:image": {}}}}
        },
    },
}


def test_an_object_that_is_as_we_left_it_has_nothing_to_tell() -> None:
    there = live(entry(OURS), entry({"f:status": {"f:replicas": {}}}, "controller"))
    assert taken(WANTED, there) == []
    assert removed(WANTED, there) == []


def test_a_taken_field_is_named_with_who_took_it() -> None:
    ours = {**OURS, "f:spec": {k: v for k, v in OURS["f:spec"].items() if k != "f:replicas"}}  # type: ignore[union-attr]  # a dict, above
    there = live(entry(ours), entry({"f:spec": {"f:replicas": {}}}, "autoscaler", "scale"))
    assert drift_note(WANTED, there) == "repaired: spec.replicas was changed by autoscaler"


def test_a_taken_field_in_a_list_is_named_by_its_key() -> None:
    theirs: Json = {"f:template": {"f:spec": {"f:containers": {CONTAINER: {"f:image": {}}}}}}
    there = live(
        entry({"f:metadata": {"f:labels": {"f:a": {}}}}), entry({"f:spec": theirs}, "kubectl")
    )
    (found,) = taken(WANTED, there)
    assert str(found) == "spec.template.spec.containers[name=web].image"


def test_fields_we_do_not_want_are_not_taken_from_us() -> None:
    theirs: dict[str, Json] = {"f:metadata": {"f:annotations": {"f:x": {}}}, "f:data": {"f:y": {}}}
    assert taken(WANTED, live(entry(OURS), entry(theirs, "kubectl"))) == []


def test_removed_fields_are_named() -> None:
    ours = {"f:spec": OURS["f:spec"]}
    assert drift_note(WANTED, live(entry(ours))) == "repaired: metadata.labels.a was removed"


def test_when_our_entry_is_gone_the_note_stays_short() -> None:
    assert drift_note(WANTED, live()) == (
        "repaired: metadata.labels.a was removed, spec.replicas was removed, "
        "spec.selector.matchLabels.app was removed and 1 more"
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (("f:spec", "f:replicas"), "spec.replicas"),
        (("f:spec", 'k:{"port":80,"protocol":"TCP"}', "f:x"), "spec[port=80,protocol=TCP].x"),
        (("f:finalizers", 'v:"a"'), 'finalizers["a"]'),
    ],
)
def test_paths_are_spoken_as_people_write_them(path: tuple[str, ...], said: str) -> None:
    assert spoken(path) == said


def test_a_field_can_be_left_out() -> None:
    assert without({"a": {"b": 1, "c": 2}}, ("f:a", "f:b")) == {"a": {"c": 2}}
    body: dict[str, Json] = {"l": [{"name": "web", "image": "x"}, {"name": "b", "image": "y"}]}
    assert without(body, ("f:l", CONTAINER, "f:image")) == {
        "l": [{"name": "web"}, {"name": "b", "image": "y"}]
    }
    for path in (
        (),
        ("f:x", "f:y"),
        ("f:l", 'v:"a"', "f:x"),
        ("f:l", "k:{", "f:x"),
        ("f:l", CONTAINER),
    ):
        assert without(body, path) == body


fieldsets: st.SearchStrategy[dict[str, Json]] = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(
        st.sampled_from(["f:spec", "f:a", ".", 'k:{"name":"web"}', "k:{", 'v:"x"', "odd"]), inner
    ),
)


@given(fieldsets, fieldsets)
def test_any_managed_fields_give_a_note(ours: dict[str, Json], theirs: dict[str, Json]) -> None:
    there = live(entry(ours), entry(theirs, "x"))
    assert drift_note(WANTED, there).startswith("repaired: ")
    for found in taken(WANTED, there):
        without(WANTED, found.path)


def test_a_field_that_somebody_owns_with_us_is_not_taken() -> None:
    theirs: dict[str, Json] = {"f:spec": {"f:replicas": {}, "f:selector": {"f:matchLabels": {}}}}
    assert taken(WANTED, live(entry(OURS), entry(theirs, "helm"))) == []
