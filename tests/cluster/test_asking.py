"""What people ask about Apps on a real API server: the same suite, and kubectl beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

import pytest

from behaviour.test_asking import *  # noqa: F403 -- the same suite, another cluster
from behaviour.test_asking import asked
from behaviour.test_custom_resources import agents_own, put_app, put_store, ready, running
from simulators.agents import until
from simulators.world import World


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


def test_kubectl_shows_the_same_status_and_the_same_events(cluster: World) -> None:
    place = ("-n", cluster.namespace)
    with running(cluster):
        put_store(cluster, paths=("other",))
        put_app(cluster)
        until(lambda: ready(cluster) == "False")
        until(lambda: "AccessDenied" in asked(cluster, "events").out)
    shown = cluster.kubectl("get", "apps.flux-secret.io", *place, "--no-headers").out.split()
    ours = asked(cluster, "status").out.splitlines()[1].split()
    assert shown[:2] == ours[1:3] == ["demo", "False"]
    described = cluster.kubectl("describe", "apps.flux-secret.io/demo", *place).out
    assert "Warning  AccessDenied" in described
    assert "the refused attempt is recorded" in described
    listed = cluster.kubectl("events", "--for", "apps.flux-secret.io/demo", *place).out
    assert "AccessDenied" in listed
    (event,) = json.loads(cluster.kubectl("get", "events", *place, "-o", "json").out)["items"]
    assert event["source"] == {"component": "flux-secret"}
    assert "revision" not in event["metadata"].get("annotations", {})


def test_the_log_of_a_pod_is_read_through_the_api_server(cluster: World) -> None:
    where = agents_own(cluster)
    nobody = asked(cluster, "logs", where=where)
    assert nobody.code == 3
    assert f"no pod of an agent is in namespace {where}" in nobody.err
    done = cluster.kubectl(
        "run", "flux-0", "--image=flux-secret", "-l", "app.kubernetes.io/name=flux-secret",
        "-n", where,
    )  # fmt: skip
    assert done.code == 0, done.err
    refused = asked(cluster, "logs", where=where)
    assert refused.code != 0
    assert "pods/log/flux-0" in refused.err, refused.err  # kwok's nodes keep no log of a pod
