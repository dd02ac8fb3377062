from __future__ import annotations

import pytest

from flux_secret.embedded.tree import Tree
from unit.embedded.harness import MERGE, Cluster, config_map

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.com/v1/namespaces/ns/widgets"


def definition(**version: object) -> Tree:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "minimum": 1},
                    "color": {"type": "string", "default": "red", "enum": ["red", "blue"]},
                },
            }
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [
                {"name": "v1", "served": True, "storage": True,
                 "schema": {"openAPIV3Schema": schema}, **version}
            ],
        },
    }  # fmt: skip


def widget(name: str, **spec: object) -> Tree:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": spec,
    }


def test_deleting_a_namespace_deletes_what_is_in_it(cluster: Cluster) -> None:
    path = cluster.namespace("ns")
    cluster.send("POST", f"{path}/configmaps", config_map("c"))
    assert cluster.send("DELETE", path)["status"]["phase"] == "Terminating"
    assert cluster.refuse("GET", path)["code"] == 404
    assert cluster.refuse("GET", f"{path}/configmaps/c")["code"] == 404


def test_a_namespace_waits_for_finalizers_and_takes_nothing_new(cluster: Cluster) -> None:
    path = cluster.namespace("ns")
    body = config_map("c")
    body["metadata"]["finalizers"] = ["example.com/wait"]
    cluster.send("POST", f"{path}/configmaps", body)
    cluster.send("DELETE", path)
    assert cluster.send("GET", path)["status"]["phase"] == "Terminating"
    status = cluster.refuse("POST", f"{path}/configmaps", config_map("d"))
    assert (status["code"], status["reason"]) == (403, "Forbidden")
    assert "because it is being terminated" in status["message"]
    cluster.send("PATCH", f"{path}/configmaps/c", {"metadata": {"finalizers": None}}, MERGE)
    assert cluster.refuse("GET", path)["code"] == 404


def test_dependents_go_with_their_owner_unless_orphaned(cluster: Cluster) -> None:
    maps = cluster.namespace("ns") + "/configmaps"
    for policy, expected in (("Background", 404), ("Orphan", None)):
        owner = cluster.send("POST", maps, config_map("owner"))
        child = config_map("child")
        child["metadata"]["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
             "uid": owner["metadata"]["uid"]}
        ]  # fmt: skip
        cluster.send("POST", maps, child)
        cluster.send("DELETE", f"{maps}/owner", {"propagationPolicy": policy})
        if expected:
            assert cluster.refuse("GET", f"{maps}/child")["code"] == expected
        else:
            assert cluster.send("GET", f"{maps}/child")


def test_a_delete_of_another_object_of_that_name_is_refused(cluster: Cluster) -> None:
    maps = cluster.namespace("ns") + "/configmaps"
    cluster.send("POST", maps, config_map("c"))
    status = cluster.refuse("DELETE", f"{maps}/c", {"preconditions": {"uid": "other"}})
    assert (status["code"], status["reason"]) == (409, "Conflict")
    assert cluster.send("GET", f"{maps}/c")


def test_a_definition_is_established_and_serves_its_kind(cluster: Cluster) -> None:
    cluster.namespace("ns")
    assert cluster.refuse("GET", WIDGETS)["code"] == 404
    cluster.send("POST", DEFINITIONS, definition())
    tree = cluster.send("GET", f"{DEFINITIONS}/widgets.example.com")
    conditions = {one["type"]: one["status"] for one in tree["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    made = cluster.send("POST", WIDGETS, widget("w", size=1))
    assert made["spec"] == {"size": 1, "color": "red"}
    assert made["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({}, "FieldValueRequired"), ({"size": 0}, "FieldValueInvalid"),
        ({"size": "x"}, "FieldValueTypeInvalid"),
        ({"size": 1, "color": "green"}, "FieldValueNotSupported"),
    ],
)  # fmt: skip
def test_a_custom_resource_is_checked_against_its_schema(
    cluster: Cluster, spec: Tree, reason: str
) -> None:
    cluster.namespace("ns")
    cluster.send("POST", DEFINITIONS, definition())
    status = cluster.refuse("POST", WIDGETS, widget("w", **spec))
    assert status["code"] == 422
    assert status["details"]["causes"][0]["reason"] == reason


def test_unknown_fields_of_a_custom_resource_are_pruned_or_refused(cluster: Cluster) -> None:
    cluster.namespace("ns")
    cluster.send("POST", DEFINITIONS, definition())
    body = widget("w", size=1, shape="round")
    status = cluster.refuse("POST", WIDGETS, body, fieldValidation="Strict")
    assert status["message"] == 'strict decoding error: unknown field "spec.shape"'
    assert "shape" not in cluster.send("POST", WIDGETS, body)["spec"]
    assert cluster.warnings == ['unknown field "spec.shape"']


def test_deleting_a_definition_deletes_its_resources_and_waits_for_them(cluster: Cluster) -> None:
    cluster.namespace("ns")
    cluster.send("POST", DEFINITIONS, definition())
    body = widget("w", size=1)
    body["metadata"]["finalizers"] = ["example.com/wait"]
    cluster.send("POST", WIDGETS, body)
    cluster.send("DELETE", f"{DEFINITIONS}/widgets.example.com")
    waiting = cluster.send("GET", f"{DEFINITIONS}/widgets.example.com")
    assert "deletionTimestamp" in waiting["metadata"]
    cluster.send("PATCH", f"{WIDGETS}/w", {"metadata": {"finalizers": None}}, MERGE)
    assert cluster.refuse("GET", f"{DEFINITIONS}/widgets.example.com")["code"] == 404
    assert cluster.refuse("GET", WIDGETS)["code"] == 404


def test_two_services_never_share_an_address(cluster: Cluster) -> None:
    services = cluster.namespace("ns") + "/services"
    addresses = set()
    for name in "ab":
        body = {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}
        tree = cluster.send("POST", services, body)
        addresses.add(tree["spec"]["clusterIP"])
    assert len(addresses) == 2


@pytest.mark.parametrize("address", ["10.0.0.9", "1.2.3.4", "no address"])
def test_an_address_that_cannot_be_had_is_refused(cluster: Cluster, address: str) -> None:
    services = cluster.namespace("ns") + "/services"
    spec = {"ports": [{"port": 80}], "clusterIP": "10.0.0.9"}
    cluster.send("POST", services, {"metadata": {"name": "a"}, "spec": spec})
    body = {"metadata": {"name": "b"}, "spec": {**spec, "clusterIP": address}}
    causes = cluster.refuse("POST", services, body)["details"]["causes"]
    assert [cause["field"] for cause in causes] == ["spec.clusterIPs"]
    cluster.send("DELETE", f"{services}/a")
    body["spec"] = spec
    assert cluster.send("POST", services, body)["spec"]["clusterIP"] == "10.0.0.9"


def test_scaling_changes_replicas_and_nothing_else(cluster: Cluster) -> None:
    cluster.namespace("ns")
    path = "/apis/apps/v1/namespaces/ns/deployments"
    pod = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": pod}
    before = cluster.send("POST", path, {"metadata": {"name": "d"}, "spec": spec})
    scale = cluster.send("GET", f"{path}/d/scale")
    assert (scale["spec"], scale["status"]["selector"]) == ({"replicas": 1}, "a=b")
    cluster.send("PUT", f"{path}/d/scale", {**scale, "spec": {"replicas": 3}})
    after = cluster.send("GET", f"{path}/d")
    assert after["spec"] == {**before["spec"], "replicas": 3}
    assert after["metadata"]["generation"] == 2


def test_a_name_can_be_generated(cluster: Cluster) -> None:
    maps = cluster.namespace("ns") + "/configmaps"
    names = {
        cluster.send("POST", maps, {"metadata": {"generateName": "c-"}})["metadata"]["name"]
        for _ in range(5)
    }
    assert len(names) == 5
    assert all(name.startswith("c-") and len(name) == 7 for name in names)


def test_a_secret_of_a_type_needs_its_keys(cluster: Cluster) -> None:
    secrets = cluster.namespace("ns") + "/secrets"
    body = {"metadata": {"name": "s"}, "type": "kubernetes.io/tls"}
    causes = cluster.refuse("POST", secrets, body)["details"]["causes"]
    assert [cause["field"] for cause in causes] == ["data[tls.crt]", "data[tls.key]"]


def test_immutable_data_cannot_be_changed_but_labels_can(cluster: Cluster) -> None:
    maps = cluster.namespace("ns") + "/configmaps"
    cluster.send("POST", maps, config_map("c", data={"a": "1"}, immutable=True))
    status = cluster.refuse("PATCH", f"{maps}/c", {"data": {"a": "2"}}, MERGE)
    assert status["code"] == 422
    assert cluster.send("PATCH", f"{maps}/c", {"metadata": {"labels": {"a": "b"}}}, MERGE)
