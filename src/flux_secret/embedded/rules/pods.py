"""Pod templates: defaults (core/v1/defaults.go) and what is refused (core/validation)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flux_secret.embedded.rules import names, problem
from flux_secret.embedded.status import Cause
from flux_secret.embedded.tree import Tree, child, mappings, text

FILE_MODE: Final = 0o644
TOKEN_SECONDS: Final = 3600
_CONTAINERS: Final = ("initContainers", "containers", "ephemeralContainers")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_MODE_SOURCES: Final = ("secret", "configMap", "downwardAPI", "projected")
_PULL: Final = ("Always", "IfNotPresent", "Never")
_RESTART: Final = ("Always", "OnFailure", "Never")
_DNS: Final = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
MOST_PORT: Final = 65535


def default_template(template: Tree) -> None:
    """Fill in what a pod template left out."""
    default_spec(template.setdefault("spec", {}))


def default_spec(spec: Tree) -> None:
    """Fill in what a pod's spec left out."""
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    if spec.get("serviceAccountName"):  # Convert_core_PodSpec_To_v1_PodSpec writes both
        spec["serviceAccount"] = spec["serviceAccountName"]
    elif spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for volume in mappings(spec, "volumes"):
        _default_volume(volume)
    for field in _CONTAINERS:
        for container in mappings(spec, field):
            _default_container(container, host_network=spec.get("hostNetwork") is True)


def _default_volume(volume: Tree) -> None:
    if not volume.keys() - {"name"}:
        volume["emptyDir"] = {}
    for source in _MODE_SOURCES:
        if source in volume:
            volume[source].setdefault("defaultMode", FILE_MODE)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    for projected in mappings(volume, "projected", "sources"):
        if "serviceAccountToken" in projected:
            projected["serviceAccountToken"].setdefault("expirationSeconds", TOKEN_SECONDS)
    for item in mappings(volume, "downwardAPI", "items"):
        _default_field_ref(item)


def _default_field_ref(holder: Tree) -> None:
    if "fieldRef" in holder:
        holder["fieldRef"].setdefault("apiVersion", "v1")


def _default_container(container: Tree, *, host_network: bool) -> None:
    tag = text(container, "image").rpartition("/")[2]
    is_latest = "@" not in tag and (":" not in tag or tag.endswith(":latest"))
    container.setdefault("imagePullPolicy", "Always" if is_latest else "IfNotPresent")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in mappings(container, "ports"):
        port.setdefault("protocol", "TCP")
        if host_network:
            port.setdefault("hostPort", port.get("containerPort"))
    for variable in mappings(container, "env"):
        _default_field_ref(child(variable, "valueFrom"))
    for name in _PROBES:
        if name in container:
            _default_probe(container[name])
    for hook in child(container, "lifecycle").values():
        _default_http_get(hook)


def _default_probe(probe: Tree) -> None:
    probe.setdefault("timeoutSeconds", 1)
    probe.setdefault("periodSeconds", 10)
    probe.setdefault("successThreshold", 1)
    probe.setdefault("failureThreshold", 3)
    _default_http_get(probe)
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _default_http_get(handler: Tree) -> None:
    if "httpGet" in handler:
        handler["httpGet"].setdefault("path", "/")
        handler["httpGet"].setdefault("scheme", "HTTP")


def spec_problems(spec: Tree, field: str) -> Iterator[Cause]:
    """Say what is wrong with a pod's spec."""
    yield from _volumes_problems(spec, field)
    if not spec.get("containers"):
        yield problem.required(f"{field}.containers")
    seen, volumes = set[str](), _mountable(spec)
    for kind in _CONTAINERS:
        for index, container in enumerate(mappings(spec, kind)):
            where = f"{field}.{kind}[{index}]"
            yield from _name_problems(container, f"{where}.name", seen)
            yield from _container_problems(container, where)
            yield from _mounts_problems(container, where, volumes)
    for name, known in (("restartPolicy", _RESTART), ("dnsPolicy", _DNS)):
        if text(spec, name) not in known:
            yield problem.unsupported(f"{field}.{name}", spec.get(name), known)


def _mountable(spec: Tree) -> set[str]:
    """Give the volumes that can be mounted: one with two sources cannot."""
    two = 2
    return {text(one, "name") for one in mappings(spec, "volumes") if len(one) == two}


def _volumes_problems(spec: Tree, field: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, volume in enumerate(mappings(spec, "volumes")):
        yield from _name_problems(volume, f"{field}.volumes[{index}].name", seen)
        for source in sorted(volume.keys() - {"name"})[1:]:
            where = f"{field}.volumes[{index}].{source}"
            yield problem.forbidden(where, "may not specify more than 1 volume type")


def _name_problems(named: Tree, where: str, seen: set[str]) -> Iterator[Cause]:
    name = text(named, "name")
    if not name:
        yield problem.required(where)
        return
    yield from (problem.invalid(where, name, why) for why in names.label(name))
    if name in seen:
        yield problem.duplicate(where, name)
    seen.add(name)


def _container_problems(container: Tree, where: str) -> Iterator[Cause]:
    if not text(container, "image"):
        yield problem.required(f"{where}.image")
    if text(container, "imagePullPolicy") not in _PULL:
        field = f"{where}.imagePullPolicy"
        yield problem.unsupported(field, container.get("imagePullPolicy"), _PULL)
    for index, port in enumerate(mappings(container, "ports")):
        yield from _port_problems(port, f"{where}.ports[{index}]")
    for index, variable in enumerate(mappings(container, "env")):
        field = f"{where}.env[{index}]"
        if not text(variable, "name"):
            yield problem.required(f"{field}.name")
        if text(variable, "value") and "valueFrom" in variable:
            why = "may not be specified when `value` is not empty"
            yield problem.invalid(f"{field}.valueFrom", "", why)


def _mounts_problems(container: Tree, where: str, volumes: set[str]) -> Iterator[Cause]:
    paths: set[str] = set()
    for index, mount in enumerate(mappings(container, "volumeMounts")):
        field, path = f"{where}.volumeMounts[{index}]", text(mount, "mountPath")
        if not text(mount, "name"):
            yield problem.required(f"{field}.name")
        elif text(mount, "name") not in volumes:
            yield Cause("FieldValueNotFound", f'Not found: "{mount["name"]}"', f"{field}.name")
        if not path:
            yield problem.required(f"{field}.mountPath")
        elif path in paths:
            yield problem.invalid(f"{field}.mountPath", path, "must be unique")
        paths.add(path)


def _port_problems(port: Tree, where: str) -> Iterator[Cause]:
    number = port.get("containerPort", 0)
    if not number:
        yield problem.required(f"{where}.containerPort")
    elif not 0 < number <= MOST_PORT:
        yield problem.invalid(f"{where}.containerPort", number, port_range())
    if text(port, "protocol") not in _PROTOCOLS:
        yield problem.unsupported(f"{where}.protocol", port.get("protocol"), _PROTOCOLS)


def port_range() -> str:
    """Say which numbers are ports."""
    return f"must be between 1 and {MOST_PORT}, inclusive"
