"""When the cluster fails, refuses or is shared: restarts wait, and none is forgotten."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from flux_secret.apply.restart import restarter as module
from flux_secret.errors import FluxSecretError, UnreachableError
from flux_secret.model.change import Action, Change
from flux_secret.model.delivery import Delivery
from flux_secret.model.names import ObjectKey
from flux_secret.model.restart import FreezeWindow, Restarted, RestartPolicy, SecretRollout
from unit.apply.restart.cluster import FakeCluster, refusing, secret, target, values, web

DEMO = target()


async def rotated(cluster: FakeCluster, value: str = "new") -> module.Restarter:
    """Deliver, and deliver another value."""
    restarter = cluster.restarter()
    for said in ("old", value):
        await restarter.before([DEMO])
        await restarter.after([cluster.deliver(DEMO, {secret(): said}, web())])
    return restarter


async def test_a_rotation_is_restarted_with_the_narrowest_role() -> None:
    """What `install` grants: get and patch of Deployments, ConfigMaps of our own."""
    cluster = FakeCluster()
    cluster.run(web())
    cluster.refuses = refusing("list deployments", "list pods", "list secrets", "get configmaps")
    restarter = await rotated(cluster)
    assert cluster.restarted == ["web"]
    (told,) = await restarter.rollouts()
    assert (told.workload, told.pods_old, told.pods_new) == (web(), None, None)
    assert (told.secrets, told.since, told.waiting_for) == (("s",), cluster.now, "its rollout")


async def test_a_round_with_nothing_to_do_asks_nothing() -> None:
    cluster = FakeCluster()
    cluster.run(web())
    restarter = cluster.restarter()
    await restarter.before([DEMO])
    await restarter.after([cluster.deliver(DEMO, {secret(): "old"}, web())])
    cluster.asked.clear()
    settled = Delivery(DEMO)
    settled.changes.add(Change(secret(), Action.UNCHANGED))
    settled.changes.add(Change(secret("left"), Action.SKIPPED, "ignored", lasting=True))
    await restarter.before([DEMO])
    await restarter.after([settled])
    assert cluster.asked == []


async def test_a_target_without_a_policy_asks_nothing() -> None:
    cluster = FakeCluster()
    off = target("off")
    object.__setattr__(off, "restart", None)
    restarter = cluster.restarter()
    await restarter.before([off])
    await restarter.after([cluster.deliver(off, {secret(): "old"})])
    assert cluster.asked == []


@pytest.mark.parametrize(
    "request_",
    [
        "list configmaps flux flux-secret.io/inventory",
        "list configmaps flux applyset",
        "list configmaps",
        "update configmaps",
    ],
)
async def test_an_api_server_that_is_gone_raises_nothing_and_loses_nothing(request_: str) -> None:
    cluster = FakeCluster()
    cluster.run(web())
    restarter = cluster.restarter()
    await restarter.before([DEMO])
    await restarter.after([cluster.deliver(DEMO, {secret(): "old"}, web())])
    if "applyset" not in request_ and request_.startswith("list"):  # a new process
        restarter = cluster.restarter()
    cluster.refuses = refusing(request_, with_=UnreachableError)
    with capture_logs() as said:
        await restarter.before([DEMO])
        await restarter.after([cluster.deliver(DEMO, {secret(): "new"}, web())])
    assert {one["event"] for one in said if one["log_level"] == "warning"} == {"restarts.failed"}
    assert cluster.restarted == []
    cluster.refuses = refusing()
    await restarter.settle()
    assert cluster.restarted == ["web"]


async def test_a_workload_that_may_not_be_restarted_holds_up_no_other() -> None:
    cluster = FakeCluster()
    two = [cluster.run(web("a")), cluster.run(web("b"))]
    restarter = cluster.restarter()
    cluster.refuses = refusing("patch deployments dev/a")
    for said in ("old", "new"):
        await restarter.before([DEMO])
        await restarter.after([cluster.deliver(DEMO, {secret(): said}, *two)])
    assert cluster.restarted == ["b"]
    waits = {one.workload.name: one.waiting_for for one in await restarter.rollouts()}
    assert waits == {"a": "not allowed", "b": "its rollout"}
    cluster.refuses = refusing()
    await restarter.settle()
    assert cluster.restarted == ["a", "b"]


async def test_a_damaged_record_holds_up_no_other_namespace() -> None:
    cluster = FakeCluster()
    there = [cluster.run(web()), cluster.run(web("other", "prod"))]
    secrets = [secret(), secret(namespace="prod")]
    restarter = cluster.restarter()
    await restarter.before([DEMO])
    await restarter.after([cluster.deliver(DEMO, dict.fromkeys(secrets, "old"), *there)])
    cluster.objects["ConfigMap", "flux", "flux-secret-restarts-dev"]["data"] = {}
    restarter = cluster.restarter()
    with capture_logs() as said:
        await restarter.before([DEMO])
        await restarter.after([cluster.deliver(DEMO, dict.fromkeys(secrets, "new"), *there)])
    assert cluster.restarted == ["other"]
    assert any("configmap/flux-secret-restarts-dev is damaged" in one.get("err", "")
               for one in said)  # fmt: skip


async def test_what_waits_is_taken_up_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAUSE_SECONDS", 0.0)
    cluster, frozen = FakeCluster(), RestartPolicy(freeze=(FreezeWindow.parse("mon"),))
    cluster.run(web())
    one = target(policy=frozen)
    restarter = cluster.restarter()
    async with restarter.running():
        for said in ("old", "new"):
            await restarter.before([one])
            await restarter.after([cluster.deliver(one, {secret(): said}, web())])
        cluster.asked.clear()
        for _ in range(20):
            await asyncio.sleep(0)
        assert cluster.restarted == []
        assert not any("deployments" in asked for asked in cluster.asked)  # it only waits
        cluster.now += dt.timedelta(days=1)
        async with asyncio.timeout(10):
            while not cluster.restarted:
                await asyncio.sleep(0)
    cluster.asked.clear()
    await asyncio.sleep(0)
    assert cluster.asked == []


@pytest.mark.parametrize("fate", ["gone", "another", "policy", "secret"])
async def test_what_is_due_no_more_is_forgotten(fate: str) -> None:
    cluster = FakeCluster()
    cluster.run(web())
    one = target(policy=RestartPolicy(freeze=(FreezeWindow.parse("mon"),)))
    restarter = cluster.restarter()
    for said in ("old", "new"):
        await restarter.before([one])
        await restarter.after([cluster.deliver(one, {secret(): said}, web())])
    assert len(await restarter.rollouts()) == 1
    if fate == "gone":
        del cluster.objects["Deployment", "dev", "web"]
    elif fate == "another":
        cluster.objects["Deployment", "dev", "web"]["metadata"]["uid"] = "another"
    elif fate == "policy":
        object.__setattr__(one, "restart", None)
    else:
        gone = cluster.deliver(one, {}, web())
        gone.changes.add(Change(secret(), Action.FAILED))
        await restarter.after([gone])
    cluster.now += dt.timedelta(days=1)
    await restarter.settle()
    assert await restarter.rollouts() == []
    assert cluster.restarted == []


async def test_a_secret_of_a_target_that_is_not_ours_is_left_as_it_is() -> None:
    """Another replica has it: what the record says of it stays."""
    cluster, theirs = FakeCluster(), target("theirs")
    cluster.run(web("t"), "t")
    other = cluster.restarter()
    await other.before([theirs])
    await other.after([cluster.deliver(theirs, {secret("t"): "old"}, web("t"))])
    ours = cluster.restarter()
    await ours.before([DEMO])
    cluster.deliver(theirs, {secret("t"): "new"}, web("t"))
    await ours.after([cluster.deliver(DEMO, {secret(): "old"}, web())])
    assert cluster.restarted == []
    heir = cluster.restarter()
    await heir.before([theirs])
    assert cluster.restarted == ["t"]


async def test_a_secret_that_is_handed_over_is_seen_once_one_list_has_it() -> None:
    cluster, other = FakeCluster(), target("other")
    cluster.run(web())
    restarter = cluster.restarter()
    await restarter.before([DEMO, other])
    await restarter.after([cluster.deliver(DEMO, {secret(): "old"}, web())])
    both = cluster.deliver(other, {secret(): "new"}, web())
    await restarter.after([both])  # the other list still has it, with the old value
    assert cluster.restarted == []
    cluster.deliver(DEMO, {})
    await restarter.settle()
    assert cluster.restarted == ["web"]


async def test_a_value_that_is_not_listed_for_a_while_is_compared_when_it_is() -> None:
    """A person delivered it once, with flags that restart nothing."""
    cluster = FakeCluster()
    cluster.run(web())
    restarter = await rotated(cluster, "old")
    unlisted = cluster.deliver(DEMO, {}, secret(), web())
    unlisted.changes.add(Change(secret(), Action.CONFIGURED))
    await restarter.after([unlisted])
    assert cluster.restarted == []
    await restarter.after([cluster.deliver(DEMO, {secret(): "new"}, web())])
    assert cluster.restarted == ["web"]


async def test_an_end_between_restart_and_note_is_taken_up_and_counts_in_the_budget() -> None:
    cluster = FakeCluster()
    one = target(policy=RestartPolicy(budget=1))
    two = [cluster.run(web("a")), cluster.run(web("b"))]
    restarter = cluster.restarter()
    await restarter.before([one])
    await restarter.after([cluster.deliver(one, {secret(): "old"}, *two)])
    writes: list[str] = []

    def ends(request: str) -> FluxSecretError | None:
        writes.append(request)
        updates = [one for one in writes if one.startswith("update configmaps")]
        return UnreachableError("gone", remedy="none") if len(updates) > 1 else None

    cluster.refuses = ends
    await restarter.after([cluster.deliver(one, {secret(): "new"}, *two)])
    assert cluster.restarted == ["a"]
    cluster.refuses = refusing()
    heir = cluster.restarter()
    await heir.before([one])
    assert cluster.restarted == ["a"]
    waits = {one.workload.name: one.waiting_for for one in await heir.rollouts()}
    assert waits == {"a": "its rollout", "b": "the budget: 1 a minute in dev"}


async def test_a_rollout_that_somebody_undid_is_not_followed_any_more() -> None:
    cluster = FakeCluster()
    cluster.run(web())
    restarter = await rotated(cluster)
    cluster.run(web())  # as it was
    cluster.now += dt.timedelta(minutes=1)
    await restarter.settle()
    assert await restarter.rollouts() == []
    assert cluster.restarted == []


async def test_of_two_targets_each_restarts_what_it_may_and_the_smaller_budget_counts() -> None:
    cluster = FakeCluster()
    mine, both = cluster.run(web("mine"), "s"), cluster.run(web("with-both"), "s", "t")
    cluster.run(web("theirs"), "s")  # nobody delivers it, and who delivers "s" restarts its own
    cluster.run(web("z"), "t")
    narrow = target("narrow", RestartPolicy(budget=1))
    wide = target("wide", RestartPolicy(Restarted.ALL, budget=5))
    restarter = cluster.restarter()
    for said in ("old", "new"):
        await restarter.before([narrow, wide])
        first = cluster.deliver(narrow, {secret(): said}, mine, both)
        await restarter.after([first, cluster.deliver(wide, {secret("t"): said})])
    waits = {one.workload.name: one.waiting_for for one in await restarter.rollouts()}
    assert waits == {
        "mine": "its rollout",
        "with-both": "the budget: 1 a minute in dev",
        "z": "its rollout",
    }


async def test_rollouts_are_told_when_they_begin_change_and_end() -> None:
    cluster, told = FakeCluster(), list[Sequence[SecretRollout]]()
    cluster.run(web())
    one = target(policy=RestartPolicy(freeze=(FreezeWindow.parse("mon"),)))
    restarter = cluster.restarter()
    restarter.tell(told.append)
    for said in ("old", "new"):
        await restarter.before([one])
        await restarter.after([cluster.deliver(one, {secret(): said}, web())])
    await restarter.settle()
    await restarter.settle()
    assert [rollout.waiting_for for (rollout,) in told] == [
        "the end of a freeze: 2026-12-01T00:00+00:00"
    ]
    assert told[0][0].targets == {"demo"}
    cluster.now += dt.timedelta(days=1)
    await restarter.settle()
    assert [rollout.waiting_for for (rollout,) in told[1:]] == ["its rollout"]
    del cluster.objects["Deployment", "dev", "web"]
    await restarter.settle()
    assert [len(rollouts) for rollouts in told] == [1, 1, 0]


async def test_numbers_that_cannot_be_had_are_no_failure() -> None:
    cluster = FakeCluster()
    cluster.run(web())
    restarter = cluster.restarter()
    restarter.tell(lambda _rollouts: None)
    await restarter.before([DEMO])
    await restarter.after([cluster.deliver(DEMO, {secret(): "old"}, web())])
    cluster.refuses = refusing("list pods", with_=UnreachableError)
    with capture_logs() as said:
        await restarter.after([cluster.deliver(DEMO, {secret(): "new"}, web())])
    assert cluster.restarted == ["web"]
    assert "restarts.not_counted" in {one["event"] for one in said}


async def test_what_another_replica_delivers_is_taken_up_when_it_comes_here() -> None:
    cluster = FakeCluster()
    cluster.run(web())
    held = target(policy=RestartPolicy(freeze=(FreezeWindow.parse("mon"),)))
    ours, theirs = cluster.restarter(), cluster.restarter()
    for restarter in (ours, theirs):  # both have seen it
        await restarter.before([held])
    for said in ("old", "new"):
        await ours.after([cluster.deliver(held, {secret(): said}, web())])
    ours.owns = lambda _target: False
    ours.forget()
    theirs.forget()
    cluster.now += dt.timedelta(days=1)
    await ours.settle()
    assert cluster.restarted == []
    await theirs.before([held])
    assert cluster.restarted == ["web"]
    assert await ours.rollouts() != []


async def test_no_value_stands_in_a_record_a_mark_or_a_log() -> None:
    cluster = FakeCluster()
    cluster.run(web())
    with capture_logs() as said:
        await rotated(cluster, "hunter2")
    everything = f"{cluster.objects} {said}"
    assert "hunter2" not in everything
    assert "aHVudGVyMg" not in everything
    assert values(secret(), "hunter2")["k"] in everything


def test_only_what_rolls_out_its_template_is_restarted() -> None:
    from flux_secret.apply.restart.owned import is_restartable

    kinds = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"]
    found = [is_restartable(ObjectKey("apps", kind, "dev", "x")) for kind in kinds]
    assert found == [True, True, True, False]
    assert not is_restartable(ObjectKey("batch", "Job", "dev", "x"))
    assert not is_restartable(ObjectKey("example.org", "Deployment", "dev", "x"))
