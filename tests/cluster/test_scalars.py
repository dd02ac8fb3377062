"""YAML scalars: what the real API server stores after `kubectl apply`, and after our delivery.

Design decision 6: a scalar means what `kubectl apply` makes of it, except that mapping keys are
always strings, and that values which must be strings keep their source text where kubectl refuses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import pytest

from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import World

SCALARS: Final = (
    "0400", "0o400", "0x1F", "0b101", "08", "-0400", "1_000", "1e3", "1E3", "1.5e-3", "1.0", "1.",
    ".5", "+12", "-12", "00", "0", "9223372036854775807", "9223372036854775808",
    "18446744073709551616", "yes", "Yes", "no", "on", "off", "y", "n", "true", "FALSE", "tRuE",
    "~", "null", "Null", "", "2001-01-01", "2001-01-01T00:00:00Z", "12:30:45", "1:30", "abc", "=",
    "<<x", "1.2.3", "1,000", "0xZZ", "1e", "e1", "''", '""', "'0400'", '"yes"', '"\\u00e9\\n"',
    "!!str 0400", "!!str yes", "!!int '12'", "|-\n      text\n      more", ">-\n      a\n      b",
    "[0400, yes, ~]", "{a: 0400, b: on}", "1e400", "-1e400", "0.1", "1e21", "123456789012345678901",
)  # fmt: skip
DEFINITION: Final = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: holders.scalars.example.org}
spec:
  group: scalars.example.org
  scope: Namespaced
  names: {kind: Holder, plural: holders, singular: holder}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""
HOLDER: Final = """
apiVersion: scalars.example.org/v1
kind: Holder
metadata: {name: NAME, namespace: NAMESPACE}
spec:
"""
DEPLOYMENT: Final = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: NAMESPACE}
spec:
  replicas: 0x2
  paused: yes
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec:
      containers:
        - name: a
          image: nginx
          args: ["0400", 'yes', "1e3"]
          ports: [{containerPort: 0120}]
          resources: {limits: {cpu: 1, memory: 1e9}}
      volumes: [{name: v, secret: {secretName: s, defaultMode: 0400}}]
"""
TEXTS: Final = """
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME, namespace: NAMESPACE, labels: {build: 0400}, annotations: {at: 2001-01-01}}
data: {mode: 0400, on: yes, number: 1_000, nothing: "", time: 12:30:45}
"""


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


@pytest.fixture
def place(world: World) -> Iterator[World]:
    """Give a world whose namespace is there."""
    assert world.kubectl("create", "namespace", world.namespace).code == 0
    yield world
    world.kubectl("delete", "namespace", world.namespace, "--wait=false")


def filled(text: str, world: World, name: str) -> str:
    return text.replace("NAMESPACE", world.namespace).replace("NAME", name)


def by_kubectl(world: World, text: str) -> None:
    done = world.kubectl("apply", "-f", "-", stdin=filled(text, world, "theirs"))
    assert done.code == 0, done.err


def by_us(world: World, text: str) -> None:
    world.ops.commit({"scalars/file.yaml": filled(text, world, "ours")})
    done = world.deliver(path="scalars")
    assert done.code == 0, done.out + done.err


def stored(world: World, kind: str, name: str) -> dict[str, Any]:
    done = world.kubectl("get", kind, name, "-n", world.namespace, "-o", "json")
    assert done.code == 0, done.err
    body: dict[str, Any] = json.loads(done.out)
    return body


def test_every_scalar_is_stored_as_kubectl_apply_stores_it(place: World) -> None:
    assert place.kubectl("apply", "-f", "-", stdin=DEFINITION).code == 0
    assert place.kubectl(
        "wait", "--for=condition=Established", "crd/holders.scalars.example.org", "--timeout=60s"
    ).code == 0  # fmt: skip
    text = HOLDER + "".join(f"  v{number}: {text}\n" for number, text in enumerate(SCALARS))
    by_kubectl(place, text)
    by_us(place, text)
    theirs = stored(place, "holders", "theirs")["spec"]
    ours = stored(place, "holders", "ours")["spec"]
    assert {text: ours.get(f"v{n}") for n, text in enumerate(SCALARS)} == {
        text: theirs.get(f"v{n}") for n, text in enumerate(SCALARS)
    }


def test_numbers_and_switches_of_a_deployment_are_stored_alike(place: World) -> None:
    by_kubectl(place, DEPLOYMENT)
    by_us(place, DEPLOYMENT)
    theirs, ours = (stored(place, "deployments", name)["spec"] for name in ("theirs", "ours"))
    assert ours == theirs
    assert (ours["replicas"], ours["paused"]) == (2, True)
    pod = ours["template"]["spec"]
    assert pod["containers"][0]["ports"][0]["containerPort"] == 80
    assert pod["volumes"][0]["secret"]["defaultMode"] == 256


def test_values_that_must_be_text_keep_their_source_where_kubectl_refuses(place: World) -> None:
    refused = place.kubectl("apply", "-f", "-", stdin=filled(TEXTS, place, "theirs"))
    assert refused.code != 0
    by_us(place, TEXTS)
    found = stored(place, "configmaps", "ours")
    assert found["data"] == {
        "mode": "0400", "on": "yes", "number": "1_000", "nothing": "", "time": "12:30:45",
    }  # fmt: skip
    assert found["metadata"]["labels"]["build"] == "0400"
    assert found["metadata"]["annotations"]["at"] == "2001-01-01"


def test_a_key_is_always_a_string_where_kubectl_makes_a_switch_of_it(place: World) -> None:
    text = HOLDER + "  y: 1\n  on: 2\n  0400: 3\n"
    assert place.kubectl("apply", "-f", "-", stdin=DEFINITION).code == 0
    assert place.kubectl(
        "wait", "--for=condition=Established", "crd/holders.scalars.example.org", "--timeout=60s"
    ).code == 0  # fmt: skip
    by_us(place, text)
    assert stored(place, "holders", "ours")["spec"] == {"y": 1, "on": 2, "0400": 3}
