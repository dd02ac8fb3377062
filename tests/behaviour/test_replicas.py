"""Two agents share the work by Leases: one delivers, and the other takes over."""

from __future__ import annotations

import json

from simulators.agents import Agent, agent, until, value
from simulators.world import FIRST, SECOND, World

SHORT = ("--leader-elect", "--lease-duration=4s", "--renew-deadline=3s", "--retry-period=1s",
         "--sync-interval=10m", "--git-poll-interval=1s")  # fmt: skip
THIRD = b"rotated once more\n"


def delivers(running: Agent) -> bool:
    return running.has_said("msg=delivery.finished")


def holders(world: World) -> set[str]:
    done = world.kubectl("get", "leases", "-n", f"{world.namespace}-flux", "-o", "json")
    return {lease["spec"].get("holderIdentity", "") for lease in json.loads(done.out)["items"]}


def test_one_of_two_delivers_and_the_other_takes_over_when_it_is_killed_or_stopped(
    world: World,
) -> None:
    with (
        agent(world, f"--cache-dir={world.root}/c1", *SHORT, name="one") as one,
        agent(world, f"--cache-dir={world.root}/c2", *SHORT, name="two") as two,
    ):
        until(lambda: value(world) == FIRST)
        until(lambda: one.has_said("replicas.changed") and two.has_said("replicas.changed"))
        until(lambda: len(holders(world)) == 2)
        first, second = (one, two) if delivers(one) else (two, one)
        first.process.kill()
        world.put("demo", SECOND)
        until(lambda: value(world) == SECOND)
        assert delivers(second)
        with agent(world, f"--cache-dir={world.root}/c3", *SHORT, name="three") as third:
            until(lambda: third.has_said("replicas.changed"))
            assert second.stop() == 0
            world.put("demo", THIRD)
            until(lambda: value(world) == THIRD)
            assert delivers(third)
            assert third.stop() == 0
    assert holders(world) <= {""}, "everything was given back"
