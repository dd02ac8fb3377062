"""Requests that a random sequence seldom makes: each a name and its steps on a fresh name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from cluster.equivalence.sequences import APPLY, GROUP, JSON, MERGE, STRATEGIC

Tree = dict[str, Any]
CORE: Final = "/api/v1/namespaces/{ns}"
MAPS: Final = f"{CORE}/configmaps"
SECRETS: Final = f"{CORE}/secrets"


@dataclass(frozen=True)
class Request:
    """One request; `{ns}` and `{name}` stand for the case's own, `{uid}` and `{rv}` for the
    identity of the last object that was answered."""

    method: str
    path: str
    body: Any = None
    content_type: str = "application/json"
    query: dict[str, str] = field(default_factory=dict)


def _post(path: str, body: Tree, **query: str) -> Request:
    return Request("POST", path, body, query=query)


def _apply(path: str, body: Tree, **query: str) -> Request:
    return Request("PATCH", path, body, APPLY, {"fieldManager": "m", **query})


def _map(**extra: Any) -> Tree:  # noqa: ANN401 - fields of any shape
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{name}"}, **extra}


def _named(**metadata: Any) -> Tree:  # noqa: ANN401 - fields of any shape
    return _map(metadata={"name": "{name}", **metadata})


def _secret(**extra: Any) -> Tree:  # noqa: ANN401 - fields of any shape
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "{name}"}, **extra}


ONE: Final = f"{MAPS}/{{name}}"
HIDDEN: Final = f"{SECRETS}/{{name}}"
MADE: Final = _post(MAPS, _map(data={"a": "b"}))
CASES: Final[dict[str, list[Request]]] = {
    "no such object": [Request("GET", ONE), Request("DELETE", ONE)],
    "no such namespace": [
        _post("/api/v1/namespaces/nowhere/configmaps", _map()),
        _apply("/api/v1/namespaces/nowhere/configmaps/{name}", _map()),
    ],
    "another namespace": [
        _post(MAPS, _named(namespace="other")),
        _apply(ONE, _named(namespace="other")),
        _apply(ONE, _named(namespace="{ns}")),
    ],
    "a namespace where there is none": [
        _apply("/api/v1/namespaces/{name}",
               {"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": "{name}", "namespace": "x"}}),
        Request("DELETE", "/api/v1/namespaces/{name}"),
    ],
    "bad names": [
        _post(MAPS, _named(name="Bad_Name")), _post(MAPS, _named(name="")),
        _post("/api/v1/namespaces", {"metadata": {"name": "a.b"}}),
        _post(f"{CORE}/services", {"metadata": {"name": "1x"}, "spec": {"ports": [{"port": 1}]}}),
    ],
    "bad labels and annotations": [
        _post(MAPS, _named(labels={"a b": "c"})), _post(MAPS, _named(labels={"a": "-"})),
        _post(MAPS, _named(annotations={"a b": "c"})),
    ],
    "a name that exists": [MADE, MADE],
    "another name in the body": [
        MADE, _apply(ONE, _named(name="other")), Request("PUT", ONE, _named(name="other")),
        Request("PATCH", ONE, {"metadata": {"name": "other"}}, MERGE),
    ],
    "a put of nothing": [Request("PUT", ONE, _map())],
    "a put that creates": [
        Request("PUT", f"{CORE}/services/{{name}}",
                {"metadata": {"name": "{name}"}, "spec": {"ports": [{"port": 1}]}}),
    ],
    "a stale put": [MADE, Request("PUT", ONE, _named(resourceVersion="1"))],
    "a stale patch": [
        MADE, Request("PATCH", ONE, {"metadata": {"resourceVersion": "1"}}, MERGE),
        _apply(ONE, _named(resourceVersion="1")), _apply(ONE, _named(resourceVersion="{rv}")),
    ],
    "an apply of an object that is not there any more": [_apply(ONE, _named(uid="gone"))],
    "an apply of another object of that name": [MADE, _apply(ONE, _named(uid="gone"))],
    "a put of another object of that name": [MADE, Request("PUT", ONE, _named(uid="gone"))],
    "an apply of this very object": [MADE, _apply(ONE, _named(uid="{uid}"))],
    "a resourceVersion on create": [
        _post(MAPS, _named(resourceVersion="1")), _apply(ONE, _named(resourceVersion="1")),
    ],
    "delete with preconditions": [
        MADE, Request("DELETE", ONE, {"preconditions": {"uid": "gone"}}),
        Request("DELETE", ONE, {"preconditions": {"resourceVersion": "1"}}),
        Request("DELETE", ONE, {"preconditions": {"uid": "{uid}"}}),
    ],
    "a dry delete": [
        MADE, Request("DELETE", ONE, query={"dryRun": "All"}), Request("GET", ONE),
    ],
    "finalizers": [
        _post(MAPS, _named(finalizers=["example.com/f"])), Request("DELETE", ONE),
        _apply(ONE, _named(finalizers=["example.com/g"]), force="true"),
        Request("PATCH", ONE, {"metadata": {"finalizers": None}}, MERGE), Request("GET", ONE),
    ],
    "apply without a manager": [Request("PATCH", ONE, _map(), APPLY)],
    "options that there are not": [
        _post(MAPS, _map(), dryRun="x"), _post(MAPS, _map(), fieldValidation="x"),
        _post(MAPS, _map(), fieldManager="x" * 129), _apply(ONE, _map(), fieldManager="a\n"),
        MADE, Request("PATCH", ONE, {}, MERGE, {"force": "true"}),
    ],
    "unknown fields": [
        _post(MAPS, _map(x=1), fieldValidation="Strict"), _post(MAPS, _map(x=1)),
        _apply(ONE, _map(x=1)),
        Request("PATCH", ONE, {"x": 1}, MERGE, {"fieldValidation": "Strict"}),
        Request("PATCH", ONE, {"x": 1}, STRATEGIC, {"fieldValidation": "Strict"}),
        Request("PATCH", ONE, {"x": 1}, MERGE),
    ],
    "values of a wrong type": [
        _post(MAPS, _map(data={"a": 1})), _post(MAPS, _map(data=[])), _apply(ONE, _map(data=[])),
        _post(MAPS, _map(metadata=[])),
    ],
    "another kind": [
        _post(MAPS, {**_map(), "kind": "Secret"}), _apply(ONE, {**_map(), "kind": "Secret"}),
        _apply(ONE, {**_map(), "apiVersion": "v2"}), _post(MAPS, {"metadata": {"name": "{name}"}}),
    ],
    "media types": [
        Request("POST", MAPS, _map(), "text/plain"), MADE, Request("PATCH", ONE, {}, "text/plain"),
        Request("PATCH", f"/apis/{GROUP}/v1/namespaces/{{ns}}/things/ready", {}, STRATEGIC),
    ],
    "json patches": [
        MADE, Request("PATCH", ONE, [{"op": "remove", "path": "/data/zz"}], JSON),
        Request("PATCH", ONE, [{"op": "add", "path": "/data/zz", "value": "1"}], JSON),
        Request("PATCH", ONE, [{"op": "copy", "from": "/data/zz", "path": "/data/y"}], JSON),
        Request("PATCH", ONE, [{"op": "move", "from": "/data/zz", "path": "/data/x"}], JSON),
        Request("PATCH", ONE, [{"op": "test", "path": "/data/x", "value": "2"}], JSON),
        Request("PATCH", ONE, {"op": "test"}, JSON),
    ],
    "managedFields of the client": [
        _apply(ONE, _named(managedFields=[])), MADE,
        Request("PATCH", ONE, {"metadata": {"managedFields": []}}, MERGE),
        Request("PATCH", ONE, {"metadata": {"managedFields": [{}]}}, MERGE),
        _apply(ONE, _map(data={"a": "c"})), _apply(ONE, _map(data={"a": "c"}), force="true"),
        Request("PATCH", ONE, {"data": {"d": "e"}}, MERGE, {"fieldManager": "later"}),
    ],
    "more than ten updaters": [
        MADE,
        *(Request("PATCH", ONE, {"data": {f"k{n}": "v"}}, MERGE, {"fieldManager": f"u{n:02}"})
          for n in range(13)),
    ],
    "apply by kubectl after its client-side apply": [
        _post(MAPS, _named(annotations={"kubectl.kubernetes.io/last-applied-configuration":
              '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"b"}}'})
              | {"data": {"a": "b"}}, fieldManager="kubectl-client-side-apply"),
        _apply(ONE, _map(data={"a": "c"}), fieldManager="kubectl"),
    ],
    "immutable": [
        _post(SECRETS, _secret(immutable=True, data={"a": "YQ=="})),
        _apply(HIDDEN, _secret(data={"a": "Yg=="}), force="true"),
        Request("PATCH", HIDDEN, {"immutable": False}, MERGE),
        Request("PATCH", HIDDEN, {"metadata": {"labels": {"a": "b"}}}, MERGE),
    ],
    "types of secrets": [
        _post(SECRETS, _secret(type="kubernetes.io/tls")),
        _post(SECRETS, _secret(type="kubernetes.io/basic-auth")),
        _post(SECRETS, _secret(type="kubernetes.io/ssh-auth")),
        _post(SECRETS, _secret(type="kubernetes.io/dockerconfigjson")),
        _post(SECRETS, _secret(data={"a": None, "b": ""}, stringData={"c": "d"})),
        Request("PATCH", HIDDEN, {"type": "other"}, MERGE),
        Request("PATCH", HIDDEN, {"data": {"a": "x"}}, MERGE),
        Request("PATCH", HIDDEN, {"stringData": {"b": "x"}}, STRATEGIC),
    ],
    "data that is too much": [_post(MAPS, _map(data={"a": "x" * 1048577}))],
    "the status of a custom resource": [
        _post(f"/apis/{GROUP}/v1/namespaces/{{ns}}/things",
              {"apiVersion": f"{GROUP}/v1", "kind": "Thing", "metadata": {"name": "{name}"},
               "status": {"ready": True}}),
        Request("PATCH", f"/apis/{GROUP}/v1/namespaces/{{ns}}/things/{{name}}/status",
                {"status": {"ready": True}, "spec": {"count": 3}}, MERGE, {"fieldManager": "s"}),
        Request("PATCH", f"/apis/{GROUP}/v1/namespaces/{{ns}}/things/{{name}}",
                {"status": {"ready": False}, "spec": {"count": 3}}, MERGE, {"fieldManager": "t"}),
        Request("GET", f"/apis/{GROUP}/v1/namespaces/{{ns}}/things/{{name}}/status"),
        Request("PUT", f"/apis/{GROUP}/v1/namespaces/{{ns}}/things/{{name}}",
                {"apiVersion": f"{GROUP}/v1", "kind": "Thing", "metadata": {"name": "{name}"}}),
    ],
}  # fmt: skip

_CONTAINERS: Final = {"containers": [{"name": "c", "image": "i"}]}
_SELECTS: Final = {"matchLabels": {"a": "b"}}
_TEMPLATE: Final = {"metadata": {"labels": {"a": "b"}}, "spec": _CONTAINERS}
_RULES: Final = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
MINIMAL: Final[dict[str, tuple[str, Tree]]] = {
    "StatefulSet": ("/apis/apps/v1/namespaces/{ns}/statefulsets", {"spec": {
        "selector": _SELECTS, "serviceName": "s", "template": _TEMPLATE,
        "volumeClaimTemplates": [{"metadata": {"name": "v"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}}),
    "DaemonSet": ("/apis/apps/v1/namespaces/{ns}/daemonsets",
                  {"spec": {"selector": _SELECTS, "template": _TEMPLATE}}),
    "ReplicaSet": ("/apis/apps/v1/namespaces/{ns}/replicasets",
                   {"spec": {"selector": _SELECTS, "template": _TEMPLATE, "replicas": 0}}),
    "ReplicationController": (f"{CORE}/replicationcontrollers",
                              {"spec": {"template": _TEMPLATE, "replicas": 0}}),
    "CronJob": ("/apis/batch/v1/namespaces/{ns}/cronjobs", {"spec": {
        "schedule": "* * * * *", "suspend": True, "jobTemplate": {"spec": {"template": {
            "spec": {**_CONTAINERS, "restartPolicy": "Never"}}}}}}),
    "Role": (f"{RBAC}/namespaces/{{ns}}/roles", {"rules": _RULES}),
    "ClusterRole": (f"{RBAC}/clusterroles", {"rules": _RULES}),
    "RoleBinding": (f"{RBAC}/namespaces/{{ns}}/rolebindings", {
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "s"}, {"kind": "User", "name": "u"}]}),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies", {"spec": {
        "podSelector": {}, "egress": [{"ports": [{"port": 1}]}]}}),
    "Ingress": ("/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses", {"spec": {
        "rules": [{"host": "h", "http": {"paths": [{"path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]}}),
    "PodDisruptionBudget": ("/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets",
                            {"spec": {"selector": _SELECTS, "minAvailable": 1}}),
    "HorizontalPodAutoscaler": (
        "/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers", {"spec": {
            "maxReplicas": 3, "scaleTargetRef": {
                "apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}}}),
    "Lease": ("/apis/coordination.k8s.io/v1/namespaces/{ns}/leases", {"spec": {
        "holderIdentity": "me", "leaseDurationSeconds": 5,
        "acquireTime": "2026-01-02T03:04:05.678900Z"}}),
    "LimitRange": (f"{CORE}/limitranges", {"spec": {"limits": [
        {"type": "Container", "max": {"cpu": "1000m", "memory": "1024Mi"}}]}}),
    "Endpoints": (f"{CORE}/endpoints", {"subsets": [
        {"addresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 1}]}]}),
    "PersistentVolumeClaim": (f"{CORE}/persistentvolumeclaims", {"spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "none",
        "resources": {"requests": {"storage": "1024Mi"}}}}),
    "ServiceAccount": (f"{CORE}/serviceaccounts", {"secrets": [{"name": "s"}]}),
}  # fmt: skip


def cases() -> Iterator[tuple[str, list[Request]]]:
    """Give every case: those above, and each kind created, applied and deleted."""
    yield from CASES.items()
    for kind, (path, body) in MINIMAL.items():
        root = path.removeprefix("/apis/").removeprefix("/api/")
        version = "v1" if path.startswith("/api/") else "/".join(root.split("/")[:2])
        tree = {"apiVersion": version, "kind": kind, "metadata": {"name": "{name}"}, **body}
        labelled = {**tree, "metadata": {"name": "{name}", "labels": {"a": "b"}}}
        one = f"{path}/{{name}}"
        yield (
            f"{kind} created, applied, deleted",
            [
                _post(path, tree, fieldManager="creator"),
                _apply(one, labelled, force="true"),
                _apply(one, labelled),
                Request("DELETE", one, {"propagationPolicy": "Background"}),
            ],
        )
