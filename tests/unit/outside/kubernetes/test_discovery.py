from __future__ import annotations

from flux_secret.outside.kubernetes import Kinds, ServedKind, crd_kinds
from flux_secret.outside.kubernetes.body import Json
from flux_secret.outside.kubernetes.discovery import (
    from_aggregated,
    from_resource_list,
    group_versions,
)


def resource(kind: str, plural: str, scope: str = "Namespaced", verb: str = "get") -> Json:
    return {
        "resource": plural, "responseKind": {"group": "", "version": "", "kind": kind},
        "scope": scope, "verbs": [verb, "list"],
    }  # fmt: skip


CORE: Json = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {},
            "versions": [
                {
                    "version": "v1",
                    "freshness": "Current",
                    "resources": [
                        resource("Secret", "secrets"),
                        resource("Namespace", "namespaces", "Cluster"),
                        resource("Binding", "bindings", verb="create"),
                    ],
                }
            ],
        }
    ],
}
GROUPS: Json = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {"name": "apps"},
            "versions": [
                {"version": "v1", "resources": [resource("Deployment", "deployments")]},
                {"version": "v1beta1", "resources": [resource("Deployment", "deployments")]},
            ],
        },
        {
            "metadata": {"name": "x.example.org"},
            "versions": [{"version": "v1", "freshness": "Stale"}],
        },
    ],
}


def test_aggregated_discovery_gives_kinds_and_what_does_not_answer() -> None:
    kinds = from_aggregated([CORE, GROUPS])
    assert kinds.find("", "v1", "Secret") == ServedKind("", "v1", "Secret", "secrets", True)  # noqa: FBT003
    assert kinds.find("", "v1", "Binding") is None, "it can only be created"
    namespace = kinds.find("", "v1", "Namespace")
    assert namespace is not None
    assert not namespace.namespaced
    preferred = kinds.any_version("apps", "Deployment")
    assert preferred is not None
    assert preferred.api_version == "apps/v1"
    assert kinds.is_failing("x.example.org")
    assert not kinds.is_failing("apps")


def test_legacy_discovery_prefers_the_preferred_version() -> None:
    groups: Json = {
        "groups": [
            {
                "name": "apps",
                "versions": [{"version": "v1beta1"}, {"version": "v1"}],
                "preferredVersion": {"version": "v1"},
            }
        ]
    }
    assert list(group_versions(groups)) == [("apps", "v1"), ("apps", "v1beta1")]


def test_legacy_resources_leave_out_subresources() -> None:
    tree: Json = {
        "resources": [
            {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
            {"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
        ]
    }
    assert [kind.plural for kind in from_resource_list("", "v1", tree)] == ["pods"]


def test_a_crd_tells_its_served_versions() -> None:
    tree: Json = {
        "spec": {
            "group": "example.org",
            "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Cluster",
            "versions": [{"name": "v1", "served": True}, {"name": "v0", "served": False}],
        }
    }
    (kind,) = crd_kinds(tree)
    assert kind == ServedKind("example.org", "v1", "Widget", "widgets", namespaced=False)


def test_each_kind_is_listed_in_its_preferred_version_and_only_if_it_can_be() -> None:
    tree: Json = {
        "resources": [
            {"name": "reviews", "kind": "Review", "namespaced": True, "verbs": ["get"]},
            {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get", "list"]},
        ]
    }
    served = [*from_aggregated([CORE, GROUPS]).served, *from_resource_list("", "v1", tree)]
    assert [f"{one.api_version}/{one.kind}" for one in Kinds(tuple(served)).listable()] == [
        "v1/Secret", "v1/Namespace", "apps/v1/Deployment", "v1/Pod",
    ]  # fmt: skip


def test_paths_quote_names() -> None:
    kind = ServedKind("rbac.authorization.k8s.io", "v1", "Role", "roles", namespaced=True)
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/demo/roles/system%3Aa%2Fb"
    assert kind.path("demo", "system:a/b") == path
    assert kind.path() == "/apis/rbac.authorization.k8s.io/v1/roles"


def test_nothing_served_is_nothing_found() -> None:
    assert from_aggregated([{}, {"items": "x"}]) == Kinds()
