"""What people ask about Apps with our commands, while an agent runs and while none does."""

from __future__ import annotations

import json

from behaviour.test_custom_resources import (
    agents_own,
    cluster,  # noqa: F401 -- a fixture
    put_app,
    put_store,
    ready,
    running,
)
from simulators.agents import address, agent, until, value
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import FIRST, SECOND, Done, World

OURS = {"component": "flux-secret"}


def asked(world: World, *arguments: str, where: str | None = None) -> Done:
    place = ["-n", world.namespace if where is None else where]
    return world.run(*arguments, *place, f"--kubeconfig={world.kubeconfig}")


def test_status_shows_how_an_app_stands_also_when_no_agent_runs(cluster: World) -> None:  # noqa: F811
    put_app(cluster)
    new = asked(cluster, "status")
    assert new.code == 0
    assert "Unknown" in new.out
    assert "no agent has looked at it yet" in new.out
    with running(cluster):
        put_store(cluster)
        until(lambda: ready(cluster) == "True")
    shown = asked(cluster, "status", "demo", "--exit-code")
    assert shown.code == 0, shown.err
    head, row = (line.split() for line in shown.out.splitlines())
    assert head == ["NAMESPACE", "NAME", "READY", "REASON", "REVISION", "SINCE"]
    assert row[:4] == [cluster.namespace, "demo", "True", "ReconciliationSucceeded"]
    assert cluster.ops.head[:8] in row[4]
    assert cluster.store.head[:8] in row[4]
    data = json.loads(asked(cluster, "status", "-o", "json").out)["apps"]
    assert [(one["name"], one["ready"]) for one in data] == [("demo", True)]
    assert "name: demo" in asked(cluster, "status", "-o", "yaml").out


def test_status_says_what_is_wrong_since_when_and_what_comes_next(cluster: World) -> None:  # noqa: F811
    with running(cluster):
        put_store(cluster, paths=("other",))
        put_app(cluster)
        until(lambda: ready(cluster) == "False")
        shown = asked(cluster, "status", "--exit-code")
    assert shown.code == 1
    assert "AccessDenied" in shown.out
    assert "demo: not ready since " in shown.out
    assert "may not be read by" in shown.out
    assert "next: it is tried again, which hardly helps before somebody mends it" in shown.out


def test_a_name_that_is_not_there_is_told_with_what_is_like_it(cluster: World) -> None:  # noqa: F811
    put_app(cluster)
    wrong = asked(cluster, "status", "dmeo")
    assert wrong.code == 2
    assert "there is no App dmeo in namespace" in wrong.err
    assert "did you mean demo?" in wrong.err


def test_sync_asks_for_apps_and_waits_until_they_are_done(cluster: World) -> None:  # noqa: F811
    with running(cluster) as one:
        put_store(cluster)
        put_app(cluster)
        until(lambda: ready(cluster) == "True")
        before = one.log.read_text().count("delivery.finished")
        done = asked(cluster, "sync", "demo")
        assert done.code == 0, done.err
        assert f"{cluster.namespace}/demo: delivered at " in done.out
        assert one.log.read_text().count("delivery.finished") > before
        cluster.damage("demo")
        failed = asked(cluster, "sync")
        assert failed.code == 4
        assert "not delivered" in failed.out
        assert value(cluster) == FIRST


def test_sync_says_that_no_agent_is_there(cluster: World) -> None:  # noqa: F811
    put_app(cluster)
    done = asked(cluster, "sync", "demo", "--timeout=1s")
    assert done.code == 5
    assert f"no agent was done with {cluster.namespace}/demo within 1 s" in done.err


def test_suspended_apps_stand_still_until_they_are_resumed(cluster: World) -> None:  # noqa: F811
    with running(cluster):
        put_store(cluster)
        put_app(cluster)
        until(lambda: ready(cluster) == "True")
        assert asked(cluster, "suspend").code == 2
        done = asked(cluster, "suspend", "--all")
        assert done.out == f"app/demo in {cluster.namespace} suspended\n", done.err
        assert "is suspended already" in asked(cluster, "suspend", "demo").out
        assert "Suspended" in asked(cluster, "status").out
        refused = asked(cluster, "sync", "demo")
        assert refused.code == 3
        assert f"flux-secret resume demo -n {cluster.namespace}" in refused.err
        cluster.put("demo", SECOND)
        assert asked(cluster, "resume", "demo").out.endswith("resumed\n")
        until(lambda: value(cluster) == SECOND)
        assert "was not suspended" in asked(cluster, "resume", "demo").out


def test_an_agent_answers_for_apps_that_are_no_objects(cluster: World) -> None:  # noqa: F811
    with running(cluster) as one:
        put_store(cluster)
        put_app(cluster)
        until(lambda: ready(cluster) == "True")
        shown = cluster.run("status", f"--url={address(one)}", "-o", "json")
        apps = json.loads(shown.out)["apps"]
        assert [(each["name"], each["ready"], each["objects"]) for each in apps] == [
            ("demo", True, 4)
        ]
        wrong = cluster.run("status", "nobody", f"--url={address(one)}")
        assert wrong.code == 2
        assert f"{cluster.namespace}/demo" in wrong.err
    assert agents_own(cluster)


def test_what_happens_to_an_app_is_told_in_events(cluster: World) -> None:  # noqa: F811
    def told() -> str:
        return asked(cluster, "events", "demo").out

    with running(cluster):
        put_store(cluster)
        put_app(cluster)
        until(lambda: "delivered" in told())
        head, first = told().splitlines()
        assert head.split() == ["LAST", "TYPE", "REASON", "OBJECT", "MESSAGE"]
        assert "secret/demo-secret" in first
        assert "app/demo" in first
        cluster.damage("demo")
        until(lambda: "Warning" in told())
        cluster.put("demo", SECOND)
        until(lambda: "recovered" in told())
        assert "1 configured: secret/demo-secret" in told()
        asked(cluster, "suspend", "demo")
        until(lambda: "Suspended" in told())
    seen = cluster.kubectl("get", "events", "-n", cluster.namespace, "-o", "json")
    items = [one for one in json.loads(seen.out)["items"] if one["source"] == OURS]
    app = cluster.get("apps.flux-secret.io", "demo")
    assert app is not None
    assert {one["involvedObject"]["uid"] for one in items} == {app["metadata"]["uid"]}
    assert all("flux-secret.io/revision" in one["metadata"]["annotations"] for one in items)
    assert SECOND.decode().strip() not in seen.out
    data = json.loads(asked(cluster, "events", "-o", "json").out)["events"]
    assert [one["reason"] for one in data][-1] == "Suspended"
    assert "no events found" in asked(cluster, "events", "nobody").err


def test_flags_have_their_events_in_the_agents_namespace(cluster: World) -> None:  # noqa: F811
    with agent(cluster, "--adopt-existing"):
        until(lambda: "delivered" in asked(cluster, "events", where=agents_own(cluster)).out)
    told = asked(cluster, "events", where=agents_own(cluster)).out
    assert f"namespace/{agents_own(cluster)}" in told
