from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from flux_secret.embedded import address
from flux_secret.embedded.api import Request
from flux_secret.embedded.discovery import openapi
from flux_secret.embedded.discovery.documents import Discovery
from flux_secret.embedded.selectors import by_fields, by_labels
from flux_secret.embedded.status import StatusError
from flux_secret.embedded.store import MOST_EVENTS
from flux_secret.embedded.tables.custom import at
from flux_secret.embedded.tables.duration import human, since
from flux_secret.embedded.tree import Tree
from unit.embedded.harness import Cluster, config_map

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


@pytest.fixture
def maps(cluster: Cluster) -> str:
    path = cluster.namespace("ns") + "/configmaps"
    for name, labels in (("a", {"x": "1"}), ("b", {"x": "2"}), ("c", {})):
        body = config_map(name, data={"k": "v"})
        body["metadata"]["labels"] = labels
        cluster.send("POST", path, body)
    return path


def _names(tree: Tree) -> list[str]:
    return [item["metadata"]["name"] for item in tree["items"]]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("x=1", "a"), ("x==1", "a"), ("x!=1", "bc"), ("x", "ab"), ("!x", "c"), ("x in (1,2)", "ab"),
        ("x notin (1)", "bc"), ("x,x!=2", "a"), ("", "abc"),
    ],
)  # fmt: skip
def test_labels_select(cluster: Cluster, maps: str, selector: str, expected: str) -> None:
    assert "".join(_names(cluster.send("GET", maps, labelSelector=selector))) == expected


def test_fields_select(cluster: Cluster, maps: str) -> None:
    assert _names(cluster.send("GET", maps, fieldSelector="metadata.name=b")) == ["b"]
    assert _names(cluster.send("GET", maps, fieldSelector="metadata.name!=b")) == ["a", "c"]


@pytest.mark.parametrize("selector", ["x in", "=1", "x=(1", "a b"])
def test_a_label_selector_that_is_none_is_refused(selector: str) -> None:
    with pytest.raises(StatusError):
        by_labels(selector)


def test_a_field_that_cannot_be_selected_by_is_refused() -> None:
    with pytest.raises(StatusError, match=r"field label not supported: data\.a"):
        by_fields("data.a=1", "ConfigMap")


def test_a_list_comes_in_pages_of_one_revision(cluster: Cluster, maps: str) -> None:
    first = cluster.send("GET", maps, limit="2")
    cluster.send("DELETE", f"{maps}/a")
    more = first["metadata"]["continue"]
    second = cluster.send("GET", maps, {}, limit="2", **{"continue": more})
    assert _names(first) + _names(second) == ["a", "b", "c"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "continue" not in second["metadata"]


def test_metadata_can_be_listed_without_any_value(cluster: Cluster) -> None:
    path = cluster.namespace("ns") + "/secrets"
    cluster.send("POST", path, {"metadata": {"name": "s"}, "stringData": {"a": "hunter2"}})
    tree = cluster.answer("GET", path, accept=PARTIAL).tree
    assert tree["kind"] == "PartialObjectMetadataList"
    assert tree["items"][0].keys() == {"kind", "apiVersion", "metadata"}


def test_a_table_of_secrets_has_kubectls_columns(cluster: Cluster) -> None:
    path = cluster.namespace("ns") + "/secrets"
    cluster.send("POST", path, {"metadata": {"name": "s"}, "stringData": {"a": "b", "c": "d"}})
    tree = cluster.answer("GET", path, accept=TABLE).tree
    assert [one["name"] for one in tree["columnDefinitions"]] == ["Name", "Type", "Data", "Age"]
    assert tree["rows"][0]["cells"][:3] == ["s", "Opaque", 2]
    assert tree["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"),
        (600, "10m"), (10799, "179m"), (10800, "3h"), (10860, "3h1m"), (28800, "8h"),
        (172800, "2d"), (176400, "2d1h"), (691200, "8d"), (63072000, "2y"), (63158400, "2y1d"),
        (252288000, "8y"),
    ],
)  # fmt: skip
def test_ages_are_written_as_kubectl_writes_them(seconds: int, expected: str) -> None:
    assert human(seconds) == expected


def test_an_age_counts_from_the_creation() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert since((now - timedelta(seconds=5)).isoformat(), now) == "5s"
    assert since("") == "<unknown>"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".a.b", [1]), (".c[1].d", [3]), (".c[*].d", [2, 3]),
        ('.e[?(@.type=="Ready")].status', ["x"]), (".missing", []), (".f['g.h']", [4]),
        (".f.g\\.h", [4]), (".c[9]", []), ("what?", []),
    ],
)  # fmt: skip
def test_printer_columns_find_their_values(path: str, expected: list[object]) -> None:
    tree = {"a": {"b": 1}, "c": [{"d": 2}, {"d": 3}], "f": {"g.h": 4},
            "e": [{"type": "Ready", "status": "x"}]}  # fmt: skip
    assert list(at(tree, path)) == expected


# -- watches --


def _watch(cluster: Cluster, path: str, **query: str) -> AsyncIterator[Tree | None]:
    found = address.parse(path)
    assert found is not None
    return cluster.api.watching(Request("watch", found, {"watch": "1", **query}))


async def _next(events: AsyncIterator[Tree | None]) -> tuple[str, str]:
    event = await anext(events)
    assert event is not None
    return event["type"], event["object"]["metadata"].get("name", "")


async def test_a_watch_sees_what_happens_after_its_revision(cluster: Cluster, maps: str) -> None:
    version = cluster.send("GET", maps)["metadata"]["resourceVersion"]
    events = _watch(cluster, maps, resourceVersion=version)
    cluster.send("DELETE", f"{maps}/a")
    cluster.apply(f"{maps}/b", config_map("b", data={"n": "1"}))
    cluster.send("POST", maps, config_map("d"))
    found = [await _next(events) for _ in range(3)]
    assert found == [("DELETED", "a"), ("MODIFIED", "b"), ("ADDED", "d")]


async def test_a_watch_of_labels_sees_objects_come_and_go(cluster: Cluster, maps: str) -> None:
    version = cluster.send("GET", maps)["metadata"]["resourceVersion"]
    events = _watch(cluster, maps, resourceVersion=version, labelSelector="x=1")
    merge = "application/merge-patch+json"
    cluster.send("PATCH", f"{maps}/a", {"metadata": {"labels": {"x": "2"}}}, merge)
    cluster.send("PATCH", f"{maps}/b", {"metadata": {"labels": {"x": "1"}}}, merge)
    assert [await _next(events), await _next(events)] == [("DELETED", "a"), ("ADDED", "b")]


async def test_initial_events_end_with_a_bookmark(cluster: Cluster, maps: str) -> None:
    events = _watch(cluster, maps, sendInitialEvents="true", allowWatchBookmarks="true",
                    resourceVersionMatch="NotOlderThan")  # fmt: skip
    assert [await _next(events) for _ in range(3)] == [("ADDED", name) for name in "abc"]
    bookmark = await anext(events)
    assert bookmark is not None
    assert bookmark["type"] == "BOOKMARK"
    annotations = bookmark["object"]["metadata"]["annotations"]
    assert annotations == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_from_a_forgotten_revision_is_told_so(cluster: Cluster, maps: str) -> None:
    tree = cluster.state.store.find(("", "configmaps"), ("ns", "a"))
    assert tree is not None
    for _ in range(MOST_EVENTS + 1):
        cluster.state.store.put(("", "configmaps"), ("ns", "a"), tree)
    event = await anext(_watch(cluster, maps, resourceVersion="2"))
    assert event is not None
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


# -- discovery --


def test_discovery_names_every_kind_and_the_stale_groups(cluster: Cluster) -> None:
    discovery = Discovery(cluster.state.catalog, {"metrics.k8s.io/v1beta1": "gone"})
    groups = {
        one["metadata"].get("name", ""): one for one in discovery.aggregated(core=False)["items"]
    }
    assert groups["metrics.k8s.io"]["versions"] == [{"version": "v1beta1", "freshness": "Stale"}]
    deployments = next(
        one
        for one in groups["apps"]["versions"][0]["resources"]
        if one["resource"] == "deployments"
    )
    assert deployments["shortNames"] == ["deploy"]
    assert {one["subresource"] for one in deployments["subresources"]} == {"status", "scale"}
    core = discovery.aggregated(core=True)["items"][0]["versions"][0]["resources"]
    assert {"secrets", "configmaps", "namespaces"} <= {one["resource"] for one in core}


def test_openapi_says_that_the_server_validates_fields(cluster: Cluster) -> None:
    document = openapi.document(Discovery(cluster.state.catalog, {}), "", "v1")
    assert document is not None
    patch = document["paths"]["/api/v1/namespaces/{namespace}/secrets/{name}"]["patch"]
    assert "fieldValidation" in {one["name"] for one in patch["parameters"]}
