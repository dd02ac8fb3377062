"""Several Apps, accounts and replicas restart in one cluster: none forgets or hides another's."""

from __future__ import annotations

from collections.abc import Sequence

from structlog.testing import capture_logs

from flux_secret.model.restart import FreezeWindow, Restarted, RestartPolicy, SecretRollout
from unit.apply.restart.cluster import FakeCluster, refusing, secret, target, web

DEMO = target()


async def test_of_an_app_that_came_to_another_replica_since_nothing_is_forgotten() -> None:
    """One that read the lists before writes the record of the namespace, too."""
    cluster, theirs = FakeCluster(), target("theirs")
    cluster.run(web())
    cluster.run(web("t"), "t")
    ours, other = cluster.restarter(), cluster.restarter()
    await ours.before([DEMO])
    await ours.after([cluster.deliver(DEMO, {secret(): "old"}, web())])
    await other.before([theirs])
    await other.after([cluster.deliver(theirs, {secret("t"): "old"}, web("t"))])
    await ours.after([cluster.deliver(DEMO, {secret(): "new"}, web())])
    await other.after([cluster.deliver(theirs, {secret("t"): "new"}, web("t"))])
    assert cluster.restarted == ["t", "web"]


async def test_an_account_that_may_not_look_holds_up_no_other_app_of_its_namespace() -> None:
    cluster = FakeCluster()
    account = FakeCluster(cluster.objects)
    cluster.run(web())
    cluster.run(web("t"), "t")
    poor = target("poor", account="dev:app")
    restarter = cluster.restarter({"dev:app": account})
    account.refuses = refusing("get deployments", "list deployments")
    with capture_logs() as logs:
        for said in ("old", "new"):
            await restarter.before([DEMO, poor])
            first = cluster.deliver(poor, {secret("t"): said}, web("t"))
            await restarter.after([first, cluster.deliver(DEMO, {secret(): said}, web())])
    assert cluster.restarted == ["web"]
    assert [one["err"] for one in logs if one["event"] == "restarts.failed"] == ["not allowed"]
    account.refuses = refusing()
    await restarter.settle()
    assert cluster.restarted == ["t", "web"]


async def test_what_an_account_may_not_see_hides_no_rollout_of_another_app() -> None:
    cluster, told = FakeCluster(), list[Sequence[SecretRollout]]()
    account = FakeCluster(cluster.objects)
    cluster.run(web())
    cluster.run(web("t", "prod"), "t")
    frozen = RestartPolicy(freeze=(FreezeWindow.parse("mon"),))
    poor = target("poor", frozen, account="prod:app")
    restarter = cluster.restarter({"prod:app": account})
    restarter.tell(told.append)
    for said in ("old", "new"):
        await restarter.before([DEMO, poor])
        theirs = cluster.deliver(poor, {secret("t", "prod"): said}, web("t", "prod"))
        await restarter.after([theirs, cluster.deliver(DEMO, {secret(): "old"}, web())])
    account.refuses = refusing("get deployments")
    await restarter.after([cluster.deliver(DEMO, {secret(): "new"}, web())])
    waits = {one.workload.name: (one.pods_old, one.waiting_for) for one in told[-1]}
    assert waits == {
        "t": (None, "the end of a freeze: 2026-12-01T00:00+00:00"),
        "web": (0, "its rollout"),
    }


async def test_everything_is_done_in_the_name_of_the_targets_account() -> None:
    cluster = FakeCluster()
    account = FakeCluster(cluster.objects)
    cluster.run(web())
    one = target(policy=RestartPolicy(Restarted.ALL), account="dev:app")
    restarter = cluster.restarter({"dev:app": account})
    for said in ("old", "new"):
        await restarter.before([one])
        await restarter.after([cluster.deliver(one, {secret(): said})])
    await restarter.rollouts()
    assert cluster.restarted == ["web"]
    assert [
        asked for asked in cluster.asked if "configmaps" not in asked and "secrets" not in asked
    ] == []
    assert not any("configmaps" in asked for asked in account.asked)
