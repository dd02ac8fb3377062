"""Which Secrets a pod template refers to: every way in which its pods can see a value."""

from __future__ import annotations

from typing import Any

import pytest

from flux_secret.apply.restart.references import Reference, references
from flux_secret.outside.kubernetes import Json


def template(**spec: object) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "demo"}}, "spec": spec}


def container(**more: object) -> dict[str, Any]:
    return {"name": "web", "image": "nginx", **more}


KEY_REF = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}}
FILES = [{"key": "k", "path": "a"}, {"key": "l", "path": "b"}]


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"containers": [container(envFrom=[{"secretRef": {"name": "s"}}])]}, {("s", "")}),
        ({"containers": [container(env=[KEY_REF, {"name": "B", "value": "b"}])]}, {("s", "k")}),
        ({"initContainers": [container(env=[KEY_REF])]}, {("s", "k")}),
        ({"ephemeralContainers": [container(env=[KEY_REF])]}, {("s", "k")}),
        ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, {("s", "")}),
        (
            {"volumes": [{"name": "v", "secret": {"secretName": "s", "items": FILES}}]},
            {("s", "k"), ("s", "l")},
        ),
        (
            {
                "volumes": [
                    {"projected": {"sources": [{"secret": {"name": "s"}},
                                               {"secret": {"name": "t", "items": FILES[:1]}},
                                               {"configMap": {"name": "c"}}]}}
                ]
            },
            {("s", ""), ("t", "k")},
        ),
    ],
)  # fmt: skip
def test_what_a_pod_sees_is_found(spec: dict[str, Any], found: set[tuple[str, str]]) -> None:
    assert references(template(**spec)) == {Reference(*one) for one in found}


@pytest.mark.parametrize(
    "spec",
    [
        {"imagePullSecrets": [{"name": "s"}]},
        {"volumes": [{"csi": {"driver": "d", "nodePublishSecretRef": {"name": "s"}}}]},
        {"containers": [container(envFrom=[{"configMapRef": {"name": "s"}}])]},
        {"volumes": [{"name": "v", "emptyDir": {}}], "containers": [container()]},
    ],
)
def test_what_only_the_node_reads_and_what_is_no_secret_is_none(spec: dict[str, Any]) -> None:
    assert references(template(**spec)) == frozenset()


@pytest.mark.parametrize(
    "untrusted",
    [
        None,
        "x",
        [],
        {"spec": []},
        {"spec": {"containers": "x"}},
        {"spec": {"volumes": [{"secret": {"secretName": 7}}]}},
    ],
)
def test_a_template_of_another_shape_refers_to_nothing(untrusted: Json) -> None:
    assert references(untrusted) == frozenset()
