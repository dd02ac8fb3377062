"""An agent with flags, or a settings file, leaves as it is what a person suspends; it lasts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from simulators.agents import Agent, address, agent, until, value
from simulators.agents import asked as asked_api
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import APPLICATION, FIRST, SECOND, Done, World

QUICK = ("--sync-interval=1s", "--git-poll-interval=1s")
# no round but for a commit: one that runs when somebody suspends goes on to its end
CALM = ("--sync-interval=1h", "--git-poll-interval=1s")
FLAGS = "--git-url --git-path --store --manifest-generation --generator-env"
THIRD = b"rotated once more\n"


def asked(world: World, word: str, *names: str) -> Done:
    own = f"{world.namespace}-flux"
    return world.run(word, *names, f"--agent={own}", f"--kubeconfig={world.kubeconfig}")


def is_suspended(world: World, running: Agent) -> bool:
    shown = world.run("status", f"--url={address(running)}", "-o", "json")
    return all(one["suspended"] for one in json.loads(shown.out)["apps"])


def ended(running: Agent) -> int:
    """Count the rounds that have ended."""
    said = asked_api(running, "", "/metrics")[1]
    counts = re.findall(r"^flux_daemon_sync_duration_seconds_count\S* (\S+)$", said, re.MULTILINE)
    return int(sum(map(float, counts)))


def rounds(running: Agent) -> int:
    return running.log.read_text().count("trying to sync git changes to the cluster")


def stays(world: World, running: Agent, text: bytes) -> None:
    """Wait until the agent has seen a new commit, and a file that it was given more than once."""
    before = running.log.read_text().count("event=refreshed")
    until(lambda: running.log.read_text().count("event=refreshed") > before + 3)
    assert value(world) == text


def test_an_agent_with_flags_is_suspended_over_a_restart_and_resumed(world: World) -> None:
    own = f"{world.namespace}-flux"
    with agent(world, *CALM) as running:
        until(lambda: value(world) == FIRST and ended(running) > 0)
        done = asked(world, "suspend", "--all")
        assert done.code == 0, done.err
        assert f"all Apps are suspended: agent in {own}\n" in done.out
        until(lambda: is_suspended(world, running))
        assert "suspended already" in asked(world, "suspend", "--all").out
        world.put("demo", SECOND)
        stays(world, running, FIRST)
        assert world.run("sync", f"--url={address(running)}").code == 3
        refused = asked(world, "resume", "flux")
        assert refused.code == 3
        assert f"flux-secret resume --all --agent {own}" in refused.err
        assert running.stop() == 0
    with agent(world, *QUICK) as running:
        until(lambda: is_suspended(world, running))
        stays(world, running, FIRST)
        assert rounds(running) == 0, "nothing was delivered before it was known"
        assert asked(world, "resume", "--all").out.startswith("all Apps are resumed")
        until(lambda: value(world) == SECOND)
        assert not is_suspended(world, running)
        assert "not suspended" in asked(world, "resume", "--all").out


def test_the_app_of_the_flags_is_suspended_by_its_name(world: World) -> None:
    own = f"{world.namespace}-flux"
    with agent(world, *CALM) as running:
        until(lambda: value(world) == FIRST and ended(running) > 0)
        wrong = asked(world, "suspend", "flx")
        assert f"has not delivered {own}/flx so far, but {own}/flux" in wrong.err
        done = asked(world, "suspend", "flux")
        assert f"app/flux in {own} is suspended: agent in {own}\n" in done.out
        assert done.err == ""
        until(lambda: is_suspended(world, running))
        world.put("demo", SECOND)
        stays(world, running, FIRST)
        asked(world, "resume", "flux")
        until(lambda: value(world) == SECOND)


@contextmanager
def two_apps(world: World) -> Iterator[tuple[Agent, Path]]:
    """Run an agent with a settings file of two Apps, of which one writes the walkthrough's."""
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}, "data": {}}
    world.ops.commit({"other/c.yaml": yaml.safe_dump(other)}, "another application")
    file = world.root / "flux-secret.yaml"
    file.write_text(yaml.safe_dump_all(documents(world)))
    with agent(world, *QUICK, f"--config={file}", without=FLAGS) as running:
        until(lambda: value(world) == FIRST and world.get("configmap", "other") is not None)
        yield running, file


def documents(world: World) -> list[object]:
    kind = {"apiVersion": "flux-secret.io/v1alpha1"}
    source = {"url": world.ops.url, "branch": world.ops.branch}
    reader = {"namespaces": [world.namespace], "paths": ["*"]}
    return [
        {**kind, "kind": "Store", "metadata": {"name": "apps"},
         "spec": {"url": world.store.url, "readers": [reader]}},
        *({**kind, "kind": "App", "metadata": {"name": name, "namespace": world.namespace},
           "spec": {"source": source, "path": path, "stores": ["apps"], "interval": "1s"}}
          for name, path in (("demo", APPLICATION), ("other", "other"))),
    ]  # fmt: skip


def test_one_app_of_a_settings_file_rests_and_the_other_goes_on(world: World) -> None:
    with two_apps(world) as (running, _):
        done = asked(world, "suspend", f"{world.namespace}/demo")
        assert done.code == 0, done.err
        until(lambda: running.has_said(f"apps={world.namespace}/demo"))
        world.put("demo", SECOND)
        changed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"},
                   "data": {"a": "b"}}  # fmt: skip
        world.ops.commit({"other/c.yaml": yaml.safe_dump(changed)}, "change")

        def data() -> object:
            return (world.get("configmap", "other") or {}).get("data")

        until(lambda: data() == {"a": "b"})
        stays(world, running, FIRST)
        done = asked(world, "resume", "--all")
        assert f"app/demo in {world.namespace} is resumed" in done.out
        until(lambda: value(world) == SECOND)


def test_what_is_asked_wrongly_is_refused(world: World) -> None:
    for words, says in (
        ((), "wants to know which Apps"),
        (("demo", "--all"), "wants to know which Apps"),
        (("--all", "-A"), "--agent names one agent"),
        (("a/b/c",), "names no App"),
    ):
        done = asked(world, "suspend", *words)
        assert done.code == 2
        assert says in done.err
