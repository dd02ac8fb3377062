"""What is delivered → rights: nothing that is not asked for, and no star."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flux_secret.install.rights import Delivered, Placed, rights
from flux_secret.model.restart import Restarted, RestartPolicy

SECRET = Placed("", "secrets", "dev-demo", "demo-secret")
SERVICE = Placed("", "services", "dev-demo", "demo")
DEPLOYMENT = Placed("apps", "deployments", "dev-demo", "demo")
NAMESPACE = Placed("", "namespaces", "", "dev-demo")
ROLE = Placed("rbac.authorization.k8s.io", "clusterroles", "", "viewer")
OTHER = Placed("rbac.authorization.k8s.io", "clusterroles", "", "editor")


def rules(trees: Sequence[dict[str, Any]], kind: str, namespace: str = "") -> list[dict[str, Any]]:
    found = [
        tree
        for tree in trees
        if tree["kind"] == kind and tree["metadata"].get("namespace", "") == namespace
    ]
    return [rule for tree in found for rule in tree["rules"]]


def delivered(*objects: Placed, **more: Any) -> Delivered:  # noqa: ANN401 -- any field
    return Delivered(frozenset(objects), **more)


def test_each_namespace_gets_its_kinds_and_nothing_else() -> None:
    shop = Placed("batch", "jobs", "shop", "pay")
    trees = rights("flux", [delivered(SECRET, SERVICE, DEPLOYMENT, deletes=True), delivered(shop)])
    verbs = ["get", "create", "patch"]
    assert rules(trees, "Role", "dev-demo") == [
        {"apiGroups": [""], "resources": ["secrets", "services"], "verbs": [*verbs, "delete"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": [*verbs, "delete"]},
    ]
    assert rules(trees, "Role", "shop") == [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": verbs}
    ]
    assert rules(trees, "ClusterRole") == []
    assert "*" not in json.dumps(trees)
    bindings = [tree for tree in trees if tree["kind"] == "RoleBinding"]
    assert {tree["metadata"]["namespace"] for tree in bindings} == {"flux", "dev-demo", "shop"}
    for tree in bindings:
        assert tree["subjects"] == [
            {"kind": "ServiceAccount", "name": "flux-secret", "namespace": "flux"}
        ]
        assert tree["roleRef"]["name"] == tree["metadata"]["name"]


def test_what_lies_in_no_namespace_is_named_but_for_its_creation() -> None:
    trees = rights("ops", [delivered(ROLE, deletes=True), delivered(OTHER, deletes=True)])
    group = {"apiGroups": [ROLE.group], "resources": ["clusterroles"]}
    assert rules(trees, "ClusterRole") == [
        {**group, "verbs": ["create"]},
        {**group, "resourceNames": ["editor", "viewer"], "verbs": ["get", "patch", "delete"]},
    ]
    names = {tree["metadata"]["name"] for tree in trees if tree["kind"].startswith("ClusterRole")}
    assert names == {"flux-secret-applications-ops"}


def test_a_namespace_is_kept_by_a_role_in_it_and_neither_made_nor_removed() -> None:
    trees = rights("flux", [delivered(NAMESPACE, deletes=True)])
    assert rules(trees, "Role", "dev-demo") == [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "patch"]}
    ]
    assert rules(trees, "ClusterRole") == []


def test_in_the_name_of_an_account_only_that_one_is_named_and_no_right_on_objects_is_granted() -> (
    None
):
    one = delivered(SECRET, ROLE, deletes=True, account=("dev-demo", "deployer"))
    trees = rights("flux", [one, delivered(account=("dev-demo", "other"))])
    assert rules(trees, "Role", "dev-demo") == [
        {
            "apiGroups": [""], "resources": ["serviceaccounts"],
            "resourceNames": ["deployer", "other"], "verbs": ["impersonate"],
        }
    ]  # fmt: skip
    assert rules(trees, "ClusterRole") == []


def test_restarts_need_a_look_at_pods_and_at_all_workloads_only_where_all_are_meant() -> None:
    def granted(workloads: Restarted) -> list[dict[str, Any]]:
        one = delivered(SECRET, restart=RestartPolicy(workloads))
        trees = rights("flux", [one])
        assert "get" not in rules(trees, "Role", "flux")[0]["verbs"]
        return rules(trees, "Role", "dev-demo")

    pods = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "patch"]}
    assert granted(Restarted.DELIVERED) == [pods, secrets]
    assert granted(Restarted.ALL) == [
        pods,
        secrets,
        {
            "apiGroups": ["apps"], "resources": ["daemonsets", "deployments", "statefulsets"],
            "verbs": ["get", "list", "patch"],
        },
    ]  # fmt: skip


def test_the_agents_own_rights_are_those_that_install_grants() -> None:
    alone, with_kinds = rights("flux", []), rights("flux", [], custom_resources=True)
    assert [tree["kind"] for tree in alone] == ["Role", "RoleBinding"]
    assert {tree["metadata"]["name"] for tree in with_kinds} == {
        "flux-secret", "flux-secret-resources", "flux-secret-resources-flux",
    }  # fmt: skip
    assert "get" not in rules(alone, "Role", "flux")[0]["verbs"]
