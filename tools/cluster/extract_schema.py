"""k8s.io/kubernetes' published OpenAPI v3, discovery and Go types → the embedded cluster's schema.

    python tools/cluster/extract_schema.py src/flux_secret/embedded/schema/kinds.json

Reads the modules that `tools/cluster/kubernetes/go.mod` pins, from the local Go module cache. The
OpenAPI says how fields are merged; only the Go types say which empty fields the API server keeps
(`omitempty`, pointers). The output's notation is described in `flux_secret/embedded/schema`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MODULE = Path(__file__).parent / "kubernetes"
SERVED = {
    "v1": "namespaces secrets configmaps services serviceaccounts persistentvolumeclaims "
    "persistentvolumes pods endpoints events replicationcontrollers limitranges resourcequotas "
    "nodes",
    "apps/v1": "deployments replicasets statefulsets daemonsets",
    "batch/v1": "jobs cronjobs",
    "rbac.authorization.k8s.io/v1": "roles rolebindings clusterroles clusterrolebindings",
    "networking.k8s.io/v1": "ingresses networkpolicies",
    "policy/v1": "poddisruptionbudgets",
    "autoscaling/v2": "horizontalpodautoscalers",
    "authorization.k8s.io/v1": "selfsubjectaccessreviews",
    "coordination.k8s.io/v1": "leases",
    "apiextensions.k8s.io/v1": "customresourcedefinitions",
}
BESIDE = {"autoscaling/v1": "io.k8s.api.autoscaling.v1.Scale"}
"""What is served as a part of other kinds only."""
SCALARS = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "t",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "T",
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "q",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "i",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "x",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "j",
}
PRIMITIVES = {"integer": "n", "number": "f", "boolean": "b", "string": "s"}
FORMATS = {"byte": "y", "date-time": "t", "int-or-string": "i"}
FIELD = re.compile(r"^\t(?:\w+\s+)?(?P<type>\S+)\s+`(?P<tag>[^`]*)`", re.MULTILINE)
JSON_TAG = re.compile(r'json:"([^"]*)"')
PROTOBUF_TAG = re.compile(r'protobuf:"\w+,(\d+)')
STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class GoField:
    """What a Go struct says of one JSON field."""

    flags: str
    """`p` a pointer, `o` omitempty, `z` omitzero."""
    numbers: tuple[int, ...]
    """Its number in protobuf, after those of the embedded structs that it stands in."""


@dataclass
class GoTypes:
    """The structs of the Go packages that OpenAPI names, read when they are first asked for."""

    modules: dict[str, Path]
    packages: dict[str, dict[str, str]] = field(default_factory=dict)

    def fields(self, model: str) -> dict[str, GoField]:
        """Give the JSON fields of an OpenAPI model's struct, embedded ones included."""
        package, _, struct = model.rpartition(".")
        return dict(self._fields(self._directory(package), struct))

    def _fields(
        self, directory: Path, struct: str, outer: tuple[int, ...] = ()
    ) -> Iterator[tuple[str, GoField]]:
        body = self._structs(directory).get(struct, "")
        for match in FIELD.finditer(body):
            tag = JSON_TAG.search(match["tag"])
            if tag is None:
                continue
            number = PROTOBUF_TAG.search(match["tag"])
            numbers = (*outer, int(number[1])) if number else outer
            go_type, (name, *options) = match["type"], tag[1].split(",")
            if "inline" in options:
                yield from self._fields(directory, go_type.lstrip("*"), numbers)
            elif name not in {"", "-"}:
                flags = "p" * go_type.startswith("*")
                flags += "o" * ("omitempty" in options) + "z" * ("omitzero" in options)
                yield name, GoField(flags, numbers)

    def _structs(self, directory: Path) -> dict[str, str]:
        if str(directory) not in self.packages:
            texts = (file.read_text() for file in sorted(directory.glob("types*.go")))
            found = {match[1]: match[2] for text in texts for match in STRUCT.finditer(text)}
            self.packages[str(directory)] = found
        return self.packages[str(directory)]

    def _directory(self, package: str) -> Path:
        parts = package.removeprefix("io.k8s.").split(".")
        return self.modules[f"k8s.io/{parts[0]}"].joinpath(*parts[1:])


@dataclass
class Extract:
    """Collects the types that the served kinds need."""

    models: dict[str, Any]
    go: GoTypes
    types: dict[str, Any] = field(default_factory=dict)

    def reference(self, schema: dict[str, Any]) -> Any:  # noqa: ANN401 - a notation, not a type
        """Give the notation of a field's or an item's type."""
        wrapped = schema.get("allOf", [schema])
        name = wrapped[0].get("$ref", "").rpartition("/")[2]
        if not name:
            return self.inline(schema)
        if name in SCALARS:
            return SCALARS[name]
        model = self.models[name]
        if model.get("type") != "object" or "properties" not in model:
            return self.inline(model)
        self.struct(name)
        override = "!" if schema.get("x-kubernetes-map-type") == "atomic" else ""
        return f"#{override}{short(name)}"

    def inline(self, schema: dict[str, Any]) -> Any:  # noqa: ANN401 - the same
        """Give the notation of a type that has no name."""
        match schema.get("type"):
            case "array":
                return self.list(schema)
            case "object" if isinstance(schema.get("additionalProperties"), dict):
                found: dict[str, Any] = {"m": self.reference(schema["additionalProperties"])}
                return found | ({"a": 1} if schema.get("x-kubernetes-map-type") == "atomic" else {})
            case "object" | None:
                return "j"
            case primitive:
                return FORMATS.get(schema.get("format", ""), PRIMITIVES[primitive])

    def list(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Give the notation of a list: kube-openapi schemaconv getListElementRelationship."""
        found: dict[str, Any] = {"l": self.reference(schema["items"])}
        kind, merge = schema.get("x-kubernetes-list-type"), self.merge(schema)
        if kind in {"set", "map"} or (kind is None and merge is not None):
            keys = schema.get("x-kubernetes-list-map-keys", [merge] if merge else [])
            found["k"] = keys
        return found if merge is None else found | {"p": merge}

    @staticmethod
    def merge(schema: dict[str, Any]) -> str | None:
        """Give the key that a strategic merge patch finds items by; `""` for sets."""
        if "merge" in schema.get("x-kubernetes-patch-strategy", "").split(","):
            return str(schema.get("x-kubernetes-patch-merge-key", ""))
        return None

    def struct(self, name: str) -> None:
        """Add a struct and everything in it."""
        if short(name) in self.types:
            return
        model, go = self.models[name], self.go.fields(name)
        fields: dict[str, Any] = {}
        self.types[short(name)] = found = {"f": fields}
        if model.get("x-kubernetes-map-type") == "atomic":
            found["a"] = 1  # type: ignore[assignment]  # the notation mixes
        for key, schema in sorted(model["properties"].items()):
            known = go.get(key, GoField("o", ()))
            flags = known.flags
            if "retainKeys" in schema.get("x-kubernetes-patch-strategy", ""):
                flags += "r"
            entry: list[Any] = [self.reference(schema), flags, list(known.numbers)]
            default = schema.get("default")
            fields[key] = entry if default in (None, "", 0, False, {}) else [*entry, default]


def short(name: str) -> str:
    """`io.k8s.api.core.v1.PodSpec` → `core.v1.PodSpec`."""
    words = name.split(".")
    return ".".join(words[-3:])


def modules() -> dict[str, Path]:
    """Find the pinned modules in the module cache."""
    wanted = [f"k8s.io/{name}" for name in ("kubernetes", "api", "apimachinery")]
    wanted.append("k8s.io/apiextensions-apiserver")
    command = ["go", "list", "-m", "-f", "{{.Path}} {{.Version}} {{.Dir}}", *wanted]
    listed = subprocess.run(command, cwd=MODULE, check=True, capture_output=True, text=True).stdout
    found = [line.split() for line in listed.splitlines()]
    print(*(f"{name} {version}" for name, version, _ in found), sep="\n")
    return {name: Path(directory) for name, _, directory in found} | {
        "version": Path(found[0][1]),
    }


def resources(root: Path, group_version: str) -> dict[str, Any]:
    """Read the legacy discovery document of a group and version."""
    prefix = "api" if "/" not in group_version else "apis"
    file = root / "api/discovery" / f"{prefix}__{group_version.replace('/', '__')}.json"
    return {entry["name"]: entry for entry in json.loads(file.read_text())["resources"]}


def main(output: Path) -> None:
    """Write the schema of every kind in `SERVED`."""
    found = modules()
    root = found["k8s.io/kubernetes"]
    go = GoTypes(found)
    models: dict[str, Any] = {}
    for group_version in (*SERVED, *BESIDE):
        prefix = "api" if "/" not in group_version else "apis"
        file = f"{prefix}__{group_version.replace('/', '__')}_openapi.json"
        tree = json.loads((root / "api/openapi-spec/v3" / file).read_text())
        models |= tree["components"]["schemas"]
    extract, kinds = Extract(models, go), []
    for group_version, plurals in SERVED.items():
        group, _, version = group_version.rpartition("/")
        listed = resources(root, group_version)
        for plural in plurals.split():
            entry = listed[plural]
            wanted = {"group": group, "version": version, "kind": entry["kind"]}
            name = next(
                name for name, model in models.items()
                if wanted in model.get("x-kubernetes-group-version-kind", [])
            )  # fmt: skip
            extract.struct(name)
            kinds.append(
                wanted | {
                    "plural": plural,
                    "singular": entry["singularName"],
                    "namespaced": entry["namespaced"],
                    "short": entry.get("shortNames", []),
                    "categories": entry.get("categories", []),
                    "verbs": entry["verbs"],
                    "subresources": sorted(
                        name.partition("/")[2] for name in listed
                        if name in {f"{plural}/status", f"{plural}/scale"}
                    ),
                    "type": short(name),
                }
            )  # fmt: skip
    for name in BESIDE.values():
        extract.struct(name)
    tree = {"version": str(found["version"]), "kinds": kinds, "types": extract.types}
    output.write_text(written(tree))
    print(f"{output}: {len(kinds)} kinds, {len(extract.types)} types, {output.stat().st_size} B")


def written(tree: dict[str, Any]) -> str:
    """One line a kind and a type: compact, and a change shows where it is."""

    def lines(pairs: list[str]) -> str:
        return ",\n".join(pairs)

    def compact(value: Any) -> str:  # noqa: ANN401 - JSON
        return json.dumps(value, separators=(",", ":"), sort_keys=True)

    kinds = lines([compact(kind) for kind in tree["kinds"]])
    types = lines(
        [f"{compact(name)}:{compact(tree['types'][name])}" for name in sorted(tree["types"])]
    )
    return (
        f'{{"version":{compact(tree["version"])},\n"kinds":[\n{kinds}],\n"types":{{\n{types}}}}}\n'
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
