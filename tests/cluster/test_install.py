"""The installation on a real API server: every behaviour again, and what only a real one checks."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from behaviour.test_install import *  # noqa: F403 -- the same suite, another cluster
from behaviour.test_install import (
    KINDS,
    LAST_APPLIED,
    administrator,
    data,
    kubectl_applies,
    objects,
)
from cluster.test_walkthrough import until
from flux_secret.outside.kubectl import find_kubectl
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.installing import FOLDER, PRIVATE, Administrator, as_agent
from simulators.world import FIRST, World
from system.conftest import gopass

__all__ = ["administrator", "gopass"]
SCRIPT = Path(__file__).parents[2] / "deploy/overlay/example/1_flux-keys.sh"
EXAMPLE = SCRIPT.parent


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


def test_the_pod_is_admitted_where_pod_security_is_restricted(administrator: Administrator) -> None:
    assert administrator.install("--apply").code == 0
    world, namespace = administrator.world, administrator.namespace
    labels = (world.get("namespace", namespace, "") or {})["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"

    def running() -> bool:
        found = world.kubectl("get", "pods", "-n", namespace, "--no-headers").out
        return found.startswith("flux-") and " 1/1 " in found and " Running " in found

    until(running)
    template = objects(administrator)["Deployment/flux"]["spec"]["template"]
    template["spec"]["securityContext"].pop("seccompProfile")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": template["spec"]}
    words = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
    refused = world.kubectl(*words, stdin=json.dumps(pod))
    assert 'violates PodSecurity "restricted' in refused.err


def test_record_and_owner_keys_are_mounted_where_pod_security_is_restricted(
    administrator: Administrator,
) -> None:
    world, namespace = administrator.world, administrator.namespace
    keys = world.root / "owners"
    keys.write_text(f"openpgp:{world.gnupg.fingerprint('person1@example.org')}\n")
    words = (
        "--record-storage=64Mi", "--record-keep=16Mi", f"--store-owner-keys=apps={keys}",
        "--record-git-url=git@github.com:example/record", "--cluster-name=prod", "--apply",
    )  # fmt: skip
    done = administrator.install(*words)
    assert done.code == 0, done.err
    assert "keeps no record" not in done.err
    volume = {  # what a class's provisioner would make for the claim
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": namespace},
        "spec": {
            "capacity": {"storage": "64Mi"}, "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/nowhere"},
            "claimRef": {"namespace": namespace, "name": "flux-record"},
        },
    }  # fmt: skip
    assert world.kubectl("create", "-f", "-", stdin=json.dumps(volume)).code == 0

    def running() -> bool:
        found = world.kubectl("get", "pods", "-n", namespace, "--no-headers").out
        return found.startswith("flux-") and " 1/1 " in found and " Running " in found

    until(running)
    pods = json.loads(world.kubectl("get", "pods", "-n", namespace, "-o", "json").out)
    spec = pods["items"][0]["spec"]
    (container,) = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
    volumes = {one["name"]: one for one in spec["volumes"]}
    record = volumes[mounts["/var/lib/flux-secret"]["name"]]
    assert record["persistentVolumeClaim"] == {"claimName": "flux-record"}
    env = {one["name"]: one.get("value") for one in container["env"]}
    assert env["FLUX_SECRET_RECORD_DIR"] == "/var/lib/flux-secret/record"
    owners = mounts["/etc/fluxd/owners"]
    assert owners["readOnly"] is True
    assert volumes[owners["name"]]["configMap"]["name"] == "flux-owner-keys"
    assert world.get("configmap", "flux-owner-keys", namespace)["data"] == {  # type: ignore[index]
        "owners-0": keys.read_text()
    }
    again = administrator.install(*words)
    assert {line.split()[1] for line in again.out.splitlines()} == {"unchanged"}
    world.kubectl("delete", "persistentvolume", namespace, "--wait=false")


def keep_with_gopass(one: Administrator, gopass: Path) -> dict[str, str]:
    """Put the keys into a store of the real gopass; give the environment that finds it."""
    world = one.world
    env = {
        "PATH": os.environ["PATH"], "HOME": str(world.root), "LC_ALL": "C.UTF-8",
        "GOPASS_HOMEDIR": str(world.root / "gopass"), "GNUPGHOME": str(world.gnupg.path),
        "GOPASS_NO_REMINDER": "1", "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@example.org",
        "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@example.org",
    }  # fmt: skip
    key = world.gnupg.fingerprint("person1@example.org")
    calls = [
        (["--yes", "init", "--crypto", "gpgcli", "--storage", "fs", key], b""),
        *((["insert", "-m", f"{FOLDER}/{name}"], text) for name, text in one.entries.items()),
    ]
    for words, text in calls:
        subprocess.run(
            [gopass, *words], input=text, env=env, check=True, timeout=60, capture_output=True
        )  # fmt: skip
    return env


@dataclass
class Script:
    """The walkthrough's script, and a kubectl that notes how it is called."""

    administrator: Administrator
    env: dict[str, str]
    calls: Path

    def __call__(self, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPT, f"--kubeconfig={self.administrator.world.kubeconfig}"],
            env={**self.env, **env}, check=False, capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip


@pytest.fixture
def script(administrator: Administrator, gopass: Path) -> Script:
    world = administrator.world
    env, tools, calls = (
        keep_with_gopass(administrator, gopass),
        world.root / "bin",
        world.root / "calls",
    )
    tools.mkdir()
    kubectl = tools / "kubectl"
    kubectl.write_text(
        f'#!/bin/sh\nprintf "%s " "$@" >>{calls}\nenv >>{calls}\n'
        f'exec {find_kubectl(os.environ["PATH"])} "$@"\n'
    )
    kubectl.chmod(0o700)
    env |= {
        "GOPASS": str(gopass), "STORE": "", "CLUSTERNAME": "prod",
        "NAMESPACE": administrator.namespace, "PATH": f"{tools}:{env['PATH']}",
    }  # fmt: skip
    return Script(administrator, env, calls)


def test_the_walkthroughs_script_makes_the_secrets_straight_from_gopass(script: Script) -> None:
    administrator = script.administrator
    administrator.world.kubectl("create", "namespace", administrator.namespace)
    kubectl_applies(administrator, administrator.world.gnupg.private_key("person2@example.org"))
    done = script()
    assert done.returncode == 0, done.stderr
    found, entries = objects(administrator), administrator.entries
    assert data(found["Secret/flux-gpg-keys"]) == {"flux.asc": entries["gpg-private-key"]}
    assert data(found["Secret/flux-ssh-config"]) == {"identity": entries["ssh-private-key"]}
    identity = found["ConfigMap/flux-identity"]["data"]
    assert identity["flux.pub.asc"].encode() == entries["gpg-public-key"]
    assert identity["identity.pub"].encode() == entries["ssh-public-key"]
    assert LAST_APPLIED not in json.dumps(found)
    assert "--server-side" in script.calls.read_text()
    assert not PRIVATE.search(script.calls.read_bytes())
    assert script().returncode == 0, "it can be run again"


def test_the_script_sends_nothing_when_an_entry_cannot_be_read(script: Script) -> None:
    world = script.administrator.world
    done = script(CLUSTERNAME="another")
    assert done.returncode == 4
    assert "technical/k8s/another/flux/gpg-private-key cannot be read" in done.stderr
    entry = world.root / "gopass/.local/share/gopass/stores/root" / FOLDER / "ssh-private-key.gpg"
    entry.write_bytes(world.gnupg.encrypt(b"not a key\n", ["person1@example.org"]))
    done = script()
    assert done.returncode == 4
    assert "ssh-private-key does not begin with" in done.stderr
    assert not script.calls.exists()
    unset = {name: value for name, value in script.env.items() if name != "STORE"}
    assert Script(script.administrator, unset, script.calls)().returncode == 2


def test_the_example_overlay_runs_the_agent_and_lets_it_deliver(
    walkthrough: World, gopass: Path
) -> None:
    """The walkthrough's `install of flux`, with its own names."""
    world = walkthrough
    gone = ("wait", "--for=delete", "namespace/dev-demo", "namespace/flux", "--timeout=60s")
    assert world.kubectl(*gone).code == 0
    administrator = Administrator(world)
    try:
        env = keep_with_gopass(administrator, gopass)
        env |= {"GOPASS": str(gopass), "STORE": "", "CLUSTERNAME": "prod"}
        tools = world.root / "bin"
        tools.mkdir()
        (tools / "kubectl").symlink_to(find_kubectl(os.environ["PATH"]))
        made = Script(
            administrator, {**env, "PATH": f"{tools}:{env['PATH']}"}, world.root / "calls"
        )()
        assert made.returncode == 0, made.stderr
        done = world.kubectl("apply", "--server-side", "-k", str(EXAMPLE))
        assert done.code == 0, done.err
        rolled = ("rollout", "status", "deployment/flux", "-n", "flux", "--timeout=60s")
        assert world.kubectl(*rolled).code == 0
        shown = world.kubectl("get", KINDS, "-n", "flux", "-o", "json", "--show-managed-fields").out
        assert LAST_APPLIED not in shown
        agent = as_agent(world, "flux")
        delivered = world.deliver(f"--kubeconfig={agent}", "--namespace=flux")
        assert delivered.code == 0, delivered.err
        assert world.secret()[0] == FIRST
        namespace = "namespace/dev-demo skipped (ignored: an annotation in the cluster says so)"
        assert namespace in delivered.out
    finally:
        world.kubectl("delete", "namespace", "flux", "dev-demo", "--ignore-not-found")
