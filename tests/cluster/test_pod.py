"""The image's root file system, run as the pod runs it, delivers the walkthrough.

User 65532, a read-only root, no capability, no new privileges, memory-backed folders, and the
service account's files where a pod has them.
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
import yaml

from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.installing import Administrator
from simulators.world import FIRST, World

IMAGE = Path(__file__).parents[2] / "deploy/image"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
OPS, STORE = "/tmp/ops", "/tmp/store"
AGENT = 65532
SECONDS = 90.0
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, ("bwrap", "apt-get", "dpkg-deb"))),
        reason="it becomes user 65532, which takes root, bubblewrap and Debian",
    ),
]


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("image") / "root"
    done = subprocess.run(
        [IMAGE / "rootfs.sh", made, sys.executable], capture_output=True, text=True, timeout=500,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode == 100 or "apt-get update" in done.stderr:
        pytest.skip(f"apt knows no packages here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return made


@dataclass
class Pod:
    """What the kubelet makes of the Deployment that is in the cluster."""

    world: World
    administrator: Administrator
    root: Path
    port: int

    def spec(self) -> dict[str, Any]:
        found = self.world.get("deployment", "flux", self.administrator.namespace)
        assert found is not None
        return dict(found["spec"]["template"]["spec"])

    def mounts(self) -> Iterator[str]:
        """Give bwrap's options: Secrets and ConfigMap as files, the account, the repositories."""
        folder, namespace = self.world.root / "volumes", self.administrator.namespace
        volumes = {one["name"]: one for one in self.spec()["volumes"]}
        (container,) = self.spec()["containers"]
        for mount in container["volumeMounts"]:
            volume = volumes[mount["name"]]
            if "secret" in volume:
                tree = self.world.get("secret", volume["secret"]["secretName"], namespace) or {}
                data = {name: base64.b64decode(text) for name, text in tree["data"].items()}
            elif "configMap" in volume:
                tree = self.world.get("configmap", volume["configMap"]["name"], namespace) or {}
                data = {name: text.encode() for name, text in tree["data"].items()}
            else:
                assert volume["emptyDir"].get("medium") == "Memory" or volume["name"] == "cache"
                continue
            yield from self._bound(folder / volume["name"], data, mount["mountPath"])
        token = self.world.kubectl("create", "token", "flux-secret", "-n", namespace).out.strip()
        account = {
            "token": token.encode(), "namespace": namespace.encode(),
            "ca.crt": base64.b64decode(self._cluster()["certificate-authority-data"]),
        }  # fmt: skip
        yield from self._bound(folder / "account", account, ACCOUNT)
        yield from ("--bind", str(self.world.ops.path), OPS)
        yield from ("--bind", str(self.world.store.path), STORE)

    def _bound(self, folder: Path, data: Mapping[str, bytes], path: str) -> Iterator[str]:
        folder.mkdir(parents=True)
        for name, text in data.items():
            (folder / name).write_bytes(text)
            (folder / name).chmod(0o400)
        own(folder)
        yield from ("--ro-bind", str(folder), path)

    def _cluster(self) -> dict[str, Any]:
        raw = ("config", "view", "--raw", "--minify", "--flatten")
        config = yaml.safe_load(self.world.kubectl(*raw).out)
        return dict(config["clusters"][0]["cluster"])

    def environment(self) -> Iterator[str]:
        (container,) = self.spec()["containers"]
        env = {one["name"]: one.get("value", self.administrator.namespace)
               for one in container["env"]}  # fmt: skip
        server = urlsplit(self._cluster()["server"])
        env |= {
            "FLUX_SECRET_LISTEN": "127.0.0.1:0",  # the machine's network is shared
            "FLUX_SECRET_LISTEN_HEALTH": f"127.0.0.1:{self.port}",
            "KUBERNETES_SERVICE_HOST": server.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(server.port),
        }
        for name, value in env.items():
            yield from ("--setenv", name, value)

    def arguments(self) -> list[str]:
        """Give the container's, with repositories that are there."""
        (container,) = self.spec()["containers"]
        ours = (f"--git-url=file://{OPS}", f"--store=apps=file://{STORE}",
                "--git-branch=master", "--git-path=demo/overlay/dev")  # fmt: skip
        replaced = tuple(one.partition("=")[0] for one in ours)
        kept = [one for one in container["args"] if not one.startswith(replaced)]
        return [*kept, *ours]

    @contextmanager
    def running(self, *extra: str) -> Iterator[Callable[[], str]]:
        log = self.world.root / "pod.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [IMAGE / "pod.sh", self.root, *self.mounts(), *self.environment(), "--",
                 "flux-secret", "agent", *self.arguments(), *extra],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            yield log.read_text
        finally:
            process.terminate()
            process.wait(SECONDS)

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as done:
                return bool(done.status == 200)
        except (HTTPError, OSError):
            return False

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [IMAGE / "pod.sh", self.root, "--", *command],
            capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def own(folder: Path) -> None:
    for one in (folder, *folder.rglob("*")):
        os.chown(one, AGENT, AGENT, follow_symlinks=False)


def until(condition: Callable[[], bool], said: Callable[[], str]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, said()
        time.sleep(0.1)


@pytest.fixture
def pod(world: World, root: Path) -> Pod:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return Pod(world, Administrator(world), root, port)


def test_it_is_as_a_restricted_pod_is(pod: Pod) -> None:
    status = pod.run(
        "grep", "-E", "^(Uid|Gid|Groups|Cap...|NoNewPrivs):", "/proc/self/status"
    ).stdout
    found = {line.split(":")[0]: line.split(":")[1].split() for line in status.splitlines()}
    assert {*found["Uid"], *found["Gid"]} == {str(AGENT)}
    assert {*found["Groups"]} <= {str(AGENT)}
    assert {found[f"Cap{name}"][0] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert found["NoNewPrivs"] == ["1"]
    assert "Read-only" in pod.run("touch", "/usr/x").stderr
    assert "Read-only" in pod.run("touch", "/etc/x").stderr
    assert pod.run("sh", "-c", "touch /tmp/x /dev/shm/x /run/flux-secret/x").returncode == 0
    names = {line.partition("=")[0] for line in pod.run("env").stdout.splitlines()}
    assert names <= {"HOME", "PATH", "PWD"}


def test_the_agent_delivers_the_walkthrough_from_it(pod: Pod) -> None:
    world, administrator = pod.world, pod.administrator
    done = administrator.install("--apply", "--sync-garbage-collection")
    assert done.code == 0, done.err
    for repository in (world.ops.path, world.store.path):
        own(repository)
    with pod.running() as said:
        until(pod.is_ready, said)
        assert world.secret()[0] == FIRST, said()
        for kind, name in (("service", "demo-service"), ("deployment", "demo")):
            assert world.get(kind, name) is not None
