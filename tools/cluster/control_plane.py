"""A real control plane on loopback: etcd, API server, controllers, scheduler, and kwok for pods.

Tests use `with ControlPlane.start(DIR) as plane`; people use

    python tools/cluster/control_plane.py up --dir DIR      # and: eval what it prints
    python tools/cluster/control_plane.py down --dir DIR

Everything listens on loopback, and every server ends with the process that started it. Logs,
certificates and kubeconfigs lie in DIR, etcd's data in memory.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

if __name__ == "__main__":  # started as a script; pytest has tools/ on its path already
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from build import CLUSTER, build
from cluster.administrator import Administrator
from cluster.memory import memory_folder
from cluster.people import (
    ADMINISTRATOR,
    Kubeconfigs,
    Person,
    Rule,
    service_account,
    signing_key,
    token_file,
    write_private,
)
from cluster.process import Server, free_ports, until

NODES: Final = ("node-1", "node-2")
API_SERVER: Final = "kube-apiserver"


@dataclass
class ControlPlane:
    """A running control plane."""

    directory: Path
    """Logs, certificates and kubeconfigs."""
    data: Path
    """etcd's."""
    programs: Mapping[str, Path]
    people: Mapping[str, Person]
    port: int
    etcd_port: int
    _servers: dict[str, Server] = field(default_factory=dict)

    @classmethod
    @contextlib.contextmanager
    def start(
        cls, directory: Path, users: Mapping[str, Sequence[str]] | None = None, *,
        controllers: bool = True,
    ) -> Iterator[Self]:  # fmt: skip
        """Run a control plane; `users` are further names and their groups, without any right.

        Without `controllers` it is etcd and the API server alone: no pod runs, nothing is collected
        as garbage, and an object stays as it was written.
        """
        programs = {file.name: file for module in CLUSTER for file in build(module).iterdir()}
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        everybody = [Person(ADMINISTRATOR, ("system:masters",))]
        everybody += [Person(name, groups) for name, groups in (users or {}).items()]
        port, etcd_port = free_ports(2)
        with memory_folder(otherwise=directory) as data:
            people = {person.name: person for person in everybody}
            plane = cls(directory, data, programs, people, port, etcd_port)
            try:
                plane._start_serving()
                if controllers:
                    plane._start_controllers()
                yield plane
            finally:
                plane.stop()

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The administrator's."""
        return self.people[ADMINISTRATOR].token

    @property
    def certificate(self) -> Path:
        """The API server's certificate, which is its own authority."""
        return self.directory / "apiserver" / "apiserver.crt"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / f"{ADMINISTRATOR}.kubeconfig"

    @property
    def kubectl(self) -> Path:
        """The kubectl of the same version."""
        return self.programs["kubectl"]

    @property
    def administrator(self) -> Administrator:
        """Every right, for preparing and for looking after a test."""
        return Administrator(self.port, self.token, self.certificate)

    def kubeconfig_for(self, user: str) -> Path:
        """Give the kubeconfig of one of `users`."""
        return self._kubeconfigs().write(user, self.people[user].token)

    def service_account(
        self, name: str, rules: Sequence[Rule] = (), *, namespace: str = "default",
        everywhere: bool = False,
    ) -> Path:  # fmt: skip
        """Make a service account that may do `rules` and no more; give its kubeconfig."""
        token = service_account(
            self.administrator, name, rules, namespace, everywhere=everywhere
        )  # fmt: skip
        return self._kubeconfigs().write(f"{namespace}-{name}", token, namespace)

    @property
    def is_serving(self) -> bool:
        """Whether the API server is started."""
        return API_SERVER in self._servers

    @property
    def pids(self) -> tuple[int, ...]:
        """The servers' process ids."""
        return tuple(server.popen.pid for server in self._servers.values())

    def resident_mib(self) -> dict[str, int]:
        """Give each server's resident memory."""
        return {name: server.resident_mib for name, server in self._servers.items()}

    def stop_api_server(self) -> None:
        """End the API server alone, as a crash does."""
        if server := self._servers.get(API_SERVER):
            server.stop()
            del self._servers[API_SERVER]

    def restart_api_server(self) -> None:
        """Start it on the same port and data, and wait until it is ready."""
        self.stop_api_server()
        self._start_api_server()

    def stop(self) -> None:
        """End everything that was started, last first."""
        while self._servers:
            _, server = self._servers.popitem()
            server.stop()

    def _start_serving(self) -> None:
        self._run_etcd()
        write_private(self._signing_key, signing_key())
        write_private(self._token_file, token_file(list(self.people.values())))
        self._start_api_server()
        self._kubeconfigs().write(ADMINISTRATOR, self.token)
        until("the default namespace is there", self._has_namespaces, self._servers.values())

    def _start_controllers(self) -> None:
        common = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0"]
        self._run(
            "kube-controller-manager", *common, "--use-service-account-credentials=true",
            "--kube-api-qps=1000", "--kube-api-burst=2000",  # its 20 a second cost 4 s of the start
            f"--service-account-private-key-file={self._signing_key}",
            f"--root-ca-file={self.certificate}",
        )  # fmt: skip
        self._run("kube-scheduler", *common)
        # no --config: kwok's own stages make nodes ready, pods run and Jobs succeed at once
        self._run(
            "kwok", f"--kubeconfig={self.kubeconfig}", "--manage-all-nodes=true",
            "--node-lease-duration-seconds=40", "--cidr=10.64.0.0/16",
            f"--server-address=127.0.0.1:{free_ports(1)[0]}",
        )  # fmt: skip
        for name in NODES:
            labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
            self.administrator.post(
                "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}}
            )  # fmt: skip
        until("a pod can be made and run", self._is_settled, self._servers.values())

    def _run_etcd(self) -> None:
        (peer,) = free_ports(1)
        self._run(
            "etcd", f"--data-dir={self.data}", "--unsafe-no-fsync", "--log-level=error",
            f"--listen-client-urls=http://127.0.0.1:{self.etcd_port}",
            f"--advertise-client-urls=http://127.0.0.1:{self.etcd_port}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
        )  # fmt: skip

    def _start_api_server(self) -> None:
        """Start it with what admission it has by default, PodSecurity and all."""
        key = self._signing_key
        self._run(
            API_SERVER, f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}", f"--cert-dir={self.certificate.parent}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            f"--token-auth-file={self._token_file}", "--authorization-mode=RBAC",
            "--allow-privileged=true",  # as every installer sets it; PodSecurity is what forbids
            "--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none",
        )  # fmt: skip
        until("the API server is ready", self.administrator.is_ready, self._servers.values())

    def _has_namespaces(self) -> bool:
        return bool(self.administrator.get("/api/v1/namespaces/default"))

    def _is_settled(self) -> bool:
        """Tell whether pods can be admitted (they need the account and its ConfigMap) and run."""
        self.administrator.get("/api/v1/namespaces/default/serviceaccounts/default")
        self.administrator.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
        nodes = self.administrator.get("/api/v1/nodes")["items"]
        ready = [
            condition["status"] == "True"
            for node in nodes
            for condition in node["status"].get("conditions", [])
            if condition["type"] == "Ready" and not node["spec"].get("taints")
        ]
        return len(ready) == len(NODES) and all(ready)

    def _run(self, name: str, *arguments: str) -> None:
        self._servers[name] = Server.start(self.programs[name], arguments, self.directory)

    @property
    def _signing_key(self) -> Path:
        return self.directory / "service-account.key"

    @property
    def _token_file(self) -> Path:
        return self.directory / "tokens.csv"

    def _kubeconfigs(self) -> Kubeconfigs:
        return Kubeconfigs(self.directory, self.url, self.certificate)


if __name__ == "__main__":
    from cluster.background import main

    sys.exit(main(sys.argv[1:]))
