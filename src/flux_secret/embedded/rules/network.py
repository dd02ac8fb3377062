"""Service, Ingress, NetworkPolicy, HorizontalPodAutoscaler, PodDisruptionBudget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flux_secret.embedded.rules import names, pods, problem
from flux_secret.embedded.rules.rule import Rule
from flux_secret.embedded.status import Cause, invalid, unknown_failure
from flux_secret.embedded.tree import Tree, child, copied, equal, mappings, text

AFFINITY_SECONDS: Final = 10800
_TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_WITH_NODE_PORTS: Final = ("NodePort", "LoadBalancer")
_WITH_IP: Final = ("ClusterIP", *_WITH_NODE_PORTS)
_FAMILIES: Final = {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}


class ServiceRule(Rule):
    """Services get an address of the cluster's own network."""

    answers_deleted = True

    creates_on_update = True

    def name_problems(self, name: str) -> list[str]:
        """Ask for an RFC 1035 label."""
        return names.label_1035(name)

    def default(self, tree: Tree) -> None:
        """core/v1/defaults.go SetDefaults_Service."""
        spec = tree.setdefault("spec", {})
        spec.setdefault("sessionAffinity", "None")
        if spec["sessionAffinity"] == "None":
            spec.pop("sessionAffinityConfig", None)
        elif child(spec, "sessionAffinityConfig", "clientIP").get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": AFFINITY_SECONDS}}
        spec.setdefault("type", "ClusterIP")
        for port in mappings(spec, "ports"):
            port.setdefault("protocol", "TCP")
            if port.get("targetPort") in (None, 0, ""):
                port["targetPort"] = port.get("port", 0)
        if _is_external(spec):
            spec.setdefault("externalTrafficPolicy", "Cluster")
        if spec["type"] in _WITH_IP:
            spec.setdefault("internalTrafficPolicy", "Cluster")
        if spec["type"] == "LoadBalancer":
            spec.setdefault("allocateLoadBalancerNodePorts", True)

    def prepare_create(self, tree: Tree) -> None:
        """Only its status; addresses are taken when it is valid (`allocate`)."""
        tree["status"] = {"loadBalancer": {}}

    def prepare_update(self, new: Tree, old: Tree) -> None:
        """Keep what was allocated (registry/core/service patchAllocatedValues)."""
        super().prepare_update(new, old)
        after, before = new["spec"], old["spec"]
        if after["type"] in _WITH_IP and before["type"] in _WITH_IP:
            for field in ("clusterIP", "clusterIPs"):
                if not after.get(field) and before.get(field):
                    after[field] = copied(before[field])
        if after["type"] in _WITH_NODE_PORTS and before["type"] in _WITH_NODE_PORTS:
            _keep_node_ports(after, before)
        _drop_of_other_type(after, before)
        if after["type"] in _WITH_NODE_PORTS:
            self._allocate_changed(after)
        self._complete(after)

    def allocate(self, tree: Tree) -> None:
        """Take an address and ports: those that are asked for, else free ones."""
        spec = tree["spec"]
        asked = text(spec, "clusterIP") or next(iter(spec.get("clusterIPs") or ()), "")
        if spec["type"] in _WITH_IP and asked not in {"", "None"}:
            try:
                self.world.cluster_ip(asked)
            except ValueError as error:
                why = f"failed to allocate IP {asked}: {error}"
                cause = problem.invalid("spec.clusterIPs", [asked], why)
                raise invalid(self.kind, text(tree, "metadata", "name"), [cause]) from error
        self._complete(spec)

    def _complete(self, spec: Tree) -> None:
        if spec["type"] in _WITH_IP:
            if not spec.get("clusterIP"):
                asked = (spec.get("clusterIPs") or [""])[0]
                spec["clusterIP"] = asked or self.world.cluster_ip("")
            spec.setdefault("clusterIPs", [spec["clusterIP"]])
            for field, value in _FAMILIES.items():
                spec.setdefault(field, copied(value))
        if spec["type"] in _WITH_NODE_PORTS:
            by_number = {p.get("port"): p.get("nodePort") for p in mappings(spec, "ports")}
            for port in mappings(spec, "ports"):
                if not port.get("nodePort"):  # TCP and UDP of one number share their node port
                    shared = by_number.get(port.get("port"))
                    port["nodePort"] = shared or self.world.node_port(0)
                    by_number[port.get("port")] = port["nodePort"]

    def _allocate_changed(self, spec: Tree) -> None:
        """Take a node port for each port that has none (alloc.go updateNodePorts)."""
        taken: set[tuple[object, object]] = set()
        for port in mappings(spec, "ports"):
            if not port.get("nodePort"):
                port["nodePort"] = self.world.node_port(0)
            found = (port.get("protocol"), port["nodePort"])
            if found in taken:  # said before anything is validated
                raise unknown_failure(f"duplicate nodePort: {{{found[0]} {found[1]}}}")
            taken.add(found)

    def release(self, tree: Tree) -> None:
        """Give back its address and ports."""
        address = text(tree, "spec", "clusterIP")
        if address and address != "None":
            self.world.free_ip(address)
        for port in mappings(tree, "spec", "ports"):
            if port.get("nodePort"):
                self.world.free_port(port["nodePort"])

    def problems(self, tree: Tree) -> Iterator[Cause]:
        """Check its type, and that its ports can be told apart."""
        spec = child(tree, "spec")
        kind, ports = text(spec, "type"), list(mappings(spec, "ports"))
        if kind not in _TYPES:
            yield problem.unsupported("spec.type", kind, _TYPES)
        if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
            yield problem.required("spec.ports")
        if kind == "ExternalName" and not text(spec, "externalName"):
            yield problem.required("spec.externalName")
        yield from _ports_problems(ports)
        yield from names.labels_problems(child(spec, "selector"), "spec.selector")

    def update_problems(self, new: Tree, old: Tree) -> Iterator[Cause]:
        """Refuse to change its address."""
        yield from self.problems(new)
        after, before = new["spec"], old["spec"]
        if after["type"] == "ExternalName" or before["type"] == "ExternalName":
            return
        if before.get("clusterIP") and after.get("clusterIP") != before["clusterIP"]:
            why = "may not change once set"
            yield problem.invalid("spec.clusterIPs[0]", after.get("clusterIPs"), why)


def _ports_problems(ports: list[Tree]) -> Iterator[Cause]:
    seen, numbers = set[str](), set[tuple[object, object]]()
    for index, port in enumerate(ports):
        where, name, number = f"spec.ports[{index}]", text(port, "name"), port.get("port", 0)
        if len(ports) > 1 and not name:
            yield problem.required(f"{where}.name")
        elif name:
            wrong = names.label(name)
            yield from (problem.invalid(f"{where}.name", name, why) for why in wrong)
            if name in seen:
                yield problem.duplicate(f"{where}.name", name)
            seen.add(name)
        for field in ("port", "targetPort"):
            found = port.get(field)
            if isinstance(found, int) and not 0 < found <= pods.MOST_PORT:
                yield problem.invalid(f"{where}.{field}", found, pods.port_range())
        if (port.get("protocol"), number) in numbers:
            yield problem.duplicate(where, {"port": number, "protocol": port.get("protocol")})
        numbers.add((port.get("protocol"), number))


def _keep_node_ports(after: Tree, before: Tree) -> None:
    known = {(p.get("protocol"), p.get("port")): p.get("nodePort")
             for p in mappings(before, "ports")}  # fmt: skip
    for port in mappings(after, "ports"):
        kept = known.get((port.get("protocol"), port.get("port")))
        if kept and not port.get("nodePort"):
            port["nodePort"] = kept


def _drop_of_other_type(after: Tree, before: Tree) -> None:
    """Drop what only the old type needed, where it was left alone (dropTypeDependentFields)."""
    if before["type"] in _WITH_IP and after["type"] not in _WITH_IP:
        for field in ("clusterIP", "clusterIPs", *_FAMILIES):
            if equal(after.get(field), before.get(field)):
                after.pop(field, None)
    if before["type"] in _WITH_NODE_PORTS and after["type"] not in _WITH_NODE_PORTS:
        numbers = {port.get("nodePort") for port in mappings(before, "ports")}
        for port in mappings(after, "ports"):
            if port.get("nodePort") in numbers:
                port.pop("nodePort", None)
    if before["type"] == "LoadBalancer" != after["type"]:
        after.pop("allocateLoadBalancerNodePorts", None)
    same_policy = after.get("externalTrafficPolicy") == before.get("externalTrafficPolicy")
    if _is_external(before) and not _is_external(after) and same_policy:
        after.pop("externalTrafficPolicy", None)


def _is_external(spec: Tree) -> bool:
    """ExternallyAccessible."""
    has_ips = bool(spec.get("externalIPs"))
    return spec["type"] in _WITH_NODE_PORTS or (spec["type"] == "ClusterIP" and has_ips)


class IngressRule(Rule):
    """Ingresses route nothing here."""

    has_generation = True
    creates_on_update = True


class PolicyRule(Rule):
    """NetworkPolicies."""

    has_generation = True

    def default(self, tree: Tree) -> None:
        """networking/v1/defaults.go."""
        spec = tree.setdefault("spec", {})
        for direction in ("ingress", "egress"):
            for rule in mappings(spec, direction):
                for port in mappings(rule, "ports"):
                    port.setdefault("protocol", "TCP")
        if not spec.get("policyTypes"):
            egress = ["Egress"] if spec.get("egress") else []
            spec["policyTypes"] = ["Ingress", *egress]


class BudgetRule(Rule):
    """PodDisruptionBudgets."""

    has_generation = True
    updates_unconditionally = False


class AutoscalerRule(Rule):
    """HorizontalPodAutoscalers."""

    def default(self, tree: Tree) -> None:
        """autoscaling/v2/defaults.go."""
        spec = tree.setdefault("spec", {})
        spec.setdefault("minReplicas", 1)
        if not spec.get("metrics"):
            target = {"type": "Utilization", "averageUtilization": 80}
            spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]

    def problems(self, tree: Tree) -> Iterator[Cause]:
        """Check the range of replicas."""
        spec = child(tree, "spec")
        if spec.get("maxReplicas", 0) < 1:
            yield problem.invalid("spec.maxReplicas", spec.get("maxReplicas", 0),
                                  "must be greater than 0")  # fmt: skip
