"""Roles and bindings are read as Kubernetes' own authorizer reads them."""

from __future__ import annotations

from typing import Any

import pytest

from flux_secret.access.rbac import READING, Grant, Rights, Subject, through_pods
from flux_secret.access.rbac import grants as granted

Tree = dict[str, Any]
READ: Tree = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}


def role(
    name: str, *rules: Tree, namespace: str = "demo", labels: Tree | None = None,
    gathers: Tree | None = None,
) -> Tree:  # fmt: skip
    where = {"namespace": namespace} if namespace else {}
    more = {"aggregationRule": {"clusterRoleSelectors": [gathers]}} if gathers is not None else {}
    metadata = {"name": name, **where, "labels": labels or {}}
    return {"metadata": metadata, "rules": [*rules], **more}


def binding(kind: str, of: str, *subjects: Tree, namespace: str = "demo") -> Tree:
    where = {"namespace": namespace} if namespace else {}
    return {
        "metadata": {"name": "binding", **where},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": of},
        "subjects": [*subjects],
    }


def grants(*trees: list[Tree]) -> tuple[Grant, ...]:
    return granted(Rights(*trees))


def user(name: str) -> Tree:
    return {"kind": "User", "name": name}


def only(found: tuple[Grant, ...]) -> Grant:
    (one,) = found
    return one


@pytest.mark.parametrize(
    ("rule", "verbs"),
    [
        (READ, ("get",)),
        ({**READ, "verbs": ["*"]}, READING),
        ({**READ, "verbs": ["watch", "list", "delete"]}, ("list", "watch")),
        ({**READ, "verbs": ["patch"]}, ("patch",)),
        ({**READ, "apiGroups": ["*"], "resources": ["*"]}, ("get",)),
        ({**READ, "resources": ["pods", "secrets"]}, ("get",)),
    ],
)
def test_a_rule_that_gives_values_is_a_grant(rule: Tree, verbs: tuple[str, ...]) -> None:
    found = grants([role("reader", rule)], [], [binding("Role", "reader", user("eve"))], [])
    assert only(found).verbs == verbs


@pytest.mark.parametrize(
    "rule",
    [
        {**READ, "verbs": ["create", "update", "delete"]},
        {**READ, "apiGroups": ["apps"]},
        {**READ, "resources": ["secrets/status", "*/secrets", "configmaps"]},
        {**READ, "apiGroups": []},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
        {},
    ],
)
def test_a_rule_that_gives_no_value_is_none(rule: Tree) -> None:
    assert grants([role("reader", rule)], [], [binding("Role", "reader", user("eve"))], []) == ()


def test_a_binding_grants_in_its_namespace_and_a_cluster_binding_everywhere() -> None:
    everywhere = role("reader", READ, namespace="")
    bound = only(grants([], [everywhere], [binding("ClusterRole", "reader", user("eve"))], []))
    assert bound.namespace == "demo"
    assert (bound.covers("demo", "db"), bound.covers("other", "db")) == (True, False)
    cluster = binding("ClusterRole", "reader", user("eve"), namespace="")
    whole = only(grants([], [everywhere], [], [cluster]))
    assert whole.covers("other", "db")
    assert str(whole.binding) == "ClusterRoleBinding binding"


def test_a_role_of_another_namespace_or_none_grants_nothing() -> None:
    reader = role("reader", READ, namespace="other")
    assert grants([reader], [], [binding("Role", "reader", user("eve"))], []) == ()
    assert grants([], [], [binding("ClusterRole", "reader", user("eve"))], []) == ()
    cluster = binding("Role", "reader", user("eve"), namespace="")
    assert grants([role("reader", READ, namespace="")], [], [], [cluster]) == ()


def test_resource_names_are_kept_apart_from_all() -> None:
    named = {**READ, "resourceNames": ["db"]}
    reader = role("reader", named, {**READ, "verbs": ["list"]})
    found = grants([reader], [], [binding("Role", "reader", user("eve"))], [])
    assert [(one.names, one.verbs) for one in found] == [((), ("list",)), (("db",), ("get",))]
    assert [one.covers("demo", "other") for one in found] == [True, False]


def test_subjects_are_named_as_their_requests_are() -> None:
    subjects = (
        user("eve"),
        {"kind": "Group", "name": "devs"},
        {"kind": "ServiceAccount", "name": "app", "namespace": "demo"},
        {"kind": "ServiceAccount", "name": "near"},
        user("system:serviceaccount:other:app"),
        {"kind": "Robot", "name": "r2"},
    )
    found = only(grants([role("r", READ)], [], [binding("Role", "r", *subjects)], []))
    assert [(str(one), one.username) for one in found.subjects] == [
        ("Group devs", ""),
        ("ServiceAccount demo/app", "system:serviceaccount:demo:app"),
        ("ServiceAccount demo/near", "system:serviceaccount:demo:near"),
        ("ServiceAccount other/app", "system:serviceaccount:other:app"),
        ("User eve", "eve"),
    ]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ({"matchLabels": {"to": "view"}}, True),
        ({"matchLabels": {"to": "edit"}}, False),
        ({"matchExpressions": [{"key": "to", "operator": "In", "values": ["view"]}]}, True),
        ({"matchExpressions": [{"key": "to", "operator": "NotIn", "values": ["view"]}]}, False),
        ({"matchExpressions": [{"key": "to", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "no", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "to", "operator": "Odd"}]}, False),
        ({}, True),
    ],
)
def test_an_aggregated_role_has_the_rules_of_those_it_chooses(selector: Tree, chosen: bool) -> None:
    gathers = role("all", namespace="", gathers=selector)
    part = role("part", READ, namespace="", labels={"to": "view"})
    bound = binding("ClusterRole", "all", user("eve"))
    assert bool(grants([], [gathers, part], [bound], [])) is chosen


def test_aggregated_roles_that_gather_each_other_end() -> None:
    one = role("one", namespace="", gathers={})
    other = role("other", READ, namespace="", gathers={})
    bound = binding("ClusterRole", "one", user("eve"))
    assert only(grants([], [one, other], [bound], [])).subjects == (Subject("User", "eve"),)


def test_a_binding_of_nobody_grants_nothing() -> None:
    assert grants([role("r", READ)], [], [binding("Role", "r")], []) == ()
    empty: Tree = {"metadata": {"name": "b", "namespace": "demo"}, "subjects": None}
    assert grants([role("r", READ)], [], [empty], []) == ()


STARTS, ENTERS = "start pods", "open a shell in pods"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}, (STARTS,)),
        ({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]}, (STARTS,)),
        (
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["update"],
             "resourceNames": ["shop"]},
            (STARTS,),
        ),
        ({"apiGroups": ["batch"], "resources": ["*"], "verbs": ["create"]}, (STARTS,)),
        ({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}, (ENTERS,)),
        ({"apiGroups": [""], "resources": ["*/exec"], "verbs": ["get"]}, (ENTERS,)),
        (
            {"apiGroups": [""], "resources": ["pods/ephemeralcontainers"], "verbs": ["patch"],
             "resourceNames": ["shop-0"]},
            (ENTERS,),
        ),
        ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, (ENTERS, STARTS)),
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "patch", "delete"]}, ()),
        (
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["create"], "resourceNames": ["x"]},
            (),
        ),
        ({"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["patch"]}, ()),
        ({"apiGroups": [""], "resources": ["deployments"], "verbs": ["create"]}, ()),
        ({"apiGroups": [""], "resources": ["pods/log", "*/log"], "verbs": ["*"]}, ()),
    ],
)  # fmt: skip
def test_who_may_start_or_enter_pods_is_told(rule: Tree, words: tuple[str, ...]) -> None:
    bound = [binding("Role", "r", user("eve"))]
    found = through_pods(Rights([role("r", rule)], [], bound))
    assert [one.verbs for one in found] == ([words] if words else [])
