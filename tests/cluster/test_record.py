"""The record of an agent that delivers to a real API server: the stories of behaviour, again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pytest

from behaviour.test_record import folder, lines, record
from behaviour.test_record import (
    test_an_agent_that_is_killed_in_the_middle_leaves_an_intent_without_outcome as _killed,
)
from behaviour.test_record import test_every_kind_has_its_line_and_no_line_has_a_value as _kinds
from simulators.agents import agent, until, value
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import FIRST, SECOND, World

test_an_agent_that_is_killed_in_the_middle_leaves_an_intent_without_outcome = _killed
test_every_kind_has_its_line_and_no_line_has_a_value = _kinds


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


def abouts(world: World, kind: str) -> Sequence[str]:
    return [line["about"] for line in lines(folder(world)) if line["kind"] == kind]


def test_a_restart_for_a_new_value_is_on_the_record_with_the_secret(world: World) -> None:
    flags = ("--sync-interval=1h", "--git-poll-interval=1s", "--restart-workloads")
    with agent(world, *flags, record(world)) as running:
        until(lambda: value(world) == FIRST)
        until(lambda: abouts(world, "outcome") != [])
        world.put("demo", SECOND)
        until(lambda: value(world) == SECOND)
        until(lambda: abouts(world, "restarted") != [])
        assert running.stop() == 0
    (restarted,) = (line for line in lines(folder(world)) if line["kind"] == "restarted")
    assert restarted["about"] == f"deployment.apps/demo in {world.namespace}"
    assert restarted["details"]["secrets"] == ["demo-secret"]
    live = world.get("deployment", "demo")
    assert live is not None
    assert restarted["details"]["uid"] == live["metadata"]["uid"]
    mine = [
        line["kind"]
        for line in lines(folder(world))
        if line["details"].get("delivery") == restarted["details"]["delivery"]
    ]
    assert mine == ["intent", "restarted", "outcome"]


def test_an_object_that_is_taken_over_is_on_the_record(world: World) -> None:
    world.kubectl("create", "namespace", world.namespace)
    made = world.kubectl(
        "create", "service", "clusterip", "demo-service", "--tcp=80", "-n", world.namespace
    )
    assert made.code == 0, made.err
    with agent(world, "--sync-interval=1h", record(world), "--adopt-existing") as running:
        until(lambda: abouts(world, "outcome") != [])
        assert running.stop() == 0
    names = {"namespace/" + world.namespace, f"service/demo-service in {world.namespace}"}
    assert set(abouts(world, "adopted")) == names
    delivered = [line for line in lines(folder(world)) if line["kind"] == "delivered"]
    service = next(line for line in delivered if "service" in line["about"])
    assert service["details"]["action"] == "configured"
