"""The agent's log, for those who grep Flux v1's and alert on it (facts: flux-v1 §2.9, §4.3)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simulators.agents import Agent, address, agent, until, value
from simulators.githosts import https_host
from simulators.world import APPLICATION, FIRST, World

LOGIN = "deploy:p%40ss%2Fw%23rd"
QUIET = ("--sync-interval=1h", "--git-poll-interval=1h")
PAIR = re.compile(r'([A-Za-z_.-]+)=("(?:[^"\\]|\\.)*"|[^ "]*)(?: |$)')


def parsed(line: str) -> Mapping[str, str]:
    """Read a line as go-logfmt writes it; all of it must be pairs."""
    assert PAIR.sub("", line) == "", line
    return {
        name: json.loads(text) if text.startswith('"') else text
        for name, text in PAIR.findall(line)
    }


def lines(running: Agent) -> Sequence[Mapping[str, str]]:
    return [parsed(line) for line in running.log.read_text().splitlines()]


def grep(running: Agent, pattern: str) -> re.Match[str] | None:
    return re.search(pattern, running.log.read_text(), re.MULTILINE)


def break_the_deployment(world: World) -> str:
    text = (world.ops.path / "demo/base/deployment.yaml").read_text()
    wrong = text.replace("replicas: 1", "replicas: -1")
    return world.ops.commit({"demo/base/deployment.yaml": wrong}, 'break it = "really"')


def test_flux_v1s_lines_are_found_and_no_password_and_no_value_is(
    world: World, tmp_path: Path
) -> None:
    with https_host(tmp_path / "host", world.root) as host:
        where = (f"--git-url={host.url('ops', LOGIN)}", f"--git-ca-file={host.ca_file}")
        with agent(world, *QUIET, *where) as running:
            until(lambda: value(world) == FIRST)
            until(lambda: grep(running, 'event="Sync:') is not None)
            first = world.ops.head
            url = re.escape(host.url("ops"))
            for pattern in (
                (
                    rf"^ts=\S+ caller=\S+:\d+ component=sync-loop event=refreshed url={url} "
                    rf"branch=master HEAD={first} "
                ),
                (
                    r'component=daemon info="trying to sync git changes to the cluster" '
                    rf"old= new={first} "
                ),
                r"component=cluster method=Sync cmd=apply args= count=4 ",
                (
                    r'cmd="server-side apply" took=[0-9.]+s err=null output=".*'
                    r"secret/demo-secret created"
                ),
                (
                    rf'component=daemon event="Sync: {first[:7]}, <cluster>:namespace/'
                    rf"{world.namespace}, .*{world.namespace}:secret/demo-secret.*"
                    r'" logupstream=false'
                ),
            ):
                assert grep(running, pattern), pattern
            second = break_the_deployment(world)
            assert world.run("sync", f"--url={address(running)}").code == 7
            for pattern in (
                r"component=sync-loop jobID=\S+ state=in-progress ",
                r"component=sync-loop jobID=\S+ state=done success=false err=",
                rf'info="trying to sync git changes to the cluster" old={first} new={second} ',
                (
                    rf"component=daemon msg=object.failed .*resource={world.namespace}:"
                    r'deployment/demo err="'
                ),
            ):
                assert grep(running, pattern), pattern
            event = next(one for one in reversed(lines(running)) if "serviceIDs" in one)
            running.stop()
            assert lines(running)[-1]["stopping"] == "true"
            text = running.log.read_text()
    metadata = json.loads(event["metadata"])
    assert event["event"] == f"Sync: {second[:7]}, no workloads changed"
    assert metadata["commits"] == [{"revision": second, "message": 'break it = "really"'}]
    assert metadata["includes"] == {"other": True}
    (error,) = metadata["errors"]
    assert error["ID"] == f"{world.namespace}:deployment/demo"
    assert "demo/overlay/dev" in error["Path"]
    assert "spec.replicas" in error["Error"]
    for hidden in ("p@ss", "p%40ss", "deploy:", FIRST.decode().strip(),
                   base64.b64encode(FIRST).decode()):  # fmt: skip
        assert hidden not in text


def test_json_has_the_same_facts_and_nothing_else_is_printed(world: World) -> None:
    with agent(world, *QUIET, "--log-format=json", "--sync-garbage-collection") as running:
        until(lambda: value(world) == FIRST)
        kustomization = f"{APPLICATION}/kustomization.yaml"
        text = (world.ops.path / kustomization).read_text()
        world.ops.commit({kustomization: text.replace("  - service.yaml\n", "")}, "no service")
        assert world.run("sync", f"--url={address(running)}").code == 0
        world.damage("demo")
        assert world.run("sync", f"--url={address(running)}").code == 4
        told: list[dict[str, Any]] = [
            json.loads(line) for line in running.log.read_text().splitlines()
        ]
    assert told[0]["version"]
    assert all(list(one)[:2] == ["ts", "caller"] for one in told)
    events = [one for one in told if one.get("event", "").startswith("Sync: ")]
    assert events[0]["metadata"]["initialSync"] is True
    assert f"{world.namespace}:secret/demo-secret" in events[0]["serviceIDs"]
    assert [one["message"] for one in events[1]["metadata"]["commits"]] == ["no service"]
    removed = [one for one in told if "dry-run" in one]
    assert [(one["info"], one["dry-run"], one["resource"]) for one in removed] == [
        (
            "cluster resource not in resources to be synced; deleting", False,
            f"{world.namespace}:service/demo-service",
        )
    ]  # fmt: skip
    loop = [one for one in told if one.get("component") == "sync-loop" and "err" in one]
    assert any(one["err"].startswith(f"{APPLICATION}: ") for one in loop)
