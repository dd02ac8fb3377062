from __future__ import annotations

from typing import Any

import pytest

from unit.embedded.harness import Cluster, config_map, owned_by

Tree = dict[str, Any]
MERGE = "application/merge-patch+json"


@pytest.fixture
def maps(cluster: Cluster) -> str:
    return cluster.namespace("ns") + "/configmaps"


def test_an_applied_field_that_is_left_out_later_is_dropped(cluster: Cluster, maps: str) -> None:
    cluster.apply(f"{maps}/c", config_map("c", data={"a": "1", "b": "2"}))
    tree = cluster.apply(f"{maps}/c", config_map("c", data={"a": "1"}))
    assert tree["data"] == {"a": "1"}
    assert owned_by(tree, "m") == {"f:data": {"f:a": {}}}


def test_a_field_that_another_manager_applied_too_stays(cluster: Cluster, maps: str) -> None:
    cluster.apply(f"{maps}/c", config_map("c", data={"a": "1", "b": "2"}), "one")
    cluster.apply(f"{maps}/c", config_map("c", data={"b": "2"}), "two")
    tree = cluster.apply(f"{maps}/c", config_map("c", data={"a": "1"}), "one")
    assert tree["data"] == {"a": "1", "b": "2"}
    assert owned_by(tree, "two") == {"f:data": {"f:b": {}}}


def test_another_value_for_somebody_elses_field_is_a_conflict(cluster: Cluster, maps: str) -> None:
    cluster.apply(f"{maps}/c", config_map("c", data={"a": "1"}), "one")
    status = cluster.refuse(
        "PATCH",
        f"{maps}/c",
        config_map("c", data={"a": "2"}),
        "application/apply-patch+yaml",
        fieldManager="two",
    )
    assert (status["code"], status["reason"]) == (409, "Conflict")
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
    ]


def test_force_takes_the_field_from_its_owner(cluster: Cluster, maps: str) -> None:
    cluster.apply(f"{maps}/c", config_map("c", data={"a": "1"}), "one")
    tree = cluster.apply(f"{maps}/c", config_map("c", data={"a": "2"}), "two", force="true")
    assert tree["data"] == {"a": "2"}
    assert owned_by(tree, "one") == {}
    assert owned_by(tree, "two") == {"f:data": {"f:a": {}}}


def test_an_update_takes_an_applied_field_without_a_conflict(cluster: Cluster, maps: str) -> None:
    cluster.apply(f"{maps}/c", config_map("c", data={"a": "1"}), "one")
    tree = cluster.send("PATCH", f"{maps}/c", {"data": {"a": "2"}}, MERGE, fieldManager="person")
    assert owned_by(tree, "one") == {}
    assert owned_by(tree, "person") == {"f:data": {"f:a": {}}}


def test_an_apply_that_changes_nothing_is_never_written(cluster: Cluster, maps: str) -> None:
    first = cluster.apply(f"{maps}/c", config_map("c", data={"a": "1"}))
    cluster.wait()
    revision = cluster.state.store.revision
    assert cluster.apply(f"{maps}/c", config_map("c", data={"a": "1"})) == first
    assert cluster.state.store.revision == revision


def test_another_spelling_of_the_same_value_is_never_written(cluster: Cluster) -> None:
    path = cluster.namespace("ns") + "/secrets/s"
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    first = cluster.apply(path, body | {"data": {"a": "YWJj"}})
    cluster.wait()
    revision = cluster.state.store.revision
    assert cluster.apply(path, body | {"data": {"a": "YW\nJj"}}) == first
    assert cluster.state.store.revision == revision


def test_a_change_moves_the_time_of_its_manager_only(cluster: Cluster, maps: str) -> None:
    cluster.apply(f"{maps}/c", config_map("c", data={"a": "1"}), "one")
    cluster.wait()
    tree = cluster.apply(f"{maps}/c", config_map("c", data={"b": "1"}), "two")
    times = {entry["manager"]: entry["time"] for entry in tree["metadata"]["managedFields"]}
    assert times == {"one": "2026-01-02T03:04:05Z", "two": "2026-01-02T03:05:05Z"}


def test_a_co_owner_that_changes_nothing_has_no_time(cluster: Cluster, maps: str) -> None:
    # structuredmerge.go gives no object then, and managedfieldsupdater.go sets no time
    cluster.apply(f"{maps}/c", config_map("c", data={"a": "1"}), "one")
    tree = cluster.apply(f"{maps}/c", config_map("c", data={"a": "1"}), "two")
    times = {entry["manager"]: entry.get("time") for entry in tree["metadata"]["managedFields"]}
    assert times == {"one": "2026-01-02T03:04:05Z", "two": None}


@pytest.mark.parametrize("stale", ["1", "999"])
def test_a_write_of_another_version_is_a_conflict(cluster: Cluster, maps: str, stale: str) -> None:
    cluster.apply(f"{maps}/c", config_map("c", data={"a": "1"}))
    body = config_map("c", data={"a": "2"})
    body["metadata"]["resourceVersion"] = stale
    apply = "application/apply-patch+yaml"
    for method, content_type in (("PUT", "application/json"), ("PATCH", MERGE), ("PATCH", apply)):
        status = cluster.refuse(method, f"{maps}/c", body, content_type, fieldManager="m")
        assert (status["code"], status["reason"]) == (409, "Conflict")
        assert "the object has been modified" in status["message"]


def test_a_dry_run_shows_the_change_and_stores_nothing(cluster: Cluster, maps: str) -> None:
    cluster.apply(f"{maps}/c", config_map("c", data={"a": "1"}))
    shown = cluster.apply(f"{maps}/c", config_map("c", data={"a": "2"}), dryRun="All")
    assert shown["data"] == {"a": "2"}
    assert cluster.send("GET", f"{maps}/c")["data"] == {"a": "1"}


def test_a_keyed_list_is_merged_item_by_item(cluster: Cluster) -> None:
    path = cluster.namespace("ns") + "/services/s"

    def service(*ports: Tree) -> Tree:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "s"},
            "spec": {"ports": list(ports)},
        }

    cluster.apply(path, service({"name": "a", "port": 80}, {"name": "b", "port": 81}), "one")
    cluster.apply(path, service({"name": "c", "port": 82}), "two")
    tree = cluster.apply(path, service({"name": "b", "port": 81}), "one")
    assert [port["name"] for port in tree["spec"]["ports"]] == ["b", "c"]
    assert '.spec.ports[port=80,protocol="TCP"]' not in str(tree["metadata"]["managedFields"])


def test_an_item_that_stands_twice_is_refused(cluster: Cluster) -> None:
    path = cluster.namespace("ns") + "/services/s"
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 80}, {"port": 80, "protocol": "TCP"}]},
    }
    status = cluster.refuse("PATCH", path, body, "application/apply-patch+yaml", fieldManager="m")
    assert 'duplicate entries for key [port=80,protocol="TCP"]' in status["message"]


def test_a_field_that_the_kind_does_not_have_is_refused(cluster: Cluster, maps: str) -> None:
    status = cluster.refuse(
        "PATCH",
        f"{maps}/c",
        config_map("c", nothing=1),
        "application/apply-patch+yaml",
        fieldManager="m",
    )
    assert status["code"] == 500
    assert status["message"].endswith(".nothing: field not declared in schema")


def test_an_error_about_a_value_never_shows_it(cluster: Cluster) -> None:
    secrets = cluster.namespace("ns") + "/secrets"
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    broken: list[Tree] = [
        {"data": {"a": ["hunter2"]}},
        {"data": {"a": "hunter2!"}},
        {"data": "hunter2"},
    ]
    for data in broken:
        for method, path, kind, query in (
            ("POST", secrets, "application/json", {}),
            ("PATCH", f"{secrets}/s", "application/apply-patch+yaml", {"fieldManager": "m"}),
        ):
            status = cluster.refuse(method, path, body | data, kind, **query)
            assert "hunter2" not in str(status)


def test_stringdata_is_folded_into_data_but_its_owner_keeps_stringdata(cluster: Cluster) -> None:
    path = cluster.namespace("ns") + "/secrets/s"
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    tree = cluster.apply(path, body | {"stringData": {"a": "x", "b": "y"}})
    assert tree["data"] == {"a": "eA==", "b": "eQ=="}
    assert "stringData" not in tree
    # what design decision 5 avoids: a key left out of stringData stays for ever
    assert cluster.apply(path, body | {"stringData": {"a": "x"}})["data"].keys() == {"a", "b"}


def test_an_object_without_owners_is_owned_from_before_the_first_apply(
    cluster: Cluster, maps: str
) -> None:
    cluster.send("POST", maps, config_map("c", data={"a": "1"}))
    cluster.send("PATCH", f"{maps}/c", {"metadata": {"managedFields": [{}]}}, MERGE)
    tree = cluster.apply(f"{maps}/c", config_map("c", data={"b": "2"}))
    assert owned_by(tree, "before-first-apply") == {"f:data": {".": {}, "f:a": {}}}


def test_at_most_ten_updaters_are_remembered(cluster: Cluster, maps: str) -> None:
    cluster.send("POST", maps, config_map("c", data={"a": "1"}))
    for number in range(15):
        body = {"data": {f"k{number}": "v"}}
        tree = cluster.send("PATCH", f"{maps}/c", body, MERGE, fieldManager=f"u{number:02}")
    entries = tree["metadata"]["managedFields"]
    assert len(entries) == 10
    assert "ancient-changes" in {entry["manager"] for entry in entries}
