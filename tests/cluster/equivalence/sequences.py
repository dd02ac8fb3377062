"""A seed → a sequence of writes to one object, of one of five kinds."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Tree = dict[str, Any]
APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
JSON: Final = "application/json-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
GROUP: Final = "equivalence.flux-secret.io"
NOWHERE: Final = "nowhere.flux-secret.io"
"""Not served, so that no garbage collector looks for owners of it."""
MANAGERS: Final = ("alpha", "beta", "gamma", "kubectl")


@dataclass(frozen=True)
class Target:
    """Where the object of a kind lives."""

    api_version: str
    kind: str
    plural: str

    @property
    def root(self) -> str:
        return f"/api{'s' if '/' in self.api_version else ''}/{self.api_version}"

    def collection(self, namespace: str) -> str:
        return f"{self.root}/namespaces/{namespace}/{self.plural}"


@dataclass(frozen=True)
class Step:
    """One write."""

    method: str
    body: Any = None
    """For PUT, what is merged into the live object."""
    content_type: str = "application/json"
    query: dict[str, str] = field(default_factory=dict)
    stale: bool = False
    """Whether a PUT sends a resourceVersion that is too old."""


@dataclass(frozen=True)
class Play:
    """What happens to one object."""

    seed: int
    target: Target
    name: str
    steps: Sequence[Step]


class Dice(random.Random):
    """Choices that bodies are made of."""

    def subset(self, options: Sequence[Any]) -> list[Any]:
        chosen = self.sample(options, self.randint(0, len(options)))
        return sorted(chosen, key=options.index) if self.chance(0.6) else chosen

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def maybe(
        self, tree: Tree, key: str, make: Callable[[], Any], probability: float = 0.5
    ) -> None:
        if self.chance(probability):
            tree[key] = None if self.chance(0.08) else make()

    def texts(self, keys: str = "abcd") -> Tree:
        return {
            key: None if self.chance(0.06) else self.choice(["one", "two", ""])
            for key in self.subset(keys)
        }


def _metadata(dice: Dice) -> Tree:
    tree: Tree = {}
    dice.maybe(tree, "labels", lambda: dice.texts("xyz"), 0.4)
    dice.maybe(tree, "annotations", lambda: dice.texts("mn"), 0.3)
    if dice.chance(0.1):
        owners = [
            {"apiVersion": f"{NOWHERE}/v1", "kind": "Owner", "name": f"o{n}", "uid": f"u{n}"}
            for n in dice.subset([1, 2])
        ]
        tree["ownerReferences"] = owners
    return tree


def config_map(dice: Dice) -> Tree:
    tree: Tree = {}
    dice.maybe(tree, "data", dice.texts, 0.9)
    dice.maybe(tree, "binaryData", lambda: {k: _encoded(k) for k in dice.subset("ef")}, 0.3)
    if dice.chance(0.03):
        tree["data"] = {"not/a/key": "x"}
    if dice.chance(0.03):
        tree["unknown"] = {"field": 1}
    if dice.chance(0.03):
        tree["data"] = {"a": 1}
    return tree


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(dice: Dice) -> Tree:
    tree: Tree = {}
    values = ["one", "two", ""]
    dice.maybe(
        tree, "data", lambda: {k: _encoded(dice.choice(values)) for k in dice.subset("abc")}, 0.7
    )
    dice.maybe(tree, "stringData", lambda: dice.texts("cde"), 0.5)
    dice.maybe(tree, "type", lambda: dice.choice(["Opaque", "Opaque", "example.com/t"]), 0.4)
    if dice.chance(0.06):
        tree["data"] = {"a": dice.choice(["not base64!", "b25l\nb25l", "b25l\n", "YQ", None])}
    return tree


def service(dice: Dice) -> Tree:
    spec: Tree = {}

    def port(option: tuple[str, int, str | None]) -> Tree:
        name, number, protocol = option
        tree: Tree = {"name": name, "port": number}
        if protocol:
            tree["protocol"] = protocol
        dice.maybe(tree, "targetPort", lambda: dice.choice([number + 1, "http", number]), 0.4)
        dice.maybe(tree, "appProtocol", lambda: "http", 0.1)
        return tree

    options = [("a", 80, None), ("a", 80, "TCP"), ("b", 80, "UDP"), ("c", 443, "TCP"),
               ("d", 8080, None)]  # fmt: skip
    dice.maybe(spec, "ports", lambda: [port(one) for one in dice.subset(options)], 0.9)
    dice.maybe(spec, "selector", lambda: dice.texts("xyz"), 0.5)
    dice.maybe(spec, "sessionAffinity", lambda: dice.choice(["None", "ClientIP"]), 0.2)
    dice.maybe(spec, "externalIPs", lambda: dice.subset(["1.2.3.4", "1.2.3.5"]), 0.2)
    dice.maybe(spec, "publishNotReadyAddresses", lambda: dice.chance(0.5), 0.2)
    dice.maybe(spec, "internalTrafficPolicy", lambda: dice.choice(["Cluster", "Local"]), 0.1)
    if dice.chance(0.15):
        spec["type"] = dice.choice(["ClusterIP", "NodePort"])
    if spec.get("type") == "NodePort":  # of two ports that are the same, both get one node port
        spec["ports"] = [port(one) for one in dice.subset(options[1:])]
    return {"spec": spec}


def deployment(dice: Dice) -> Tree:
    def container(name: str) -> Tree:
        tree: Tree = {"name": name}
        tree["image"] = dice.choice(["nginx", "nginx:1", "nginx:latest"])
        dice.maybe(tree, "env", lambda: [environment(one) for one in dice.subset("ABC")], 0.5)
        ports = [{"containerPort": n} for n in dice.subset([80, 81])]
        dice.maybe(tree, "ports", lambda: ports, 0.4)
        dice.maybe(tree, "args", lambda: dice.subset(["x", "y"]), 0.3)
        dice.maybe(tree, "resources", resources, 0.3)
        if dice.chance(0.2):
            tree["readinessProbe"] = {"httpGet": {"port": dice.choice([80, "http"])}}
        if dice.chance(0.2):
            tree["volumeMounts"] = [{"name": "v", "mountPath": "/v"}]
        return tree

    def environment(name: str) -> Tree:
        if dice.chance(0.2):
            return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
        return {"name": name, "value": dice.choice(["1", "2", ""])}

    def resources() -> Tree:
        amounts = {"cpu": dice.choice(["100m", "0.1", "1", "1000m"]), "memory": "64Mi"}
        return {"requests": {k: amounts[k] for k in dice.subset(["cpu", "memory"])}}

    pod: Tree = {"containers": [container(n) for n in dice.subset(["c1", "c2", "c3"])]}
    dice.maybe(pod, "nodeSelector", lambda: dice.texts("xy"), 0.2)
    if dice.chance(0.6):
        source: Tree = dice.choice([{}, {"emptyDir": {}}, {"secret": {"secretName": "s"}}])
        pod["volumes"] = [{"name": "v", **source}]
    dice.maybe(pod, "tolerations", lambda: [{"key": k} for k in dice.subset(["t", "u"])], 0.2)
    dice.maybe(pod, "terminationGracePeriodSeconds", lambda: dice.choice([0, 5]), 0.2)
    labels = {"app": "x", **({"more": "y"} if dice.chance(0.3) else {})}
    spec: Tree = {
        "selector": {"matchLabels": {"app": "x"}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
        "paused": True,
    }
    dice.maybe(spec, "replicas", lambda: dice.choice([0, 1, 2]), 0.5)
    dice.maybe(spec, "minReadySeconds", lambda: dice.choice([0, 3]), 0.2)
    if dice.chance(0.15):
        spec["strategy"] = dice.choice([{"type": "Recreate"}, {"rollingUpdate": {"maxSurge": 1}}])
    if dice.chance(0.1):
        spec.pop(dice.choice(["selector", "template"]))
    return {"spec": spec}


def custom(dice: Dice) -> Tree:
    def keyed(name: str) -> Tree:
        tree: Tree = {"name": name}
        dice.maybe(tree, "zone", lambda: dice.choice(["a", "b"]), 0.3)
        dice.maybe(tree, "value", lambda: dice.choice([1, 2]), 0.6)
        dice.maybe(tree, "inner", lambda: dice.subset(["p", "q"]), 0.3)
        return tree

    def nested() -> Tree:
        tree: Tree = {}
        dice.maybe(tree, "left", lambda: dice.choice([1, 2]), 0.6)
        dice.maybe(tree, "right", lambda: dice.texts("ab"), 0.6)
        return tree

    def free() -> Tree:
        return {k: dice.choice([1, "x", {"deep": {"er": dice.choice([1, 2])}}, [1, 2], {}, None])
                for k in dice.subset("fgh")}  # fmt: skip

    spec: Tree = {}
    dice.maybe(spec, "keyed", lambda: [keyed(n) for n in dice.subset(["k1", "k2", "k3"])], 0.7)
    dice.maybe(spec, "set", lambda: dice.subset(["s1", "s2", "s3", "s4"]), 0.6)
    dice.maybe(spec, "atomicList", lambda: dice.subset(["l1", "l2"]), 0.4)
    dice.maybe(spec, "plainList", lambda: [{"a": n} for n in dice.subset([1, 2])], 0.3)
    dice.maybe(spec, "atomicMap", lambda: dice.texts("ab"), 0.4)
    dice.maybe(spec, "map", lambda: dice.texts("abc"), 0.5)
    dice.maybe(spec, "nested", nested, 0.5)
    dice.maybe(spec, "either", lambda: dice.choice([1, "1", "50%"]), 0.3)
    dice.maybe(spec, "free", free, 0.4)
    dice.maybe(spec, "nullable", lambda: "x", 0.4)
    dice.maybe(spec, "defaulted", lambda: dice.choice(["d", "e"]), 0.3)
    dice.maybe(spec, "count", lambda: dice.choice([0, 1, 5, 11]), 0.3)

    tree: Tree = {"spec": spec}
    if dice.chance(0.1):
        tree["status"] = {"ready": True}
    if dice.chance(0.04):
        spec["unknown"] = 1
    if dice.chance(0.04):
        spec["set"] = ["s1", "s1"]
    if dice.chance(0.04):
        spec["keyed"] = [{"name": "k1"}, {"name": "k1"}]
    if dice.chance(0.04):
        spec["count"] = "many"
    return tree


_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "object", "additionalProperties": _TEXT}
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "keyed": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name", "zone"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": _TEXT,
                            "zone": {"type": "string", "default": "a"},
                            "value": {"type": "integer"},
                            "inner": {
                                "type": "array",
                                "x-kubernetes-list-type": "set",
                                "items": _TEXT,
                            },
                        },
                    },
                },
                "set": {"type": "array", "x-kubernetes-list-type": "set", "items": _TEXT},
                "atomicList": {"type": "array", "x-kubernetes-list-type": "atomic", "items": _TEXT},
                "plainList": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"a": {"type": "integer"}}},
                },
                "atomicMap": {**_TEXTS, "x-kubernetes-map-type": "atomic"},
                "map": _TEXTS,
                "nested": {
                    "type": "object",
                    "properties": {"left": {"type": "integer"}, "right": _TEXTS},
                },
                "either": {
                    "anyOf": [{"type": "integer"}, {"type": "string"}],
                    "x-kubernetes-int-or-string": True,
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "nullable": {"type": "string", "nullable": True},
                "defaulted": {"type": "string", "default": "d"},
                "count": {"type": "integer", "minimum": 0, "maximum": 10},
            },
        },
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}
DEFINITION: Final = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"things.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": _SCHEMA},
            }
        ],
    },
}
KINDS: Final[tuple[tuple[Target, Callable[[Dice], Tree]], ...]] = (
    (Target("v1", "ConfigMap", "configmaps"), config_map),
    (Target("v1", "Secret", "secrets"), secret),
    (Target("v1", "Service", "services"), service),
    (Target("apps/v1", "Deployment", "deployments"), deployment),
    (Target(f"{GROUP}/v1", "Thing", "things"), custom),
)


def sequence(seed: int, length: int) -> Play:
    """Make the sequence of a seed."""
    dice = Dice(seed)
    target, make = KINDS[seed % len(KINDS)]
    name = f"eq-{seed}"

    def body() -> Tree:
        tree: Tree = {"apiVersion": target.api_version, "kind": target.kind}
        tree["metadata"] = {"name": name, **_metadata(dice)}
        return tree | make(dice)

    steps = [_step(dice, target, body) for _ in range(length)]
    return Play(seed, target, name, steps)


def _step(dice: Dice, target: Target, body: Callable[[], Tree]) -> Step:
    query = {"fieldManager": dice.choice(MANAGERS[:3] if dice.chance(0.9) else MANAGERS)}
    if dice.chance(0.1):
        query["dryRun"] = "All"
    if dice.chance(0.2):
        query["fieldValidation"] = "Strict"
    roll = dice.random()
    if roll < 0.55:
        if dice.chance(0.4):
            query["force"] = "true"
        return Step("PATCH", body(), APPLY, query)
    if roll < 0.79:
        return _patch(dice, target, body, query)
    if roll < 0.90:
        return Step("PUT", body(), query=query, stale=dice.chance(0.15))
    if roll < 0.95:
        return Step("POST", body(), query=query)
    return Step("DELETE", query={k: v for k, v in query.items() if k == "dryRun"})


def _patch(dice: Dice, target: Target, body: Callable[[], Tree], query: dict[str, str]) -> Step:
    patch = {k: v for k, v in body().items() if k not in {"apiVersion", "kind"}}
    types = [MERGE, MERGE, JSON] + ([] if "." in target.api_version else [STRATEGIC])
    content_type = dice.choice(types)
    return Step("PATCH", _operations(dice) if content_type == JSON else patch, content_type, query)


def _operations(dice: Dice) -> list[Tree]:
    value = dice.choice(["one", "two"])
    return dice.choice(
        [
            [{"op": "add", "path": "/metadata/labels", "value": {"x": value}}],
            [{"op": "replace", "path": "/metadata/labels/x", "value": value}],
            [{"op": "remove", "path": "/metadata/labels/x"}],
            [{"op": "test", "path": "/metadata/labels/x", "value": value},
             {"op": "add", "path": "/metadata/labels/y", "value": "t"}],
            [{"op": "add", "path": "/metadata/annotations", "value": {"m": value}}],
        ]
    )  # fmt: skip
