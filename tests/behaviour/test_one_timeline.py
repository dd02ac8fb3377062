"""One timeline of a secret: a person's commits, and what an agent did with them."""

from __future__ import annotations

import json
import time

from simulators.agents import agent, until, value
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.mending import Mender
from simulators.world import APPLICATION, FIRST, SECOND, World


def test_commits_reads_and_deliveries_stand_in_one_order(world: World) -> None:
    record = world.root / "record"
    with agent(world, f"--record-dir={record}", "--git-poll-interval=1s"):
        until(lambda: value(world) == FIRST)
        delivered = int(time.time())
        until(lambda: int(time.time()) > delivered)  # git's times are whole seconds
        world.put("demo", SECOND)
        until(lambda: value(world) == SECOND)
    person = Mender(world)
    world.monkeypatch.setenv("GNUPGHOME", str(world.gnupg.path))
    done = world.run("store", "history", "apps/demo", "--all", f"--record={record}", "-o", "json")
    assert done.code == 0, done.err
    moments = json.loads(done.out)["moments"]
    told = [(one["source"], one["what"]) for one in moments]
    assert told == [
        ("git", "created"), ("record", "read"), ("record", "delivered"),
        ("git", "value changed"), ("record", "read"), ("record", "delivered"),
    ]  # fmt: skip
    read, delivered = moments[4:]
    assert read["details"]["blob"] == moments[3]["details"]["blob"]
    assert read["who"] == delivered["who"] == APPLICATION
    assert delivered["says"].startswith(f"secret/demo-secret in {world.namespace}")
    assert delivered["details"]["resourceVersion"] == world.secret()[1]
    assert len(moments[0]["readers"]) == 3
    shown = world.run("store", "history", "apps/demo", "--all", f"--record={record}")
    assert shown.out.splitlines()[0].split()[:3] == ["TIME", "FROM", "WHAT"]
    assert "resourceVersion" in shown.out
    assert SECOND.decode().strip() not in shown.out + done.out
    assert person.home.is_dir()
