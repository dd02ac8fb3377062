"""A store whose branch is set back is not believed: what was delivered of it stays."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Mapping

from simulators.agents import Agent, address, agent, until, value
from simulators.world import FIRST, SECOND, World

QUIET = ("--sync-interval=1h", "--git-poll-interval=1s")


def metrics(running: Agent) -> str:
    with urllib.request.urlopen(f"{address(running)}/metrics", timeout=10) as answer:  # noqa: S310 -- ours
        return str(answer.read().decode())


def records(world: World) -> list[Mapping[str, object]]:
    """Give what the cluster holds of each store."""
    place = ("-n", f"{world.namespace}-flux", "-l", "flux-secret.io/store")
    listed = json.loads(world.kubectl("get", "configmaps", *place, "-o", "json").out)["items"]
    return [json.loads(one["data"]["store.json"]) for one in listed]


def rewind(world: World, commit: str = "HEAD~1") -> str:
    """Somebody forces the branch of the store back to an older commit."""
    world.store.git("reset", "--quiet", "--hard", commit)
    return world.store.head


def test_an_old_value_that_is_forced_back_is_not_delivered(world: World) -> None:
    assert world.deliver().code == 0
    newest = world.put("demo", SECOND)
    assert world.deliver().code == 0
    before = world.secret()
    old = rewind(world)
    done = world.deliver()
    assert done.code == 6
    assert f"store apps was rewound: its newest commit {old[:12]}" in done.err
    assert newest[:12] in done.err
    assert f"--accept-store-rewind apps={old}" in done.err
    assert world.secret() == before
    assert world.secret()[0] == SECOND
    assert [one["commit"] for one in records(world)] == [newest]


def test_what_else_changes_goes_on_from_the_last_accepted_commit(world: World) -> None:
    world.put("demo", SECOND)
    assert world.deliver().code == 0
    rewind(world)
    world.ops.commit({"demo/base/note.txt": "a change of the application"})
    world.kubectl("delete", "secret", "demo-secret", "-n", world.namespace)
    done = world.deliver()
    assert done.code == 6
    assert world.secret()[0] == SECOND, "drift is repaired, with the value that counts"


def test_a_branch_that_was_written_anew_is_refused_too(world: World) -> None:
    assert world.deliver().code == 0
    world.store.git("checkout", "--quiet", "--orphan", "other")
    world.put("demo", SECOND)
    world.store.git("branch", "--force", "master", "HEAD")
    world.store.git("checkout", "--quiet", "master")
    done = world.deliver()
    assert done.code == 6
    assert world.secret()[0] == FIRST


def test_a_machine_without_a_copy_knows_it_from_the_cluster(world: World) -> None:
    world.put("demo", SECOND)
    assert world.deliver().code == 0
    before = world.secret()
    rewind(world)
    shutil.rmtree(world.root / "cache")
    assert world.deliver().code == 6
    assert world.secret() == before
    shutil.rmtree(world.root / "cache")
    world.store.git("reflog", "expire", "--expire=now", "--all")
    world.store.git("gc", "--quiet", "--prune=now")
    done = world.deliver()
    assert done.code == 6
    assert "nothing is read of it" in done.err
    assert world.secret() == before


def test_a_rewind_that_is_meant_is_accepted_once(world: World) -> None:
    world.put("demo", SECOND)
    assert world.deliver().code == 0
    old = rewind(world)
    accepted = f"--accept-store-rewind=apps={old}"
    assert world.deliver(accepted).code == 0
    assert world.secret()[0] == FIRST
    world.put("demo", b"third\n")
    assert world.deliver(accepted).code == 0
    rewind(world, old)
    assert world.deliver(accepted).code == 6, "it was used up"
    assert world.secret()[0] == b"third\n"


def test_a_commit_by_half_an_id_accepts_nothing(world: World) -> None:
    done = world.deliver("--accept-store-rewind=apps=0123abcd")
    assert done.code == 2
    assert "names no commit by its whole id" in done.err


def test_a_store_that_moves_to_another_host_goes_on(world: World) -> None:
    assert world.deliver().code == 0
    world.put("demo", SECOND)
    shutil.copytree(world.store.path, world.root / "moved")
    assert world.deliver(f"--store=apps=file://{world.root}/moved").code == 2  # named twice
    flags = [one for one in world.flags() if not one.startswith("--store")]
    moved = f"--store=apps=file://{world.root}/moved"
    assert world.run("deliver", *flags, moved).code == 0
    assert world.secret()[0] == SECOND
    rewind(world)
    assert world.deliver().code == 6
    done = world.deliver()
    assert f"and came from file://{world.root}/moved then" in done.err


def test_an_agent_says_it_and_goes_on_when_the_commit_is_back(world: World) -> None:
    newest = world.put("demo", SECOND)
    with agent(world, *QUIET) as running:
        until(lambda: value(world) == SECOND)
        before = world.secret()
        rewind(world)
        until(lambda: running.has_said("store.rewound"))
        until(lambda: 'flux_secret_store_rewound{store="apps"} 1.0' in metrics(running))
        assert world.secret() == before
        rewind(world, newest)
        until(lambda: 'flux_secret_store_rewound{store="apps"} 0.0' in metrics(running))
        assert running.stop() == 0
