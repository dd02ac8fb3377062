"""A real control plane on loopback: etcd, API server, controllers, scheduler, and kwok for pods.

`python tools/cluster/control_plane.py up --dir DIR` runs it in the foreground until it is told to
stop (Ctrl-C, SIGTERM); tests use `with ControlPlane.start(DIR) as plane`. Everything listens on
loopback and every process ends with the one that started it.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from build import CLUSTER, build

READY_SECONDS: Final = 90.0
STOP_SECONDS: Final = 15.0
NODES: Final = ("node-1", "node-2")
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)

STAGES: Final = Path(__file__).with_name("stages.yaml")


class ControlPlaneError(RuntimeError):
    """A process of the control plane ended, or was not ready in time; names its log."""


@dataclass
class _Process:
    name: str
    popen: subprocess.Popen[bytes]
    log: Path


@dataclass
class ControlPlane:
    """A running control plane; `stop()` ends every process by its id."""

    directory: Path
    """Logs, certificates and kubeconfigs."""
    data: Path
    """etcd's data, in memory where there is memory."""
    programs: Mapping[str, Path]
    port: int
    etcd_port: int
    etcd_peer_port: int
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    _users: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    _processes: dict[str, _Process] = field(default_factory=dict)

    @classmethod
    @contextlib.contextmanager
    def start(
        cls, directory: Path, users: Mapping[str, Sequence[str]] | None = None
    ) -> Iterator[Self]:
        """Run a control plane; `users` are further names and their groups, without any right."""
        programs = {file.name: file for module in CLUSTER for file in build(module).iterdir()}
        directory.mkdir(parents=True, exist_ok=True)
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 -- memory-backed
        data = Path(tempfile.mkdtemp(prefix="flux-secret-etcd-", dir=memory))
        port, etcd_port, etcd_peer_port = _free_ports(3)
        plane = cls(directory, data, programs, port, etcd_port, etcd_peer_port)
        for name, groups in (users or {}).items():
            plane._users[name] = (secrets.token_hex(16), tuple(groups))
        try:
            plane._start_all()
            yield plane
        finally:
            plane.stop()

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / "admin.kubeconfig"

    @property
    def certificate(self) -> Path:
        """The API server's certificate, which is its own authority."""
        return self.directory / "apiserver" / "apiserver.crt"

    def kubeconfig_for(self, user: str) -> Path:
        """Give the kubeconfig of one of `users`."""
        return self._write_kubeconfig(user, self._users[user][0])

    def api_server_pid(self) -> int:
        """Give the API server's process id."""
        return self._processes["kube-apiserver"].popen.pid

    def resident_mib(self) -> dict[str, int]:
        """Give each process's resident memory."""
        return {
            name: _resident(process.popen.pid) // 1024 for name, process in self._processes.items()
        }

    def stop_api_server(self) -> None:
        """End the API server alone."""
        self._stop(self._processes.pop("kube-apiserver"))

    def start_api_server(self) -> None:
        """Start it again, on the same data, and wait until it is ready."""
        self._start_api_server()
        self._until("the API server is ready", self._api_is_ready)

    def stop(self) -> None:
        """End everything that was started, last first."""
        for process in reversed(list(self._processes.values())):
            self._stop(process)
        self._processes.clear()
        shutil.rmtree(self.data, ignore_errors=True)

    def get(self, path: str) -> Any:  # noqa: ANN401 -- whatever JSON the API server gives
        """Ask the API server as administrator."""
        request = urllib.request.Request(  # noqa: S310 -- our own https address
            self.url + path, headers={"Authorization": f"Bearer {self.token}"}
        )
        context = ssl.create_default_context(cafile=str(self.certificate))
        with urllib.request.urlopen(request, context=context, timeout=5) as answer:  # noqa: S310 -- the same
            return json.load(answer)

    def _start_all(self) -> None:
        (self.directory / "apiserver").mkdir(exist_ok=True)
        self._run(
            "etcd", "--data-dir", str(self.data), "--unsafe-no-fsync", "--log-level=error",
            f"--listen-client-urls=http://127.0.0.1:{self.etcd_port}",
            f"--advertise-client-urls=http://127.0.0.1:{self.etcd_port}",
            f"--listen-peer-urls=http://127.0.0.1:{self.etcd_peer_port}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{self.etcd_peer_port}",
            f"--initial-cluster=default=http://127.0.0.1:{self.etcd_peer_port}",
        )  # fmt: skip
        key = self.directory / "service-account.key"
        subprocess.run(
            ["openssl", "genrsa", "-out", str(key), "2048"],
            check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
        )  # fmt: skip
        rows = [f"{self.token},admin,admin,system:masters"]
        rows += [
            f'{token},{name},{name},"{",".join(groups)}"' if groups else f"{token},{name},{name}"
            for name, (token, groups) in self._users.items()
        ]
        tokens = self.directory / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text("\n".join(rows) + "\n")
        self._start_api_server()
        self._until("the API server is ready", self._api_is_ready)
        self._write_kubeconfig("admin", self.token)
        common = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false"]
        self._run(
            "kube-controller-manager", *common, "--secure-port=0", "--bind-address=127.0.0.1",
            "--use-service-account-credentials=true", "--concurrent-deployment-syncs=5",
            f"--service-account-private-key-file={key}", f"--root-ca-file={self.certificate}",
        )  # fmt: skip
        self._run("kube-scheduler", *common, "--secure-port=0", "--bind-address=127.0.0.1")
        self._run(
            "kwok", f"--kubeconfig={self.kubeconfig}", f"--config={STAGES}",
            "--manage-all-nodes=true", "--node-lease-duration-seconds=40", "--cidr=10.64.0.0/16",
            f"--server-address=127.0.0.1:{_free_ports(1)[0]}",
        )  # fmt: skip
        for name in NODES:
            self._create_node(name)
        self._until("nodes and the default service account are there", self._is_settled)

    def _start_api_server(self) -> None:
        key = self.directory / "service-account.key"
        self._run(
            "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            "--bind-address=127.0.0.1", f"--secure-port={self.port}",
            f"--cert-dir={self.directory / 'apiserver'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            f"--token-auth-file={self.directory / 'tokens.csv'}", "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none",
            "--advertise-address=127.0.0.1", "--enable-priority-and-fairness=true",
        )  # fmt: skip

    def _run(self, name: str, *arguments: str) -> None:
        log = self.directory / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [str(self.programs[name]), *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.directory,
                env={"PATH": os.defpath, "HOME": str(self.directory)},
                start_new_session=True, preexec_fn=_die_with_parent,  # noqa: PLW1509 -- one prctl call
            )  # fmt: skip
        self._processes[name] = _Process(name, popen, log)

    def _stop(self, process: _Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.popen.terminate()
        try:
            process.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.popen.kill()
            process.popen.wait()

    def _until(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            for process in self._processes.values():
                if process.popen.poll() is not None:
                    raise ControlPlaneError(f"{process.name} ended; see {process.log}")
            with contextlib.suppress(urllib.error.URLError, OSError, KeyError):
                if condition():
                    return
            time.sleep(0.05)
        raise ControlPlaneError(f"not after {READY_SECONDS:g} s: {what}; see {self.directory}")

    def _api_is_ready(self) -> bool:
        self.get("/api/v1/namespaces/default")
        return True

    def _is_settled(self) -> bool:
        nodes = self.get("/api/v1/nodes")["items"]
        ready = [
            condition["status"] == "True"
            for node in nodes
            for condition in node["status"].get("conditions", [])
            if condition["type"] == "Ready"
        ]
        self.get("/api/v1/namespaces/default/serviceaccounts/default")
        return len(ready) == len(NODES) and all(ready)

    def _create_node(self, name: str) -> None:
        node = {
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        }  # fmt: skip
        request = urllib.request.Request(  # noqa: S310 -- our own https address
            f"{self.url}/api/v1/nodes",
            data=json.dumps(node).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        context = ssl.create_default_context(cafile=str(self.certificate))
        with urllib.request.urlopen(request, context=context, timeout=10):  # noqa: S310 -- the same
            pass

    def _write_kubeconfig(self, user: str, token: str) -> Path:
        authority = base64.b64encode(self.certificate.read_bytes()).decode()
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {
                "server": self.url, "certificate-authority-data": authority}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
        }  # fmt: skip
        file = self.directory / f"{user}.kubeconfig"
        file.touch(mode=0o600)
        file.write_text(json.dumps(config, indent=1))
        return file


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def main() -> int:
    """Run a control plane in the foreground."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["up"])
    parser.add_argument("--dir", type=Path, required=True)
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    began = time.monotonic()
    with ControlPlane.start(options.dir.resolve()) as plane:
        print(f"ready after {time.monotonic() - began:.1f} s, MiB: {plane.resident_mib()}")
        print(f"export KUBECONFIG={plane.kubeconfig}", flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
