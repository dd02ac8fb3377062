"""`flux-secret agent` as a process: delivers at once, sees new commits, ends when told to."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from simulators.agents import SECONDS, address, agent, until, value
from simulators.repositories import Executable
from simulators.world import APPLICATION, FIRST, SECOND, World

ROOT = Path(__file__).parents[2]


def test_it_delivers_sees_a_rotation_and_ends_when_told_to(world: World) -> None:
    with agent(world, "--sync-interval=10m", "--git-poll-interval=1s") as running:
        until(lambda: value(world) == FIRST)
        world.put("demo", SECOND)
        until(lambda: value(world) == SECOND)
        assert running.stop() == 0
        assert running.has_said("secret/demo-secret configured")
        assert running.has_said("msg=delivery.finished")
        assert not running.has_said("correct horse")


def test_a_hand_edit_is_repaired_and_what_has_not_changed_is_not_read_again(world: World) -> None:
    with agent(world, "--sync-interval=1s", "--git-poll-interval=10m") as running:
        until(lambda: value(world) == FIRST)
        until(lambda: running.has_said("reads=0 changes=4 failed=0"))
        edit = '{"data": {"demosecret": "aGFuZA=="}}'
        world.kubectl("patch", "secret", "demo-secret", "-n", world.namespace, "-p", edit)
        assert value(world) == b"hand"
        until(lambda: value(world) == FIRST)
        until(lambda: running.has_said("repaired: data.demosecret was changed by kubectl-patch"))


def test_a_namespace_that_is_left_alone_makes_nothing_be_generated_again(world: World) -> None:
    """It is the administrator's, as `flux-secret install` makes it for an application."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": world.namespace, "annotations": {"fluxcd.io/ignore": "true"}}}  # fmt: skip
    world.kubectl("create", "-f", "-", stdin=json.dumps(namespace))
    with agent(world, "--sync-interval=1s", "--git-poll-interval=10m") as running:
        until(lambda: value(world) == FIRST)
        until(lambda: running.has_said("reads=0 changes=4 failed=0"))
        words = ("annotate", "namespace", world.namespace, "fluxcd.io/ignore-")
        assert world.kubectl(*words).code == 0
        until(lambda: running.has_said("exists already and was not made by flux-secret"))


def test_a_remark_is_said_when_it_is_new_and_makes_nothing_be_generated_again(world: World) -> None:
    flux_yaml = f"{APPLICATION}/.flux.yaml"
    text = (world.ops.path / flux_yaml).read_text()
    world.ops.commit({flux_yaml: f"{text}patchFiles: x\n"})
    with agent(world, "--sync-interval=1s", "--git-poll-interval=10m") as running:
        until(lambda: running.has_said("reads=0 changes=4 failed=0"))  # not generated anew
        lines = running.log.read_text().splitlines()
        logged = [line for line in lines if "msg=delivery.remark" in line]
        assert len(logged) == 2
        assert f'about="{flux_yaml}, line 6" says="\'patchFiles\' is none' in logged[0]
        assert 'about="`kustomize build .`" says="# Warning: \'bases\' is' in logged[1]
        done = world.run("sync", f"--url={address(running)}")
        assert f"warning: {APPLICATION}: {flux_yaml}, line " in done.err


def test_a_damaged_entry_is_said_and_mended_by_the_next_commit(world: World) -> None:
    with agent(world, "--sync-interval=10m", "--git-poll-interval=1s") as running:
        until(lambda: value(world) == FIRST)
        commit = world.damage("demo")
        until(lambda: running.has_said(f"apps/demo at {commit[:12]}"))
        assert value(world) == FIRST
        world.put("demo", SECOND)
        until(lambda: value(world) == SECOND)
        assert running.stop() == 0


def test_the_walkthroughs_deployment_runs_with_the_arguments_and_the_hook_it_has(
    world: World,
) -> None:
    """No flag names a store, a key or a variable: the image's environment and the hook do."""
    stores = world.root / "run" / "stores"
    env = {
        "FLUX_SECRET_GIT_GPG_KEY_IMPORT": str(world.key),
        "FLUX_SECRET_STORES_FROM": str(stores),
    }
    without = "--store --git-gpg-key-import --generator-env"
    names = (ROOT / "deploy/image/environment").read_text()
    assert all(f"\n{name}=" in names for name in env)
    with agent(world, without=without, env=env) as running:
        until(lambda: running.has_said("component=sync-loop err="))
        assert value(world) is None
        hook = [str(ROOT / "deploy/image/initialize_gopass.sh"), world.store.url, "apps"]
        subprocess.run(hook, env={"PATH": os.environ["PATH"], **env}, check=True, timeout=10)
        until(lambda: value(world) == FIRST)
        (stores / "wrong").write_text("ext::sh")
        until(lambda: running.has_said("msg=settings.unusable"))
        assert running.stop() == 0


def test_the_hook_refuses_what_is_no_store() -> None:
    for arguments in ([], ["git@host:org/x"], ["git@host:org/x", "../x"], ["", "apps"]):
        done = subprocess.run(
            [str(ROOT / "deploy/image/initialize_gopass.sh"), *arguments],
            env={"PATH": os.environ["PATH"], "FLUX_SECRET_STORES_FROM": "/nowhere/at/all"},
            capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert "initialize_gopass.sh" in done.stderr


def test_a_sync_on_request_generates_anew_and_says_how_it_ended(world: World) -> None:
    with agent(world, "--sync-interval=1h", "--git-poll-interval=1h") as running:
        until(lambda: value(world) == FIRST)
        url = address(running)
        world.put("demo", SECOND)
        done = world.run("sync", f"--url={url}")
        assert done.code == 0, done.err
        assert value(world) == SECOND
        assert f"{APPLICATION}: delivered at {world.ops.head[:12]}" in done.out
        world.damage("demo")
        failed = world.run("sync", f"--url={url}")
        assert failed.code == 4
        assert f"{APPLICATION}: not delivered" in failed.out
        assert "demo" in failed.err
        assert value(world) == SECOND
        with urllib.request.urlopen(f"{url}/metrics", timeout=SECONDS) as answer:  # noqa: S310 -- ours
            metrics = answer.read().decode()
        assert 'flux_daemon_sync_duration_seconds_count{success="true"} 2.0' in metrics
        assert 'flux_daemon_sync_duration_seconds_count{success="false"} 1.0' in metrics


EMPTIED = """#!/bin/sh
cat <<EOL
apiVersion: v1
kind: Secret
metadata: {name: demo-secret, namespace: NAMESPACE}
data: {demosecret: ""}
EOL
"""


def test_a_held_change_is_confirmed_while_the_agent_runs(world: World) -> None:
    with agent(world, "--sync-interval=1h", "--git-poll-interval=1h") as running:
        until(lambda: value(world) == FIRST)
        url = address(running)
        script = Executable(EMPTIED.replace("NAMESPACE", world.namespace))
        world.ops.commit({f"{APPLICATION}/secrets.yaml.sh": script})
        held = world.run("sync", f"--url={url}")
        assert held.code == 4, held.out + held.err
        assert value(world) == FIRST
        token = re.search(r"--confirm (\w+)", held.err)
        assert token is not None
        assert world.run("sync", f"--url={url}", "--confirm=0123456789ab").code == 4
        assert value(world) == FIRST
        assert world.run("sync", f"--url={url}", f"--confirm={token[1]}").code == 0
        assert value(world) == b""
        assert running.has_said(f"tokens={token[1]}")


def test_a_webhook_makes_the_agent_look_now(world: World) -> None:
    with agent(world, "--sync-interval=1h", "--git-poll-interval=1h") as running:
        until(lambda: value(world) == FIRST)
        url = address(running)
        world.put("demo", SECOND)
        body = b'{"Kind": "git", "Source": {"URL": "x", "Branch": "y"}}'
        notify = f"{url}/api/flux/v11/notify"
        urllib.request.urlopen(notify, body, timeout=SECONDS).close()  # noqa: S310 -- our own
        until(lambda: value(world) == SECOND)


def elsewhere() -> str:
    """Give an address of this machine that is not loopback; nothing is sent to find it out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # TEST-NET-1
        except OSError:
            pytest.skip("this machine has no address but loopback to ask from")
        return str(asked.getsockname()[0])


def status(url: str, method: str = "GET", **headers: str) -> int:
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 -- ours
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 -- ours
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_the_probes_of_flux_v1s_deployment_are_answered_and_nothing_else_is(world: World) -> None:
    """The image's environment listens as Flux v1 did; the kubelet asks at the pod's address."""
    assert "\nFLUX_SECRET_LISTEN=:3030\n" in (ROOT / "deploy/image/environment").read_text()
    quiet = ("--sync-interval=1h", "--git-poll-interval=1h")
    with agent(world, *quiet, without="--listen", env={"FLUX_SECRET_LISTEN": ":0"}) as running:
        port = address(running).rpartition(":")[2]
        there, here = f"http://{elsewhere()}:{port}", f"http://127.0.0.1:{port}"
        probe = "/api/flux/v6/identity.pub"
        assert status(f"{there}{probe}", **{"User-Agent": "kube-probe/1.34"}) == 200
        for method, path in (
            ("POST", probe), ("HEAD", probe), ("GET", "/api/flux/v11/ping"),
            ("GET", "/api/flux/v6/services?namespace="), ("GET", "/api/flux/v6/export"),
            ("GET", "/metrics"), ("POST", "/api/flux/v9/git-repo-config"),
            ("POST", "/api/flux/v11/notify"), ("POST", "/api/flux-secret/v1/sync"),
            ("GET", f"/x/..{probe}"), ("GET", f"/{probe}"),
        ):  # fmt: skip
            assert status(f"{there}{path}", method) == 403, (method, path)
        assert status(f"{there}/metrics", Host="127.0.0.1") == 403
        assert status(f"{here}/api/flux/v11/ping") == 204
        assert status(f"http://[::1]:{port}/api/flux/v11/ping") == 204
        assert running.has_said("msg=listen.only_key")


def test_with_a_token_everything_but_the_probe_asks_for_it(world: World) -> None:
    token = world.root / "token"
    token.write_text("a-token-that-is-long-enough\n")
    flags = ("--listen=:0", f"--listen-token-file={token}", "--sync-interval=1h")
    with agent(world, *flags) as running:
        port = address(running).rpartition(":")[2]
        for url in (f"http://{elsewhere()}:{port}", f"http://127.0.0.1:{port}"):
            assert status(f"{url}/api/flux/v6/identity.pub") == 200
            assert status(f"{url}/api/flux/v11/ping") == 401
            shown = {"Authorization": "Bearer a-token-that-is-long-enough"}
            assert status(f"{url}/api/flux/v11/ping", **shown) == 204


def test_listening_elsewhere_needs_a_token(world: World) -> None:
    done = world.run("agent", *world.flags("--listen=192.0.2.1:3030"))
    assert done.code == 2
    assert "--listen-token-file" in done.err
