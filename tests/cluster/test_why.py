"""`flux-secret why` on a real API server: some breaks again, and those that need rights or pods."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Protocol

import pytest

from behaviour.test_why import (
    person,
    test_13_a_commit_that_is_not_delivered_yet,
    test_14_an_object_that_somebody_else_has_made,
    test_15_a_value_that_would_vanish_is_held,
    test_16_a_namespace_that_is_not_there,
    test_17_a_manifest_that_the_api_server_refuses,
    test_a_whole_chain_names_every_link_from_commit_to_object,
)
from cluster.test_rights import install, may
from simulators.agents import until, value
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.installing import Administrator
from simulators.mending import Mender, delivered
from simulators.world import FIRST, SECOND, World

__all__ = [
    "person",
    "test_13_a_commit_that_is_not_delivered_yet",
    "test_14_an_object_that_somebody_else_has_made",
    "test_15_a_value_that_would_vanish_is_held",
    "test_16_a_namespace_that_is_not_there",
    "test_17_a_manifest_that_the_api_server_refuses",
    "test_a_whole_chain_names_every_link_from_commit_to_object",
]
APPLICATIONS = "flux-secret-applications"


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


def running(world: World) -> int:
    found = json.loads(world.kubectl("get", "pods", "-n", world.namespace, "-o", "json").out)
    return sum("deletionTimestamp" not in pod["metadata"] for pod in found["items"])


def newest(world: World) -> str:
    """Give when the newest pod was made: RFC 3339, whole seconds, which sorts as text."""
    found = json.loads(world.kubectl("get", "pods", "-n", world.namespace, "-o", "json").out)
    return max(str(pod["metadata"]["creationTimestamp"]) for pod in found["items"])


def now() -> str:
    return f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_18_pods_that_run_with_the_old_value(person: Mender) -> None:
    world = person.world
    delivered(world)
    until(lambda: running(world) == 1)
    assert person.why("secret/demo-secret")["whole"]
    world.put("demo", SECOND)
    until(lambda: now() > newest(world))  # else nobody can tell which of the two came first
    delivered(world)
    link = person.broken("secret/demo-secret")
    assert (link["kind"], link["exitCode"]) == ("pods", 1)
    assert link["name"] == f"deployment.apps/demo in {world.namespace}"
    person.mend(link)
    rolled = world.kubectl("rollout", "status", "deployment/demo", "-n", world.namespace)
    assert rolled.code == 0, rolled.err
    until(lambda: running(world) == 1)
    assert person.why("secret/demo-secret")["whole"]


def test_23_an_agent_whose_rights_are_not_enough(world: World) -> None:
    administrator = Administrator(world)
    rights = install(administrator)
    person = Mender(world)
    patch = json.dumps([{"op": "remove", "path": "/rules/0/resources/0"}])
    words = ("patch", "role", APPLICATIONS, "-n", world.namespace, "--type=json", "-p", patch)
    done = world.kubectl(*words)
    assert done.code == 0, done.err
    until(lambda: not may(administrator, "patch", "secrets", world.namespace))
    flags = (f"--kubeconfig={rights}",)
    link = person.broken("secret/demo-secret", *flags)
    assert (link["kind"], link["exitCode"]) == ("object", 7)
    assert "does not allow this agent to" in link["reason"]
    assert link["place"]["file"].endswith("secrets.yaml.sh")
    person.mend({**link, "commands": link["commands"][:-1]})
    until(lambda: may(administrator, "patch", "secrets", world.namespace))
    link = person.broken("secret/demo-secret", *flags)
    assert (link["kind"], link["exitCode"]) == ("object", 1)
    done = world.deliver(*flags)
    assert done.code == 0, done.out + done.err
    assert value(world) == FIRST
    chain = person.why("secret/demo-secret", *flags)
    assert chain["whole"], chain
    (pods,) = [one for one in chain["links"] if one["kind"] == "pods"]
    assert pods["state"] == "unseen"  # it may list neither workloads nor pods
