"""A kind → its columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from flux_secret.embedded.schema.kinds import Kind
from flux_secret.embedded.tables.duration import since
from flux_secret.embedded.tables.table import AGE, NAME, Cell, Column
from flux_secret.embedded.tree import Json, Tree, child, items, mappings, text


def _text(*path: str) -> Cell:
    return lambda tree: text(tree, *path)


def _number(*path: str) -> Cell:
    return lambda tree: child(tree, *path[:-1]).get(path[-1]) or 0


def _count(*fields: str) -> Cell:
    return lambda tree: sum(len(tree.get(field) or ()) for field in fields)


def _joined(values: Iterable[str]) -> str:
    return ",".join(values) or "<none>"


def selector_text(selector: Tree) -> str:
    """Write a label selector as kubectl does."""
    labels = child(selector, "matchLabels") or (
        selector if "matchExpressions" not in selector else {}
    )
    return _joined(f"{key}={value}" for key, value in sorted(labels.items()))


def _containers(tree: Tree, *path: str) -> list[Tree]:
    return list(mappings(tree, *path, "containers"))


def _workload() -> tuple[Column, ...]:
    template = ("spec", "template", "spec")
    return (
        Column("Containers", lambda t: _joined(text(c, "name") for c in _containers(t, *template)),
               wide=True),
        Column("Images", lambda t: _joined(text(c, "image") for c in _containers(t, *template)),
               wide=True),
        Column("Selector", lambda t: selector_text(child(t, "spec", "selector")), wide=True),
    )  # fmt: skip


def _external_ip(tree: Tree) -> str:
    spec = child(tree, "spec")
    ips = [*items(spec, "externalIPs")]
    match text(spec, "type"):
        case "ExternalName":
            return text(spec, "externalName")
        case "LoadBalancer":
            ingress = mappings(tree, "status", "loadBalancer", "ingress")
            return (
                ",".join([*(text(one, "ip") or text(one, "hostname") for one in ingress), *ips])
                or "<pending>"
            )
        case _:
            return _joined(ips)


def _ports(tree: Tree) -> str:
    def shown(port: Tree) -> str:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port.get('port')}{node}/{port.get('protocol')}"

    return _joined(shown(port) for port in mappings(tree, "spec", "ports"))


def _cluster_ip(tree: Tree) -> str:
    return text(tree, "spec", "clusterIP") or "<none>"


def _pod_ready(tree: Tree) -> str:
    statuses = list(mappings(tree, "status", "containerStatuses"))
    ready = sum(bool(one.get("ready")) for one in statuses)
    return f"{ready}/{len(_containers(tree, 'spec'))}"


def _pod_status(tree: Tree) -> str:
    if "deletionTimestamp" in child(tree, "metadata"):
        return "Terminating"
    return text(tree, "status", "reason") or text(tree, "status", "phase") or "Unknown"


def _restarts(tree: Tree) -> str:
    return str(
        sum(one.get("restartCount", 0) for one in mappings(tree, "status", "containerStatuses"))
    )


def _or_none(cell: Cell) -> Cell:
    return lambda tree: cell(tree) or "<none>"


def _ready(ready: str, wanted: str = "replicas") -> Cell:
    def cell(tree: Tree) -> Json:
        return f"{child(tree, 'status').get(ready, 0)}/{child(tree, 'spec').get(wanted, 0)}"

    return cell


def _selector_cell(tree: Tree) -> str:
    return selector_text(child(tree, "spec", "selector"))


def _subjects(kind: str) -> Cell:
    def cell(tree: Tree) -> Json:
        prefix = "namespace" if kind == "ServiceAccount" else ""
        return ", ".join(
            f"{text(one, prefix)}/{text(one, 'name')}" if prefix else text(one, "name")
            for one in mappings(tree, "subjects")
            if one.get("kind") == kind
        )

    return cell


def _role(tree: Tree) -> str:
    return f"{text(tree, 'roleRef', 'kind')}/{text(tree, 'roleRef', 'name')}"


def _bindings() -> tuple[Column, ...]:
    return (
        NAME, Column("Role", _role), AGE,
        Column("Users", _subjects("User"), wide=True),
        Column("Groups", _subjects("Group"), wide=True),
        Column("ServiceAccounts", _subjects("ServiceAccount"), wide=True),
    )  # fmt: skip


def _created(tree: Tree) -> str:
    return text(tree, "metadata", "creationTimestamp")


def _or_na(field: str) -> Cell:
    return lambda tree: str(child(tree, "spec").get(field, "N/A"))


def _reference(tree: Tree) -> str:
    target = child(tree, "spec", "scaleTargetRef")
    return f"{text(target, 'kind')}/{text(target, 'name')}"


def _endpoints(tree: Tree) -> str:
    return _joined(
        f"{text(address, 'ip')}:{port.get('port')}"
        for subset in mappings(tree, "subsets")
        for address in mappings(subset, "addresses")
        for port in mappings(subset, "ports")
    )


_SPEC_REPLICAS: Final = _number("spec", "replicas")
_COLUMNS: Final[dict[tuple[str, str], tuple[Column, ...]]] = {
    ("", "Namespace"): (NAME, Column("Status", _text("status", "phase")), AGE),
    ("", "Secret"): (
        NAME, Column("Type", _text("type")), Column("Data", _count("data"), "string"), AGE,
    ),
    ("", "ConfigMap"): (NAME, Column("Data", _count("data", "binaryData"), "string"), AGE),
    ("", "Service"): (
        NAME, Column("Type", _text("spec", "type")), Column("Cluster-IP", _cluster_ip),
        Column("External-IP", _external_ip), Column("Port(s)", _ports), AGE,
        Column("Selector", _selector_cell, wide=True),
    ),
    ("", "ServiceAccount"): (NAME, Column("Secrets", _count("secrets"), "string"), AGE),
    ("", "Pod"): (
        NAME, Column("Ready", _pod_ready), Column("Status", _pod_status),
        Column("Restarts", _restarts), AGE,
        Column("IP", _or_none(_text("status", "podIP")), wide=True),
        Column("Node", _or_none(_text("spec", "nodeName")), wide=True),
        Column("Nominated Node", _or_none(_text("status", "nominatedNodeName")), wide=True),
        Column("Readiness Gates", lambda _tree: "<none>", wide=True),
    ),
    ("apps", "Deployment"): (
        NAME, Column("Ready", _ready("readyReplicas")),
        Column("Up-to-date", _number("status", "updatedReplicas"), "string"),
        Column("Available", _number("status", "availableReplicas"), "string"), AGE, *_workload(),
    ),
    ("apps", "ReplicaSet"): (
        NAME, Column("Desired", _SPEC_REPLICAS, "integer"),
        Column("Current", _number("status", "replicas"), "integer"),
        Column("Ready", _number("status", "readyReplicas"), "integer"), AGE, *_workload(),
    ),
    ("apps", "StatefulSet"): (
        NAME, Column("Ready", _ready("readyReplicas")), AGE, *_workload()[:2],
    ),
    ("apps", "DaemonSet"): (
        NAME, Column("Desired", _number("status", "desiredNumberScheduled"), "integer"),
        Column("Current", _number("status", "currentNumberScheduled"), "integer"),
        Column("Ready", _number("status", "numberReady"), "integer"),
        Column("Up-to-date", _number("status", "updatedNumberScheduled"), "integer"),
        Column("Available", _number("status", "numberAvailable"), "integer"),
        Column("Node Selector",
               lambda t: selector_text(child(t, "spec", "template", "spec", "nodeSelector"))),
        AGE, *_workload(),
    ),
    ("rbac.authorization.k8s.io", "Role"): (NAME, Column("Created At", _created)),
    ("rbac.authorization.k8s.io", "ClusterRole"): (NAME, Column("Created At", _created)),
    ("rbac.authorization.k8s.io", "RoleBinding"): _bindings(),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _bindings(),
    ("coordination.k8s.io", "Lease"): (
        NAME, Column("Holder", _text("spec", "holderIdentity")), AGE,
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (NAME, Column("Created At", _created)),
    ("networking.k8s.io", "Ingress"): (
        NAME, Column("Class", _or_none(_text("spec", "ingressClassName"))),
        Column("Hosts", lambda t: ",".join(
            text(rule, "host") or "*" for rule in mappings(t, "spec", "rules")) or "*"),
        Column("Address", lambda t: ",".join(
            text(one, "ip") or text(one, "hostname")
            for one in mappings(t, "status", "loadBalancer", "ingress"))),
        Column("Ports", lambda t: "80, 443" if items(t, "spec", "tls") else "80"), AGE,
    ),
    ("networking.k8s.io", "NetworkPolicy"): (
        NAME, Column("Pod-Selector", lambda t: selector_text(child(t, "spec", "podSelector"))),
        AGE,
    ),
    ("batch", "Job"): (
        NAME, Column("Status", lambda _tree: "Running"),
        Column("Completions", _ready("succeeded", "completions")),
        Column("Duration", lambda _tree: ""), AGE, *_workload(),
    ),
    ("batch", "CronJob"): (
        NAME, Column("Schedule", _text("spec", "schedule")),
        Column("Timezone", _or_none(_text("spec", "timeZone"))),
        Column("Suspend", lambda t: str(bool(child(t, "spec").get("suspend"))).title()),
        Column("Active", _number("status", "active"), "integer"),
        Column("Last Schedule", lambda t: since(text(t, "status", "lastScheduleTime"))
               if text(t, "status", "lastScheduleTime") else "<none>"), AGE,
    ),
    ("", "ResourceQuota"): (
        NAME, Column("Request", lambda _tree: ""), Column("Limit", lambda _tree: ""), AGE,
    ),
    ("", "LimitRange"): (NAME, Column("Created At", _created)),
    ("", "ReplicationController"): (
        NAME, Column("Desired", _SPEC_REPLICAS, "integer"),
        Column("Current", _number("status", "replicas"), "integer"),
        Column("Ready", _number("status", "readyReplicas"), "integer"), AGE, *_workload(),
    ),
    ("", "Endpoints"): (NAME, Column("Endpoints", _endpoints), AGE),
    ("policy", "PodDisruptionBudget"): (
        NAME, Column("Min Available", _or_na("minAvailable")),
        Column("Max Unavailable", _or_na("maxUnavailable")),
        Column("Allowed Disruptions", _number("status", "disruptionsAllowed"), "integer"), AGE,
    ),
    ("autoscaling", "HorizontalPodAutoscaler"): (
        NAME, Column("Reference", _reference), Column("Targets", lambda _tree: "<unknown>"),
        Column("MinPods", _number("spec", "minReplicas")),
        Column("MaxPods", _number("spec", "maxReplicas"), "integer"),
        Column("Replicas", _number("status", "currentReplicas"), "integer"), AGE,
    ),
    ("", "PersistentVolumeClaim"): (
        NAME, Column("Status", _text("status", "phase")),
        Column("Volume", _text("spec", "volumeName")), Column("Capacity", lambda _tree: ""),
        Column("Access Modes", lambda _tree: ""),
        Column("StorageClass", _text("spec", "storageClassName")),
        Column("VolumeAttributesClass", lambda _tree: "<unset>"), AGE,
    ),
}  # fmt: skip


def columns_of(kind: Kind, custom: Sequence[Column] = ()) -> tuple[Column, ...]:
    """Give the columns of a kind; name and age where it has none of its own."""
    if custom:
        return (NAME, *custom)
    return _COLUMNS.get((kind.group, kind.kind), (NAME, AGE))
