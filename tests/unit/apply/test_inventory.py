from __future__ import annotations

import base64
import contextlib
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.apply.inventory import Entry, Inventory, TargetId, read_inventory
from flux_secret.errors import ConfigurationError, IntegrityError
from flux_secret.model.manifest import Holds
from flux_secret.model.names import ObjectKey
from unit.apply.builders import TARGET, inventory

NAMES = st.text(min_size=1, max_size=20)
ENTRIES = st.builds(
    Entry, st.builds(ObjectKey, st.text(), NAMES, st.text(), NAMES), st.text(), st.booleans(),
    st.text(), st.text(), st.none() | st.dictionaries(st.text(), st.text()),
    st.builds(Holds, *[st.lists(st.text(), max_size=3).map(tuple)] * 2),
)  # fmt: skip


def stored(written: Inventory) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(written.to_body())
    return tree


@given(st.lists(ENTRIES, unique_by=lambda one: one.key), st.text())
def test_what_is_written_is_read(entries: list[Entry], revision: str) -> None:
    written = Inventory(TARGET, "flux", {one.key: one for one in entries}, revision)
    assert read_inventory(stored(written)) == written


def test_the_identity_is_an_applysets() -> None:
    """KEP-3659: applyset-<base64url(sha256(NAME.NAMESPACE.KIND.GROUP))>-v1, and its labels."""
    made = Inventory(TargetId("s", "b", ""), "ns")
    name = "flux-secret-root-144f73c16c"
    assert made.target.inventory_name == name
    digest = "sf29Fp4Jhx_goURZTiHixBHM12h4-zxXxEgrwMgZC2k"
    metadata = stored(made)["metadata"]
    assert metadata["labels"]["applyset.kubernetes.io/id"] == f"applyset-{digest}-v1"
    assert metadata["annotations"]["applyset.kubernetes.io/tooling"].startswith("flux-secret/v")


def test_group_kinds_and_namespaces_are_listed_as_kubectl_lists_them() -> None:
    keys = [
        ObjectKey("apps", "Deployment", "demo", "d"),
        ObjectKey("", "Secret", "flux", "s"),
        ObjectKey("", "Secret", "demo", "s"),
        ObjectKey("", "Namespace", "", "demo"),
    ]
    annotations = stored(inventory(*map(Entry, keys)))["metadata"]["annotations"]
    kinds = annotations["applyset.kubernetes.io/contains-group-kinds"]
    assert kinds == "Deployment.apps,Namespace,Secret"
    assert annotations["applyset.kubernetes.io/additional-namespaces"] == "demo"


@given(st.text(), st.text(), st.text(max_size=300))
def test_the_name_is_a_name_and_differs_with_every_part(url: str, branch: str, path: str) -> None:
    one = TargetId(url, branch, path)
    assert len(one.inventory_name) <= 63
    assert set(one.inventory_name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert one.inventory_name != TargetId(url + "x", branch, path).inventory_name


def test_a_long_list_is_packed() -> None:
    keys = [ObjectKey("", "ConfigMap", "demo", f"c{number}") for number in range(3000)]
    made = inventory(*(Entry(key, uid=f"{hash(key):x}") for key in keys))
    tree = stored(made)
    assert "data" not in tree
    assert len(json.dumps(tree)) < 1_000_000
    assert read_inventory(tree) == made


def test_a_list_that_is_too_long_says_how_to_split_it() -> None:
    keys = [ObjectKey("", "ConfigMap", "demo", f"c{number}") for number in range(40_000)]
    huge = inventory(
        *(Entry(key, uid=f"{hash(key):x}", digest=f"{hash((key, 1)):x}") for key in keys)
    )
    with pytest.raises(ConfigurationError, match="40000 objects"):
        huge.to_body()


def damaged(**changes: object) -> dict[str, Any]:
    tree = stored(inventory(Entry(ObjectKey("", "Secret", "demo", "s"), "u")))
    listed = json.loads(tree["data"]["inventory.json"]) | changes
    tree["data"]["inventory.json"] = json.dumps(listed)
    return tree


@pytest.mark.parametrize(
    "tree",
    [
        damaged(schema=2),
        damaged(schema=None),
        damaged(objects=None),
        damaged(objects=[{"kind": "Secret"}]),
        damaged(objects=[{"kind": "Secret", "name": "s"}] * 2),
        damaged(objects=["x"]),
        damaged(target={"source": "other"}),
        {**damaged(), "data": {"inventory.json": "{"}},
        {**damaged(), "data": {}},
        {**damaged(), "data": {"inventory.json": "[" * 100_000}},
        {**damaged(), "data": {}, "binaryData": {"inventory.json.gz": "x"}},
        {**damaged(), "data": {}, "binaryData": {"inventory.json.gz": "eA=="}},
    ],
)
def test_a_damaged_list_is_an_integrity_error(tree: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="is damaged"):
        read_inventory(tree)


def test_a_list_that_unpacks_to_too_much_is_damaged() -> None:
    bomb = base64.b64encode(gzip.compress(b" " * (40 * 1024 * 1024))).decode()
    with pytest.raises(IntegrityError):
        read_inventory({**damaged(), "data": {}, "binaryData": {"inventory.json.gz": bomb}})


@given(st.text(), st.binary())
def test_arbitrary_contents_give_a_list_or_our_error(plain: str, packed: bytes) -> None:
    for content in (
        {"data": {"inventory.json": plain}},
        {"binaryData": {"inventory.json.gz": base64.b64encode(packed).decode()}},
    ):
        with contextlib.suppress(IntegrityError):
            read_inventory({"metadata": {"name": "x"}, **content})
