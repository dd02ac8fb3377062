"""A rotated Secret on a real API server, with controllers that roll pods."""

from __future__ import annotations

from cluster.apply.rotating import (
    APP,
    DAEMON_SETS,
    STATEFUL_SETS,
    Agent,
    consumer,
    env,
    env_from,
    generations,
    mark,
    of_kind,
    pods,
    until_running,
    with_volume,
)
from cluster.apply.world import DEPLOYMENTS, World, secret
from flux_secret.apply.restart.pods import PODS
from flux_secret.model.change import ChangeSet
from flux_secret.model.restart import FreezeWindow, Restarted, RestartPolicy

POLICY = RestartPolicy()
NIGHT = RestartPolicy(freeze=(FreezeWindow.parse("mon 08:00-18:00"),))
WEB = consumer("web", env("s", "k"), replicas=2)
DATABASE = of_kind(
    "StatefulSet", with_volume(consumer("database", {}), "s"), serviceName="database"
)
NODES = of_kind("DaemonSet", consumer("nodes", env_from("s")))
OTHER_KEY = consumer("other-key", env("s", "l"))
OTHER = consumer("other", {})
ALL = (WEB, DATABASE, NODES, OTHER_KEY, OTHER)
KINDS = (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS)


async def test_a_rotation_rolls_exactly_the_consumers_once(world: World) -> None:
    agent = Agent(world, POLICY)
    await agent.rotate("first", *ALL)
    assert set((await generations(world, *KINDS)).values()) == {1}
    before = await pods(world)
    await agent.rotate("second", *ALL)
    once = {"web": 2, "database": 2, "nodes": 2, "other-key": 1, "other": 1}
    assert await generations(world, *KINDS) == once
    await agent.over()
    after = await pods(world)
    new = {uid: name for uid, (name, carried) in after.items() if carried}
    assert new.keys().isdisjoint(before)
    assert set(new.values()) == {"web", "database", "nodes"}
    assert {name for name, carried in after.values() if not carried} == {"other-key", "other"}
    assert ("web", await mark(world, "web")) in after.values()
    for value in ("second", "second"):  # delivered again, and by a new process
        await agent.rotate(value, *ALL)
        agent = Agent(world, POLICY)
        await agent.rotate(value, *ALL)
        await agent.later(hours=1)
    assert await generations(world, *KINDS) == once
    await agent.rotate("third", *ALL)
    assert (await generations(world, *KINDS))["web"] == 3


async def test_the_mark_and_the_manifest_do_not_fight(world: World) -> None:
    agent = Agent(world, POLICY)
    await agent.rotate("first", WEB)
    await agent.rotate("second", WEB)
    said = await mark(world, "web")
    assert len(said) == 32
    round_ = world.applier.round()
    assert await round_.settled(world.target(APP), ChangeSet())
    done = await agent.rotate("second", WEB)
    assert done.lines == ["secret/s unchanged", "deployment.apps/web unchanged"]
    assert done.traffic.writes == 0
    before = dict(world.client.traffic.requests)
    await agent.restarter.before([world.target(APP)])
    await agent.restarter.after(done.deliveries)
    assert dict(world.client.traffic.requests) == before
    newer = consumer("web", {**env("s", "k"), "image": "nginx:1.28"}, replicas=2)
    await agent.rotate("second", newer)
    assert await mark(world, "web") == said
    assert (await generations(world))["web"] == 3
    live = await world.must(DEPLOYMENTS, "web")
    managers = {entry.manager for entry in live.managed if entry.operation == "Apply"}
    assert managers == {"flux-secret", "flux-secret-restart"}


async def test_neither_first_contact_nor_a_new_leader_restarts_anything(world: World) -> None:
    world.restart = None
    old = secret("s", {"k": b"first", "l": b"same"})
    await world.deliver({APP: [old, WEB]})  # from before restarts were asked for
    agent = Agent(world, POLICY)
    await agent.rotate("first", WEB)
    await agent.later(hours=1)
    leader = Agent(world, POLICY)
    await leader.rotate("first", WEB)
    await leader.later(hours=1)
    assert await generations(world) == {"web": 1}
    await leader.rotate("second", WEB)
    assert await generations(world) == {"web": 2}


async def test_a_workload_that_came_with_the_value_is_not_restarted_for_it(world: World) -> None:
    agent = Agent(world, POLICY)
    await agent.rotate("first")
    await agent.rotate("second", WEB)
    await agent.later(hours=1)
    assert await generations(world) == {"web": 1}
    await agent.rotate("third", WEB)
    assert await generations(world) == {"web": 2}


async def test_a_budget_holds_back_and_gives_again(world: World) -> None:
    agent = Agent(world, RestartPolicy(budget=1))
    them = [consumer(name, env("s", "k")) for name in ("a", "b", "c")]
    await agent.rotate("first", *them)
    await agent.rotate("second", *them)
    assert await generations(world) == {"a": 2, "b": 1, "c": 1}
    why = f"the budget: 1 a minute in {world.name}"
    assert {(await agent.rollouts())[name].waiting_for for name in "bc"} == {why}
    agent = Agent(world, RestartPolicy(budget=1), agent.now)  # no full purse for a new process
    await agent.rotate("second", *them)
    await agent.later(seconds=59)
    assert await generations(world) == {"a": 2, "b": 1, "c": 1}
    await agent.later(seconds=2)
    assert await generations(world) == {"a": 2, "b": 2, "c": 1}
    await agent.later(seconds=61)
    await agent.later(seconds=61)
    assert await generations(world) == {"a": 2, "b": 2, "c": 2}


async def test_a_freeze_holds_back_until_its_end(world: World) -> None:
    agent = Agent(world, NIGHT)
    await agent.rotate("first", WEB)
    await until_running(world, 2)
    await agent.rotate("second", WEB)
    assert await generations(world) == {"web": 1}
    told = (await agent.rollouts())["web"]
    assert (told.pods_old, told.pods_new, told.secrets) == (2, 0, ("s",))
    assert told.waiting_for == "the end of a freeze: 2026-11-30T18:00+00:00"
    agent = Agent(world, NIGHT, agent.now)
    await agent.rotate("third", WEB)
    await agent.later(hours=8, minutes=59)
    assert await generations(world) == {"web": 1}
    await agent.later(minutes=1)
    assert await generations(world) == {"web": 2}  # once for both
    await agent.over()


async def test_a_value_that_comes_back_during_a_freeze_needs_no_restart(world: World) -> None:
    agent = Agent(world, NIGHT)
    for value in ("first", "second", "first"):
        await agent.rotate(value, WEB)
    await agent.later(hours=12)
    assert await generations(world) == {"web": 1}
    assert await agent.rollouts() == {}


async def test_somebodys_own_restart_counts_and_is_not_fought(world: World) -> None:
    agent = Agent(world, NIGHT)
    await agent.rotate("first", WEB)
    await agent.rotate("second", WEB)
    stamp = {"kubectl.kubernetes.io/restartedAt": "2026-11-30T10:00:00Z"}
    patch = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    await world.edit(DEPLOYMENTS, "web", patch, manager="kubectl-rollout")
    await agent.later(hours=12)
    await agent.rotate("second", WEB)
    assert await generations(world) == {"web": 2}
    await agent.rotate("third", WEB)
    tree = await world.read(DEPLOYMENTS, "web")
    assert stamp.items() <= tree["spec"]["template"]["metadata"]["annotations"].items()
    assert await generations(world) == {"web": 3}


async def test_others_that_use_the_secret_are_restarted_where_that_is_asked_for(
    world: World,
) -> None:
    agent = Agent(world, POLICY)
    await world.make(DEPLOYMENTS, WEB)
    await agent.rotate("first")
    await agent.rotate("second")
    assert await generations(world) == {"web": 1}
    agent = Agent(world, RestartPolicy(Restarted.ALL))
    await agent.rotate("second")
    assert await generations(world) == {"web": 1}
    await agent.rotate("third")
    assert await generations(world) == {"web": 2}


async def test_an_annotation_says_never(world: World) -> None:
    agent = Agent(world, POLICY)
    never = {**WEB, "metadata": {"name": "web", "annotations": {"flux-secret.io/restart": "never"}}}
    await agent.rotate("first", never)
    await agent.rotate("second", never)
    assert await generations(world) == {"web": 1}


async def test_pods_that_nobody_rolls_are_counted_as_old(world: World) -> None:
    agent = Agent(world, POLICY)
    lazy = of_kind("StatefulSet", consumer("web", env("s", "k")), serviceName="web",
                   updateStrategy={"type": "OnDelete"})  # fmt: skip
    await agent.rotate("first", lazy)
    await until_running(world, 1)
    await agent.rotate("second", lazy)
    told = (await agent.rollouts())["web"]
    assert (told.pods_old, told.pods_new, told.waiting_for) == (1, 0, "its rollout")
    await agent.later(hours=1)
    assert (await agent.rollouts())["web"].pods_old == 1
    await world.delete(PODS, "web-0")
    await agent.over()
    assert list((await pods(world)).values()) == [("web", await mark(world, "web", STATEFUL_SETS))]
