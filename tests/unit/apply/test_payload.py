from __future__ import annotations

import json

import pytest

from flux_secret.apply.payload import PART_OF, body_of, masked, to_bytes
from flux_secret.errors import BugError
from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import Plaintext
from unit.apply.builders import item

KEY = ObjectKey("", "Secret", "demo", "s")


def test_what_only_live_objects_have_is_left_out() -> None:
    given = item(
        "Secret", "s",
        metadata={
            "name": "s", "uid": "u", "resourceVersion": "1", "managedFields": [], "generation": 1,
            "creationTimestamp": None, "selfLink": "/x",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
            "labels": {"a": "b"},
        },
        status={"x": "y"},
    )  # fmt: skip
    assert body_of(given, KEY, "set") == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "demo", "labels": {"a": "b", PART_OF: "set"}},
    }


def test_a_null_timestamp_inside_a_template_is_left_out_and_other_nulls_stay() -> None:
    given = item("Secret", "s", spec={"template": {"creationTimestamp": None, "x": None}})
    assert body_of(given, KEY, "set")["spec"] == {"template": {"x": None}}


def test_values_are_encoded_and_the_uid_is_sent() -> None:
    body = {"metadata": {"name": "s"}}
    sent = json.loads(to_bytes(body, {"k": Plaintext(b"\x00v")}, "u").reveal())
    assert sent == {"metadata": {"name": "s", "uid": "u"}, "data": {"k": "AHY="}}
    assert json.loads(to_bytes(body, {}).reveal()) == body


def test_a_mask_shows_no_value() -> None:
    assert masked({"a": "b"}, {"k": Plaintext(b"v")}) == {"a": "b", "data": {"k": "***"}}


def test_a_value_outside_data_is_a_bug_and_is_not_sent() -> None:
    with pytest.raises(BugError):
        body_of(item("Secret", "s", spec={"x": [Plaintext(b"v")]}), KEY, "set")
