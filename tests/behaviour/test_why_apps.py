"""`flux-secret why` of Apps: what their agent says, and what is seen from here with other keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from behaviour.test_custom_resources import (
    agents_own,
    cluster,  # noqa: F401 -- a fixture
    put_app,
    put_secret,
    put_store,
    ready,
    running,
    status,
)
from simulators.agents import address, agent, until, value
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.mending import Mender
from simulators.world import FIRST, SECOND, World

NAME = "demo"


@pytest.fixture
def person(cluster: World) -> Mender:  # noqa: F811
    """Lend somebody whose gpg has the keys that the agent has, too."""
    cluster.monkeypatch.setenv("GNUPGHOME", str(cluster.gnupg.path))
    return Mender(cluster)


def why(person: Mender, subject: str, *extra: str) -> dict[str, Any]:
    world = person.world
    done = world.run(
        "why", subject, f"--namespace={agents_own(world)}", f"--kubeconfig={world.kubeconfig}",
        f"--cache-dir={world.root / 'persons-cache'}", "-o", "json", *extra,
    )  # fmt: skip
    assert done.out, done.err
    (chain,) = json.loads(done.out)["chains"]
    broken = [one for one in chain["links"] if one["state"] == "broken"]
    assert done.code == (broken[0]["exitCode"] if broken else 0)
    return dict(chain)


def broken(person: Mender, subject: str) -> dict[str, Any]:
    chain = why(person, subject)
    found = [one for one in chain["links"] if one["state"] == "broken"]
    assert found, chain
    return dict(found[0])


def test_an_app_is_whole_from_here_while_its_agent_has_delivered_it(person: Mender) -> None:
    world = person.world
    with running(world):
        put_store(world)
        put_app(world)
        until(lambda: ready(world) == "True")
        for subject in (NAME, f"{world.namespace}/{NAME}", "secret/demo-secret", "apps/demo"):
            chain = why(person, subject)
            assert chain["whole"], chain
            assert chain["target"] == f"{world.namespace}/{NAME}"
        assert not any("an agent has its own" in says for says in chain["unseen"])


def test_what_only_the_agent_can_read_is_no_break(person: Mender, tmp_path: Path) -> None:
    world = person.world
    with running(world):
        put_store(world)
        put_app(world)
        until(lambda: ready(world) == "True")
        empty = tmp_path / "gnupg"
        empty.mkdir(mode=0o700)
        world.monkeypatch.setenv("GNUPGHOME", str(empty))
        chain = why(person, NAME)
        assert chain["whole"], chain
        (key,) = [one for one in chain["links"] if one["kind"] == "key"]
        assert key["state"] == "unseen"
        assert "the agent has delivered this commit" in key["reason"]
    world.put("demo", SECOND)
    link = broken(person, NAME)
    assert (link["kind"], link["exitCode"]) == ("key", 4)


def test_a_secret_of_the_cluster_has_its_chain_too(person: Mender) -> None:
    world = person.world
    with running(world):
        put_store(world)
        put_secret(world)
        until(lambda: world.get("secret", "db") is not None)
        until(lambda: ready(world, kind="storesecrets.flux-secret.io", name="db") == "True")
        chain = why(person, "secret/db")
        assert chain["whole"], chain
        world.store.remove("demo.gpg")
        link = broken(person, "secret/db")
        assert (link["kind"], link["name"], link["exitCode"]) == ("entry", "apps/demo", 4)
    own = [f"--kubeconfig={world.kubeconfig}", f"--cache-dir={world.root / 'persons-cache'}"]
    done = world.run("why", "secret/db", "-n", world.namespace, *own)  # the App's, as elsewhere
    assert done.code == 4, done.err
    assert "no entry apps/demo in store apps" in done.out


def test_19_a_suspended_app(person: Mender) -> None:
    world = person.world
    with running(world):
        put_store(world)
        put_app(world)
        until(lambda: ready(world) == "True")
        world.run("suspend", NAME, "-n", world.namespace, f"--kubeconfig={world.kubeconfig}")
        world.put("demo", SECOND)
        link = broken(person, NAME)
        assert (link["kind"], link["exitCode"]) == ("commit", 3)
        assert link["name"] == f"App {world.namespace}/{NAME}"
        person.mend(link)
        until(lambda: world.store.head[:12] in status(world)["lastAppliedRevision"])
        assert why(person, NAME)["whole"]


def test_20_a_store_that_lets_nobody_read(person: Mender) -> None:
    world = person.world
    with running(world):
        put_store(world, paths=("other",))
        put_app(world)
        until(lambda: ready(world) == "False")
        link = broken(person, "apps/demo")
        assert (link["kind"], link["name"], link["exitCode"]) == ("entry", "apps/demo", 4)
        assert link["place"]["line"] == 5
        assert link["place"]["changed"]["commit"] == world.ops.head
        person.mend(link)
        until(lambda: value(world) == FIRST)
        until(lambda: ready(world) == "True")
        assert why(person, "apps/demo")["whole"]


def test_21_a_commit_that_the_agent_has_not_seen(person: Mender) -> None:
    world = person.world
    with running(world, "--git-poll-interval=1h"):
        put_store(world)
        put_app(world)
        until(lambda: ready(world) == "True")
        commit = world.put("demo", SECOND)
        link = broken(person, NAME)
        assert (link["kind"], link["exitCode"]) == ("commit", 1)
        assert "its agent tried" in link["reason"]
        chain = why(person, NAME)
        (entry,) = [one for one in chain["links"] if one["kind"] == "entry"]
        assert entry["place"]["changed"]["commit"] == commit
        person.mend(link)
        assert value(world) == SECOND
        assert why(person, NAME)["whole"]


def test_an_agent_of_flags_is_asked_by_its_url(person: Mender) -> None:
    world = person.world
    with agent(world, "--adopt-existing", "--git-poll-interval=1s") as one:
        until(lambda: value(world) == FIRST)
        asked = f"--url={address(one)}"
        until(lambda: person.why("secret/demo-secret", asked)["whole"])
        own = ("--agent", agents_own(world), f"--kubeconfig={world.kubeconfig}")
        assert world.run("suspend", "--all", *own).code == 0
        until(lambda: person.why("secret/demo-secret", asked)["broken"] == "commit")
        link = person.broken("secret/demo-secret", asked)
        assert (link["kind"], link["exitCode"]) == ("commit", 3)
        assert link["commands"] == [
            f"flux-secret resume {agents_own(world)}/flux --agent {agents_own(world)}"
        ]
        assert world.run("resume", "--all", *own).code == 0
        until(lambda: person.why("secret/demo-secret", asked)["whole"])
