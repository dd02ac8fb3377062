"""The real fluxctl asks a running agent about what it has delivered."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flux_secret.outside.process import Completed
from simulators.agents import address, agent, until, value
from simulators.programs import ask, said
from simulators.world import APPLICATION, FIRST, World

KEPT = "settings.yaml"
SETTINGS = """apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NAMESPACE}
data: {colour: green}
"""
CRON = """apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: NAMESPACE, annotations: {fluxcd.io/ignore: sync_only}}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: tidy, image: "busybox:1.36"}]
"""
QUIET = ("--sync-interval=1h", "--git-poll-interval=1h")


def told(fluxctl: Path, url: str, *words: str) -> Completed:
    return asyncio.run(ask(fluxctl, url, *words))


def with_more(world: World) -> None:
    """Add what else an application has."""
    path = f"{APPLICATION}/kustomization.yaml"
    listed = (world.ops.path / path).read_text().replace(
        "resources:", f"resources:\n  - {KEPT}\n  - cron.yaml", 1
    )  # fmt: skip
    world.ops.commit(
        {
            path: listed,
            f"{APPLICATION}/{KEPT}": SETTINGS.replace("NAMESPACE", world.namespace),
            f"{APPLICATION}/cron.yaml": CRON.replace("NAMESPACE", world.namespace),
        }
    )


def test_workloads_are_what_is_in_the_cluster_now(world: World, fluxctl: Path) -> None:
    with_more(world)
    with agent(world, *QUIET) as running:
        until(lambda: value(world) == FIRST)
        until(lambda: running.has_said("msg=delivery.finished"))
        url, place = address(running), f"--namespace={world.namespace}"
        first = said(told(fluxctl, url, "list-workloads", place))
        edit = (
            '[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "x:9"}]'
        )
        done = world.kubectl("patch", "deployment", "demo", "-n", world.namespace, "--type=json",
                             "-p", edit)  # fmt: skip
        assert done.code == 0, done.err
        edited = said(told(fluxctl, url, "list-workloads", place))
        elsewhere = said(told(fluxctl, url, "list-workloads", "--namespace=default"))
        as_json = json.loads(
            (told(fluxctl, url, "list-workloads", place, "-o=json")).untrusted_stdout
        )
    rows = [line.split() for line in first.splitlines()]
    assert rows[0] == ["WORKLOAD", "CONTAINER", "IMAGE", "RELEASE", "POLICY"]
    assert rows[1] == [f"{world.namespace}:cronjob/nightly", "tidy", "busybox:1.36", "ready"]
    assert rows[2][:3] == [f"{world.namespace}:deployment/demo", "nginx", "nginx:1.27"]
    assert rows[2][3] in {"ready", "updating", "started"}
    assert len(rows) == 3
    assert " x:9 " in edited
    assert elsewhere.splitlines() == ["WORKLOAD  CONTAINER  IMAGE  RELEASE  POLICY"]
    assert as_json[0]["Policies"] == {"ignore": "sync_only"}
    assert as_json[1]["Labels"]["app"] == "demo"


def test_a_workload_that_was_refused_is_listed_with_the_reason(world: World, fluxctl: Path) -> None:
    text = (world.ops.path / "demo/base/deployment.yaml").read_text()
    world.ops.commit({"demo/base/deployment.yaml": text.replace("replicas: 1", "replicas: -1")})
    with agent(world, *QUIET) as running:
        url = address(running)

        def listed() -> list[Any]:
            done = told(fluxctl, url, "list-workloads", "-a", "-o=json")
            return list(json.loads(done.untrusted_stdout))

        until(lambda: bool(listed()))
        (found,) = listed()
    assert (found["ID"], found["Status"]) == (f"{world.namespace}:deployment/demo", "error")
    assert "spec.replicas" in found["SyncError"]


def test_what_is_saved_can_be_applied_again_and_holds_no_secret(
    world: World, fluxctl: Path, tmp_path: Path
) -> None:
    with_more(world)
    out = tmp_path / "saved"
    out.mkdir()
    with agent(world, *QUIET) as running:
        until(lambda: value(world) == FIRST)
        until(lambda: running.has_said("msg=delivery.finished"))
        done = told(fluxctl, address(running), "save", f"--out={out}")
    assert done.returncode == 0, said(done)
    place = world.namespace
    files = sorted(str(file.relative_to(out)) for file in out.rglob("*.yaml"))
    assert files == [
        f"{place}-ns.yaml", f"{place}/demo-dep.yaml", f"{place}/nightly-CronJob.yaml",
    ]  # fmt: skip
    texts = [(out / file).read_text() for file in files]
    for absent in ("status:", "uid:", "managedFields", "part-of", "resourceVersion", "demosecret:"):
        assert absent not in "".join(texts)
    world.kubectl("delete", "deployment", "demo", "-n", place)
    for file in files:
        applied = world.kubectl("apply", "--dry-run=server", "-f", str(out / file))
        assert applied.code == 0, applied.err
        assert "(server dry run)" in applied.out


def test_another_agents_objects_and_other_namespaces_are_not_read(
    world: World, fluxctl: Path
) -> None:
    with_more(world)
    assert world.deliver().code == 0
    with agent(world, *QUIET, path=f"{APPLICATION}/none") as running:
        until(lambda: running.has_said("msg=delivery.finished"))
        done = told(fluxctl, address(running), "list-workloads", "-a")
        assert done.untrusted_stdout.splitlines() == [
            b"WORKLOAD  CONTAINER  IMAGE  RELEASE  POLICY"
        ]
    with agent(world, *QUIET, "--k8s-allow-namespace=elsewhere") as running:
        until(lambda: running.has_said("msg=delivery.finished"))
        saved = told(fluxctl, address(running), "save")
        assert (saved.returncode, saved.untrusted_stdout) == (0, b"")


def test_an_agent_that_was_started_anew_knows_what_it_had_delivered(
    world: World, fluxctl: Path
) -> None:
    assert world.deliver().code == 0
    world.damage("demo")
    with agent(world, *QUIET) as running:
        until(lambda: running.has_said("msg=delivery.finished"))
        done = told(fluxctl, address(running), "list-workloads", "-a")
    assert f"{world.namespace}:deployment/demo" in said(done)


@pytest.mark.parametrize("words", [["list-workloads", "-a"], ["save"]])
def test_a_cluster_that_is_gone_is_an_error_with_a_reason(
    world: World, fluxctl: Path, words: list[str]
) -> None:
    assert world.deliver().code == 0
    nowhere = world.root / "nowhere"
    config = world.kubeconfig.read_text()
    nowhere.write_text(re.sub(r":\d{4,5}\b", ":1", config))  # nobody listens at port 1
    with agent(world, *QUIET, f"--kubeconfig={nowhere}") as running:
        done = told(fluxctl, address(running), *words)
    assert done.returncode != 0
    assert "cannot be reached" in said(done)


def test_the_identity_is_the_public_half_of_the_mounted_key(
    world: World, fluxctl: Path, tmp_path: Path
) -> None:
    key = tmp_path / "identity"
    made = ["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-C", "flux", "-f", str(key)]
    subprocess.run(made, check=True, timeout=60, stdin=subprocess.DEVNULL)
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-v", "-E", "md5", "-f", f"{key}.pub"],
        check=True, timeout=60, capture_output=True, text=True,
    ).stdout  # fmt: skip
    with agent(world, *QUIET, f"--git-ssh-key={key}") as running:
        url = address(running)
        assert said(told(fluxctl, url, "identity")) == key.with_suffix(".pub").read_text()
        first, _, art = said(told(fluxctl, url, "identity", "--visual")).partition("\n")
    assert first == shown.split()[1].removeprefix("MD5:")
    assert art == shown.partition("\n")[2]
