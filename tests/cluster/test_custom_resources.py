"""Stores and Apps on a real API server: the same suite."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest
import yaml

from behaviour.test_custom_resources import *  # noqa: F403 -- the same suite, another cluster
from behaviour.test_custom_resources import agents_own, put, put_app, put_store, ready, running
from simulators.agents import until
from simulators.world import World


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


def test_a_namespace_that_is_going_fails_its_app_alone_and_is_delivered_to_once_it_is_back(
    cluster: World,
) -> None:
    going = f"{cluster.namespace}-going"
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"},
                "data": {"a": "b"}}  # fmt: skip
    cluster.ops.commit({"plain/c.yaml": yaml.safe_dump(manifest)}, "plain")
    cluster.kubectl("create", "namespace", going)
    held = {**manifest, "metadata": {"name": "held", "namespace": going,
                                     "finalizers": ["example.org/hold"]}}  # fmt: skip
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(held))
    spec = {
        "source": {"url": cluster.ops.url, "branch": cluster.ops.branch}, "path": "plain",
        "targetNamespace": going, "namespaces": [going], "interval": "2s", "retryInterval": "1s",
    }  # fmt: skip
    with running(cluster):
        cluster.kubectl("delete", "namespace", going, "--wait=false")
        put(cluster, "App", "late", agents_own(cluster), spec)
        put_store(cluster)
        put_app(cluster)
        until(lambda: ready(cluster) == "True")  # another App is none the worse

        def late() -> dict[str, str]:
            found = cluster.get("apps.flux-secret.io", "late", agents_own(cluster)) or {}
            conditions = found.get("status", {}).get("conditions", [{}])
            return {one["type"]: one["status"] for one in conditions if "type" in one}

        until(lambda: late().get("Ready") == "False")
        patch = '{"metadata": {"finalizers": null}}'
        cluster.kubectl("patch", "configmap", "held", "-n", going, "--type=merge", "-p", patch)
        until(lambda: cluster.get("namespace", going, "") is None)
        cluster.kubectl("create", "namespace", going)
        until(lambda: late().get("Ready") == "True")
        assert cluster.get("configmap", "c", going) is not None
    cluster.kubectl("delete", "namespace", going, "--wait=false")
