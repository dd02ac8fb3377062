"""An App of the cluster whose workloads are restarted, and what its status says of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from behaviour import test_custom_resources as apps
from behaviour.test_rotation import mark, rollouts
from simulators.agents import until, value
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import FIRST, SECOND, World

cluster = apps.cluster  # the fixture
FROZEN = {"days": [(datetime.now(UTC) + timedelta(days=n)).strftime("%a").lower() for n in (0, 1)]}


def told(world: World) -> list[dict[str, Any]]:
    return list(apps.status(world).get("rollouts", []))


def test_its_status_says_what_a_restart_waits_for_until_it_is_done(cluster: World) -> None:
    world = cluster
    with apps.running(world) as one:
        apps.put_store(world)
        apps.put_app(world, restart={"freeze": [FROZEN]})
        until(lambda: value(world) == FIRST)
        until(lambda: apps.ready(world) == "True")
        assert told(world) == []
        world.put("demo", SECOND)
        until(lambda: told(world) != [])
        (rollout,) = told(world)
        assert (rollout["kind"], rollout["name"]) == ("Deployment", "demo")
        assert (rollout["namespace"], rollout["secrets"]) == (world.namespace, ["demo-secret"])
        assert rollout["waitingFor"].startswith("the end of a freeze: ")
        assert rollouts(world) == 1
        apps.put_app(world, restart={"budget": 5})
        until(lambda: mark(world) != "")
        assert rollouts(world) == 2
        until(lambda: [one["waitingFor"] for one in told(world)] in ([], ["its rollout"]))
        assert one.stop() == 0


def test_a_suspended_app_restarts_nothing(cluster: World) -> None:
    world = cluster
    with apps.running(world) as one:
        apps.put_store(world)
        apps.put_app(world, restart={"freeze": [FROZEN]})
        until(lambda: value(world) == FIRST)
        world.put("demo", SECOND)
        until(lambda: told(world) != [])
        apps.put_app(world, restart={}, suspend=True)
        until(lambda: apps.status(world).get("observedGeneration") == 2)
        assert one.stop() == 0
    with apps.running(world):
        until(lambda: apps.ready(world) != "")
        assert rollouts(world) == 1
        apps.put_app(world, restart={}, suspend=False)
        until(lambda: mark(world) != "")
        assert rollouts(world) == 2


def test_a_restart_that_waits_is_taken_over_from_a_killed_replica_and_done_once(
    cluster: World,
) -> None:
    world = cluster
    flags = ("--leader-elect", "--lease-duration=6s", "--renew-deadline=4s", "--retry-period=1s")
    with (
        apps.running(world, *flags, name="one") as one,
        apps.running(world, *flags, name="two") as two,
    ):
        apps.put_store(world)
        apps.put_app(world, restart={"freeze": [FROZEN]})
        until(lambda: value(world) == FIRST)
        world.put("demo", SECOND)
        until(lambda: told(world) != [])
        due, other = (one, two) if one.has_said("restart.due") else (two, one)
        assert not other.has_said("restart.due")
        due.process.kill()
        apps.put_app(world, restart={})
        until(lambda: mark(world) != "")
        until(lambda: other.has_said("restart.done"))
        assert rollouts(world) == 2
