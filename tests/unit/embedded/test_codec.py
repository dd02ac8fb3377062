from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flux_secret.embedded.codec import protobuf
from flux_secret.embedded.codec.body import Duplicates, read, read_json, read_yaml
from flux_secret.embedded.codec.golang import DecodeError, Decoder
from flux_secret.embedded.codec.quantity import canonical
from flux_secret.embedded.schema.kinds import built_in
from flux_secret.embedded.status import StatusError

SECRET = built_in().shapes.struct("core.v1.Secret")
DEPLOYMENT = built_in().shapes.struct("apps.v1.Deployment")
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["spec", "metadata", "template", "containers", "data", "x", "replicas"]
            ),
            inner,
        )
    ),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1000m", "1"), ("0.1", "100m"), ("1.5", "1500m"), ("1024Mi", "1Gi"), ("1024", "1024"),
        ("1Ki", "1Ki"), ("512Ki", "512Ki"), ("1500Mi", "1500Mi"), ("0", "0"), ("0Ki", "0"),
        ("1e3", "1e3"), ("1000000", "1M"), ("1k", "1k"), ("-5", "-5"), ("1.5Gi", "1536Mi"),
        ("100u", "100u"), ("1n", "1n"), ("12E", "12E"), (".5", "500m"), ("0.5Ki", "512"),
    ],
)  # fmt: skip
def test_quantities_are_stored_in_their_canonical_form(text: str, expected: str) -> None:
    assert canonical(text) == expected


@given(st.text(max_size=12))
@example("1e999999999")
@example("9" * 400 + "E")
def test_arbitrary_text_is_a_quantity_or_a_value_error(text: str) -> None:
    try:
        found = canonical(text)
    except ValueError:
        return
    assert canonical(found) == found


@given(trees)
def test_an_arbitrary_tree_is_an_object_or_a_decode_error(tree: Any) -> None:  # noqa: ANN401 - that is the point
    try:
        decoded = Decoder().struct(tree, DEPLOYMENT)
    except DecodeError:
        return
    assert Decoder().struct(decoded, DEPLOYMENT) == decoded


def test_what_go_leaves_out_is_left_out_and_what_it_writes_is_there() -> None:
    decoded = Decoder().struct({"spec": {"replicas": 0, "paused": False}}, DEPLOYMENT)
    assert decoded == {
        "metadata": {},
        "spec": {
            "replicas": 0,
            "selector": None,
            "strategy": {},
            "template": {"metadata": {}, "spec": {"containers": None}},
        },
        "status": {},
    }


def test_unknown_fields_are_named_with_their_place() -> None:
    decoder = Decoder()
    containers = [{"name": "c", "x": 1}]
    decoder.struct({"spec": {"template": {"spec": {"containers": containers}}}, "y": 1}, DEPLOYMENT)
    assert decoder.unknown == ["y", "spec.template.spec.containers[0].x"]


def test_base64_with_line_ends_is_read_as_go_reads_it() -> None:
    wrapped = {"data": {"a": "aGVs\nbG8=\n"}}
    assert Decoder().struct(wrapped, SECRET)["data"] == {"a": "aGVsbG8="}


@pytest.mark.parametrize("value", ["not base64", "YQ", "YQ=", "=", "a b="])
def test_what_is_no_base64_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(DecodeError, match="illegal base64 data at input byte") as caught:
        Decoder().struct({"data": {"key": value}}, SECRET)
    assert "key" not in str(caught.value)


# -- bodies --


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_value_or_our_error(untrusted: bytes) -> None:
    for reader in (read, read_json):
        try:
            reader(untrusted)
        except StatusError as error:
            assert error.code == 400


@given(st.text(max_size=100))
def test_arbitrary_yaml_is_a_value_or_our_error(text: str) -> None:
    try:
        read_yaml(text.encode(), Duplicates())
    except StatusError as error:
        assert error.code == 400


def test_yaml_is_read_as_the_api_server_reads_it() -> None:
    text = b"{a: 0400, b: yes, c: 1e3, d: 2001-01-01, e: '1', 1: x, true: y, n: null}"
    assert read_yaml(text, Duplicates()) == {
        "a": 256, "b": True, "c": 1000.0, "d": "2001-01-01", "e": "1", "1": "x", "true": "y",
        "n": None,
    }  # fmt: skip


def test_a_yaml_error_names_the_line_and_shows_nothing() -> None:
    with pytest.raises(StatusError) as caught:
        read_yaml(b"data:\n  password: 'hunter2\n  x: [", Duplicates())
    assert "hunter2" not in str(caught.value.tree)
    assert "line" in str(caught.value)


@pytest.mark.parametrize("untrusted", [b'{"a": 1, "a": 2}', b"a: 1\na: 2\n"])
def test_keys_that_stand_twice_are_noticed(untrusted: bytes) -> None:
    duplicates = Duplicates()
    assert read(untrusted, duplicates) == {"a": 2}
    assert duplicates == ["a"]


# -- protobuf --


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data)]) + data


def _secret() -> bytes:
    metadata = _field(1, b"s1") + _field(11, _field(1, b"app") + _field(2, b"demo"))
    data = _field(1, b"password") + _field(2, b"hunter2")
    raw = _field(1, metadata) + _field(2, data) + _field(3, b"Opaque")
    envelope = _field(1, _field(1, b"v1") + _field(2, b"Secret")) + _field(2, raw)
    return protobuf.MAGIC + envelope


def test_a_secret_in_protobuf_is_read() -> None:
    assert protobuf.read(_secret(), SECRET) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s1", "labels": {"app": "demo"}},
        "data": {"password": "aHVudGVyMg=="},
        "type": "Opaque",
    }


@given(st.binary(max_size=120))
def test_arbitrary_bytes_are_protobuf_or_our_error(untrusted: bytes) -> None:
    for shape in (SECRET, DEPLOYMENT):
        try:
            tree = protobuf.read(protobuf.MAGIC + untrusted, shape)
        except protobuf.ProtobufError:
            continue
        json.dumps(tree)


@given(st.integers(0, 200), st.integers(0, 255))
def test_damaged_protobuf_is_an_object_or_our_error(at: int, byte: int) -> None:
    damaged = bytearray(_secret())
    damaged[at % len(damaged)] = byte
    try:
        protobuf.read(bytes(damaged), SECRET)
    except protobuf.ProtobufError:
        return
