"""An App that leaves the settings file: its objects stay until a person lets them go."""

from __future__ import annotations

import re
from typing import Any

import yaml

from behaviour.test_suspending import documents, two_apps
from simulators.agents import Agent, address, agent, until, value
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import FIRST, Done, World

FLAGS = "--git-url --git-path --store --manifest-generation --generator-env"


def rewrite(world: World, trees: list[Any]) -> None:
    (world.root / "flux-secret.yaml").write_text(yaml.safe_dump_all(trees))


def synced(world: World, running: Agent, *words: str) -> Done:
    return world.run("sync", f"--url={address(running)}", *words)


def test_its_objects_are_held_over_a_restart_and_go_when_that_is_confirmed(world: World) -> None:
    app = f"{world.namespace}/other"
    with two_apps(world) as (running, file):
        rewrite(world, documents(world)[:2])
        until(lambda: running.has_said(f"msg=app.held app={app}"))
        assert world.get("configmap", "other") is not None
        assert running.stop() == 0
    with agent(world, f"--config={file}", without=FLAGS, name="second") as running:
        until(lambda: running.has_said(f"msg=app.held app={app}"))
        held = synced(world, running)
        assert held.code == 4
        assert f"App {app}: not delivered" in held.out
        assert f"1 objects of App {app}" in held.err
        assert "no longer in the settings file: configmap/other" in held.err
        assert synced(world, running, "--confirm=0123456789ab").code == 4
        assert world.get("configmap", "other") is not None
        (token,) = set(re.findall(r"--confirm (\w+)", held.err))
        done = synced(world, running, f"--confirm={token}")
        assert done.code == 0, done.err
        assert "configmap/other deleted" in done.out
        assert f"App {app}: removed" in done.out
        assert world.get("configmap", "other") is None
        assert value(world) == FIRST
        assert synced(world, running).code == 0


def test_one_that_comes_back_goes_on_and_nothing_is_held_any_more(world: World) -> None:
    with two_apps(world) as (running, _):
        rewrite(world, documents(world)[:2])
        until(lambda: running.has_said("msg=app.held"))
        found = world.get("configmap", "other")
        rewrite(world, documents(world))
        until(lambda: running.log.read_text().count("msg=settings.changed") == 2)
        until(lambda: synced(world, running).code == 0)
        assert world.get("configmap", "other") == found


def test_one_that_said_orphan_is_forgotten_and_its_objects_stay(world: World) -> None:
    trees: list[Any] = documents(world)
    trees[2]["spec"]["deletionPolicy"] = "Orphan"
    with two_apps(world) as (running, _):
        rewrite(world, trees)
        until(lambda: running.has_said("msg=settings.changed"))
        until(lambda: synced(world, running).code == 0)
        rewrite(world, trees[:2])
        until(lambda: running.has_said("msg=app.removed"))
        assert not running.has_said("msg=app.held")
        assert synced(world, running).code == 0
        assert world.get("configmap", "other") is not None


def test_a_file_without_any_app_removes_nothing(world: World) -> None:
    with two_apps(world) as (running, _):
        rewrite(world, documents(world)[:1])
        until(lambda: running.log.read_text().count("msg=app.held") == 2)
        assert value(world) == FIRST
        held = synced(world, running)
        assert held.code == 4
        tokens = set(re.findall(r"--confirm (\w+)", held.err))
        assert len(tokens) == 2
        done = synced(world, running, *(f"--confirm={token}" for token in tokens))
        assert done.code == 0, done.err
        assert value(world) is None
