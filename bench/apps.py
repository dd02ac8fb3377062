"""Many Apps in a cluster, delivered by running agents: the way an administrator has them.

`PYTHONPATH=tools:tests python bench/apps.py [COUNT…]` (default 300) starts a real control plane,
makes COUNT Apps of four objects each (a Deployment, a Service, a ConfigMap, a Secret; the
walkthrough's generators), and measures with agent processes:

- all_ready_s: from the agent's start until every App is Ready;
- idle_s: until every App was looked at and had nothing to do, asked for with SIGHUP; idle_reads and
  idle_writes are what the API server counted meanwhile;
- rotated_median_s, rotated_p99_s: from the push of an entry, with a webhook, to the changed Secret;
- handover_s: from kill -9 of a replica to the changed Secret of an App that it had (3 replicas);
- replicas_all_ready_s: all_ready_s with three replicas;
- peak_mib: the most that an agent had resident, with what it forked beside it as resident_mib.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from applications import OPERATOR, RESULTS, names, repository
from cluster.control_plane import ControlPlane
from flux_secret.outside.supervision import group
from simulators.gnupg import Home, home
from simulators.repositories import Content, Repository

COUNTS: Final = (300,)
ROTATIONS: Final = 30
PATIENCE_SECONDS: Final = 900.0
NAMESPACE: Final = "applications"
SECRET: Final = "a webhook secret of the benchmark, 0123456789"  # noqa: S105 -- nobody's
CRDS: Final = Path(__file__).parents[1] / "src/flux_secret/install/manifests/crds"
FAST_LEASES: Final = ("--leader-elect", "--lease-duration=15s", "--renew-deadline=10s",
                      "--retry-period=2s")  # fmt: skip


@dataclass
class Bench:
    """One control plane, one store, one repository of applications."""

    place: Path
    gnupg: Home
    plane: ControlPlane
    count: int

    def __post_init__(self) -> None:
        self.fingerprint = self.gnupg.fingerprint(OPERATOR)
        (self.place / "flux.asc").write_bytes(self.gnupg.private_key(OPERATOR))
        (self.place / "hook").write_text(SECRET + "\n")
        entries: dict[str, Content] = {".gpg-id": f"{self.fingerprint}\n"}
        for name in names(self.count):
            entries[f"{name}.gpg"] = self.encrypted(f"value of {name}\n")
        self.store = Repository.create(self.place / "store", entries)
        self.ops = Repository.create(self.place / "ops", repository(self.count))

    def encrypted(self, text: str) -> bytes:
        """Encrypt to the agent."""
        return self.gnupg.encrypt(text.encode(), [self.fingerprint])

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """Do what a person would."""
        return subprocess.run(
            [self.plane.kubectl, f"--kubeconfig={self.plane.kubeconfig}", *arguments],
            input=given, capture_output=True, text=True, check=True, timeout=300,
        ).stdout  # fmt: skip

    def prepare(self, **more: Any) -> None:  # noqa: ANN401 -- fields of `spec`
        """Define the kinds; make namespaces, the Store and the Apps, with `more` in their spec."""
        self.kubectl("apply", "-k", str(CRDS))
        self.kubectl("wait", "--for=condition=Established", "crd/apps.flux-secret.io",
                     "crd/stores.flux-secret.io", "--timeout=60s")  # fmt: skip
        for namespace in ("flux", NAMESPACE):
            self.kubectl("create", "namespace", namespace)
        readers = [{"namespaces": [NAMESPACE], "paths": ["*"]}]
        documents = [document("Store", "apps", "flux", {"url": self.store.url, "readers": readers})]
        source = {"url": self.ops.url, "branch": self.ops.branch}
        documents += [
            document(
                "App", name, NAMESPACE,
                {"source": source, "path": f"{name}/overlay/dev", "stores": ["apps"],
                 "interval": "1h", **more},
            )
            for name in names(self.count)
        ]  # fmt: skip
        self.kubectl("create", "-f", "-", given=yaml.safe_dump_all(documents))

    def ready(self) -> int:
        """Count the Apps that are Ready."""
        said = self.kubectl(
            "get", "apps.flux-secret.io", "-n", NAMESPACE, "-o",
            "jsonpath={range .items[*]}{.status.conditions[?(@.type=='Ready')].status}{' '}{end}",
        )  # fmt: skip
        return said.split().count("True")

    def secret(self, name: str) -> bytes:
        """Give the value that an App's Secret has."""
        path = f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}-secret"
        return base64.b64decode(
            json.loads(self.kubectl("get", "--raw", path))["data"]["demosecret"]
        )

    def requests(self) -> tuple[int, int]:
        """Give how many requests the API server has had: reads, and writes."""
        reads = writes = 0
        for line in self.kubectl("get", "--raw", "/metrics").splitlines():
            match = re.match(r"apiserver_request_total\{(.*)\} (\S+)", line)
            if match is None or 'group="coordination.k8s.io"' in match[1]:
                continue
            verb = re.search(r'verb="([A-Z]+)"', match[1])
            ours = 'resource="apps"' in match[1] or 'resource="stores"' in match[1]
            named = any(f'resource="{kind}"' in match[1] for kind in KINDS)
            if verb is None or not (ours or named):
                continue
            if verb[1] in {"GET", "LIST"}:
                reads += int(float(match[2]))
            elif verb[1] != "WATCH":
                writes += int(float(match[2]))
        return reads, writes


KINDS: Final = ("deployments", "services", "configmaps", "secrets", "namespaces")


def document(kind: str, name: str, namespace: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a custom resource."""
    return {
        "apiVersion": "flux-secret.io/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    }  # fmt: skip


@dataclass
class Agent:
    """One replica."""

    process: subprocess.Popen[bytes]
    log: Path
    read: int = 0
    """How many bytes of the log were looked at."""
    ended: int = 0

    @property
    def hook(self) -> str:
        """Where its webhook listens."""

        def found() -> re.Match[str] | None:
            return re.search(r"webhook\S* \S*address=(\S+)|webhook=(\S+)", self.log.read_text())

        wait(lambda: found() is not None)
        match = found()
        assert match is not None
        return f"http://{match[1] or match[2]}/hook/generic"

    def finished(self) -> int:
        """Count its deliveries so far."""
        with self.log.open("rb") as file:
            file.seek(self.read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self.read += len(whole)
        self.ended += whole.count(b"msg=delivery.finished")
        return self.ended

    def delivered(self) -> list[str]:
        """Name the Apps that it has delivered at any time."""
        return re.findall(r"target=applications/(app-\d+)", self.log.read_text())

    def memory(self, field: str) -> float:
        """Give a figure of its main process, in MiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(rf"{field}:\s+(\d+) kB", text)
        assert match is not None
        return int(match[1]) / 1024

    def resident(self) -> float:
        """Give what it and what it has forked have resident now, in MiB, each on its own."""
        total = 0.0
        for pid in [self.process.pid, *group.descendants(self.process.pid)]:
            try:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            match = re.search(r"Pss:\s+(\d+) kB", text)
            total += int(match[1]) / 1024 if match else 0.0
        return total


@contextmanager
def agent(bench: Bench, name: str, *extra: str) -> Iterator[Agent]:
    """Run one."""
    log = bench.place / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "flux_secret", "agent", "--custom-resources",
                f"--kubeconfig={bench.plane.kubeconfig}",
                f"--git-gpg-key-import={bench.place / 'flux.asc'}",
                f"--cache-dir={bench.place / name}", "--git-poll-interval=1h", "--listen=",
                "--listen-webhook=127.0.0.1:0", f"--webhook-secret-file={bench.place / 'hook'}",
                *extra,
            ],
            env={"PATH": os.environ["PATH"], "HOME": str(bench.place)},
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield Agent(process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def wait(
    condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS, pause: float = 0.05
) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(pause)


def call(url: str) -> None:
    """Tell an agent that there are new commits."""
    body = b'{"push": true}'
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(  # noqa: S310 -- loopback
        url, body, {"X-Signature": f"sha256={signature}", "Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310 -- the same
        pass


def rotate(bench: Bench, hooks: Sequence[str], name: str, number: int) -> float:
    """Change an entry, push, call; give the seconds until its Secret has the value."""
    new = f"rotated {number}\n"
    content = bench.encrypted(new)
    began = time.perf_counter()
    bench.store.commit({f"{name}.gpg": content})
    for hook in hooks:
        call(hook)
    wait(lambda: bench.secret(name) == new.encode(), pause=0.01)
    return time.perf_counter() - began


def alone(bench: Bench) -> dict[str, float]:
    """Measure one agent."""
    result: dict[str, float] = {}
    began = time.perf_counter()
    with agent(bench, "alone") as one:
        wait(
            lambda: one.finished() >= bench.count
        )  # kubectl, which asks, takes its share of a core
        wait(lambda: bench.ready() == bench.count, pause=0.5)
        result["all_ready_s"] = time.perf_counter() - began
        hook = one.hook
        wait(lambda: one.finished() >= bench.count)
        reads, writes = bench.requests()
        before = one.finished()
        began = time.perf_counter()
        one.process.send_signal(signal.SIGHUP)  # look at everything now
        wait(lambda: one.finished() >= before + bench.count, pause=0.02)
        result["idle_s"] = time.perf_counter() - began
        after = bench.requests()
        result["idle_reads"], result["idle_writes"] = after[0] - reads, after[1] - writes
        rotated = [
            rotate(bench, [hook], names(bench.count)[(7 * number) % bench.count], number)
            for number in range(ROTATIONS)
        ]
        result["rotated_median_s"] = statistics.median(rotated)
        result["rotated_p99_s"] = sorted(rotated)[-1 if ROTATIONS < 100 else -ROTATIONS // 100]  # noqa: PLR2004
        result["resident_mib"] = one.resident()
        result["peak_mib"] = one.memory("VmHWM")
    return result


def together(bench: Bench) -> dict[str, float]:
    """Measure three replicas, and one that is killed."""
    result: dict[str, float] = {}
    with ExitStack() as running:
        began = time.perf_counter()
        agents = [
            running.enter_context(agent(bench, f"replica-{n}", *FAST_LEASES)) for n in range(3)
        ]
        wait(lambda: sum(one.finished() for one in agents) >= bench.count, pause=0.2)
        result["replicas_all_ready_s"] = time.perf_counter() - began
        killed, *others = agents
        elsewhere = {name for one in others for name in one.delivered()}
        name = next(one for one in killed.delivered() if one not in elsewhere)
        hooks = [one.hook for one in others]
        killed.process.kill()
        result["handover_s"] = rotate(bench, hooks, name, 10_000)
    return result


def run(count: int) -> dict[str, float]:
    """Measure with a control plane of its own."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 -- memory-backed
    with (
        tempfile.TemporaryDirectory(dir=memory) as name,
        home() as gnupg,
        ControlPlane.start(Path(name) / "plane") as plane,
    ):
        gnupg.curve25519(OPERATOR)
        bench = Bench(Path(name), gnupg, plane, count)
        bench.prepare()
        return {"apps": count} | alone(bench) | together(bench)


def main(arguments: list[str]) -> None:
    """Run and print."""
    results = []
    for count in [int(text) for text in arguments] or COUNTS:
        result = run(count)
        results.append(result)
        width = max(map(len, result))
        for label, value in result.items():
            print(f"{label:<{width}}  {value:10.2f}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "apps.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
