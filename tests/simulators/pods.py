"""The walkthrough's pod and Secret, and when the cluster says that each was made."""

from __future__ import annotations

import json
from datetime import datetime

from simulators.world import World


def runs(world: World) -> float:
    """Do what a cluster does for the Deployment: make its pod; say when, as the cluster does."""
    deployment = world.get("deployment", "demo")
    assert deployment is not None
    pod = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "demo-1", "namespace": world.namespace,
            "labels": deployment["spec"]["selector"]["matchLabels"],
        },
        "spec": deployment["spec"]["template"]["spec"],
    }  # fmt: skip
    assert world.kubectl("create", "-f", "-", stdin=json.dumps(pod)).code == 0
    made = world.get("pod", "demo-1")
    assert made is not None
    return moment(made["metadata"]["creationTimestamp"])


def changed(world: World) -> float:
    secret = world.get("secret", "demo-secret")
    assert secret is not None
    return moment(secret["metadata"]["creationTimestamp"])


def template(world: World) -> object:
    deployment = world.get("deployment", "demo")
    assert deployment is not None
    return deployment["spec"]["template"]


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
