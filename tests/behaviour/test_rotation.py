"""A person rotates a secret, and the agent's workloads are restarted for it (docs/rotation.md)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from simulators.agents import agent, until, value
from simulators.world import APPLICATION, FIRST, SECOND, World

QUIET = ("--sync-interval=10m", "--git-poll-interval=1s")
THIRD = b"rotated once more\n"


def rollouts(world: World) -> int:
    found = world.get("deployment", "demo")
    return int(found["metadata"]["generation"]) if found else 0


def mark(world: World) -> str:
    found = world.get("deployment", "demo")
    assert found is not None
    noted = found["spec"]["template"]["metadata"].get("annotations", {})
    return str(noted.get("flux-secret.io/restarted-for", ""))


def test_a_rotation_restarts_its_consumer_once_and_a_start_restarts_none(world: World) -> None:
    with agent(world, *QUIET, "--restart-workloads") as running:
        until(lambda: value(world) == FIRST)
        assert (rollouts(world), mark(world)) == (1, "")
        world.put("demo", SECOND)
        until(lambda: mark(world) != "")
        assert rollouts(world) == 2
        until(lambda: running.has_said("component=restarts msg=restart.done"))
        assert not running.has_said("rotated by devops")
        assert running.stop() == 0
    seen = mark(world)
    with agent(world, *QUIET, "--restart-workloads=delivered") as running:
        until(lambda: running.has_said("msg=delivery.finished"))
        world.put("demo", THIRD)
        until(lambda: mark(world) != seen)
        assert rollouts(world) == 3


def test_without_the_flag_nothing_is_restarted(world: World) -> None:
    with agent(world, *QUIET) as running:
        until(lambda: value(world) == FIRST)
        world.put("demo", SECOND)
        until(lambda: value(world) == SECOND)
        assert running.stop() == 0
    assert (rollouts(world), mark(world)) == (1, "")


def test_a_freeze_of_today_holds_it_back_and_an_agent_without_it_makes_up(world: World) -> None:
    today = datetime.now(UTC).strftime("%a").lower()
    tomorrow = {"sun": "mon", "mon": "tue", "tue": "wed", "wed": "thu", "thu": "fri", "fri": "sat",
                "sat": "sun"}[today]  # fmt: skip
    frozen = f"--restart-freeze={today}-{tomorrow}"
    with agent(world, *QUIET, "--restart-workloads", frozen) as running:
        until(lambda: value(world) == FIRST)
        world.put("demo", SECOND)
        until(lambda: running.has_said("the end of a freeze"))
        assert rollouts(world) == 1
    with agent(world, *QUIET, "--restart-workloads"):
        until(lambda: mark(world) != "")
        assert rollouts(world) == 2


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--restart-workloads=some", "--restart-workloads 'some' is not known"),
        ("--restart-budget=0", "--restart-budget is '0'"),
        ("--restart-freeze=always", "'always' is no freeze window"),
    ],
)
def test_a_flag_that_means_nothing_is_refused(world: World, flag: str, says: str) -> None:
    done = world.run("agent", *world.flags(flag, path=APPLICATION))
    assert done.code == 2
    assert says in done.err
