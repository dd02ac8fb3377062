"""Many applications of the walkthrough's shape in one repository, on a real API server.

`PYTHONPATH=tools:tests python bench/applications.py [COUNT…]` (default 100 and 300) starts a
control plane of its own and measures, with the agent's own code: the first sync, a sync with
nothing changed, and a sync after one entry changed; in each the children that the agent starts
(git, tar, and one sandboxed shell a generator command), the answers it gives to scripts' gopass,
the API calls, and whose processor time it was. JSON is kept in bench/results.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import structlog

from cluster.control_plane import ControlPlane
from flux_secret.generate.answering import GopassAnswers
from flux_secret.outside.kubernetes.transport import Traffic
from flux_secret.outside.supervision import group
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.settings import Flags, Settings
from flux_secret.wiring.agent import Connected, connect
from simulators.gnupg import Home, home
from simulators.repositories import Content, Executable, Repository

RESULTS: Final = Path(__file__).parent / "results"
COUNTS: Final = (100, 300)
REPEATS: Final = 3
OPERATOR: Final = "operator@example.org"

_DEPLOYMENT: Final = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - name: web
        image: nginx
        envFrom: [{{secretRef: {{name: {name}-secret}}}}]
"""
_SERVICE: Final = """apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{app: {name}}}
  clusterIP: None # the control plane of the tests has 254 addresses
  ports: [{{name: http, port: 80}}]
"""
_KUSTOMIZATION: Final = """namespace: applications
resources: [../../base, service.yaml]
configMapGenerator:
- name: {name}
  literals: [stage=dev]
"""
_FLUX_YAML: Final = """version: 1
commandUpdated:
  generators:
  - command: kustomize build .
  - command: ./secrets.yaml.sh
"""
_SCRIPT: Final = """gopass sync &> /dev/null
DEMO_SECRET=$(gopass $APPLICATIONSTORE/{name} | base64 )
cat <<EOL
apiVersion: v1
kind: Secret
metadata:
  name: {name}-secret
  namespace: applications
data:
  demosecret: $DEMO_SECRET
---
EOL
"""
_NAMESPACE: Final = "apiVersion: v1\nkind: Namespace\nmetadata: {name: applications}\n"


def names(count: int) -> list[str]:
    """Name the applications."""
    return [f"app-{number:03}" for number in range(count)]


def repository(count: int) -> Mapping[str, Content]:
    """Give the files of `count` applications: Deployment, Service, ConfigMap, Secret each."""
    files: dict[str, Content] = {"cluster/namespace.yaml": _NAMESPACE}
    for name in names(count):
        base, overlay = f"{name}/base", f"{name}/overlay/dev"
        files |= {
            f"{base}/deployment.yaml": _DEPLOYMENT.format(name=name),
            f"{base}/kustomization.yaml": "resources: [deployment.yaml]\n",
            f"{overlay}/service.yaml": _SERVICE.format(name=name),
            f"{overlay}/kustomization.yaml": _KUSTOMIZATION.format(name=name),
            f"{overlay}/.flux.yaml": _FLUX_YAML,
            f"{overlay}/secrets.yaml.sh": Executable(_SCRIPT.format(name=name)),
        }
    return files


def world(place: Path, gnupg: Home, kubeconfig: Path, count: int) -> tuple[Flags, Repository]:
    """Make both repositories and the flags that deliver them."""
    fingerprint = gnupg.fingerprint(OPERATOR)
    (place / "flux.asc").write_bytes(gnupg.private_key(OPERATOR))
    entries: dict[str, Content] = {".gpg-id": f"{fingerprint}\n"}
    for name in names(count):
        entries[f"{name}.gpg"] = gnupg.encrypt(f"value of {name}\n".encode(), [fingerprint])
    store = Repository.create(place / "store", entries)
    ops = Repository.create(place / "ops", repository(count))
    paths = ["cluster", *(f"{name}/overlay/dev" for name in names(count))]
    flags = Flags(
        git_url=ops.url,
        git_path=(",".join(paths),),
        store=(f"apps={store.url}",),
        git_gpg_key_import=(place / "flux.asc",),
        manifest_generation=True,
        generator_env=("APPLICATIONSTORE=apps",),
        kubeconfig=kubeconfig,
        cache_dir=place / "cache",
    )
    return flags, store


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count what the agent starts, answers and asks."""
    seen: Counter[str] = Counter()
    start = asyncio.base_events.BaseEventLoop.subprocess_exec
    answer, count, run = GopassAnswers.answer, Traffic.count, Supervisors.run

    async def started(self: Any, *given: Any, **named: Any) -> Any:  # noqa: ANN401 -- asyncio's own
        seen["children"] += 1
        return await start(self, *given, **named)

    async def supervised(self: Supervisors, *given: Any, **named: Any) -> Any:  # noqa: ANN401 -- ours
        seen["children"] += 1
        return await run(self, *given, **named)

    async def answered(self: GopassAnswers, arguments: Any) -> Any:  # noqa: ANN401 -- passed through
        seen["gopass_answers"] += 1
        return await answer(self, arguments)

    def asked(self: Traffic, method: str) -> None:
        seen["api_reads" if method == "GET" else "api_writes"] += 1
        count(self, method)

    with (
        patch.object(asyncio.base_events.BaseEventLoop, "subprocess_exec", started),
        patch.object(Supervisors, "run", supervised),
        patch.object(GopassAnswers, "answer", answered),
        patch.object(Traffic, "count", asked),
    ):
        yield seen


def spent(pids: Iterable[int]) -> float:
    """Give the processor time of these processes and of what they waited for, in seconds."""
    ticks = 0
    for pid in pids:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, after_name[11:15]))  # utime, stime, cutime, cstime: proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")


class Clock:
    """Whose processor time it was: ours, our children's, the control plane's."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = frozenset(plane.pids)
        self._began = self._now()

    def passed(self) -> dict[str, float]:
        """Give the seconds since the beginning."""
        return {name: now - self._began[name] for name, now in self._now().items()}

    def _now(self) -> dict[str, float]:
        running = set(group.children(os.getpid())) - self._plane  # the fork server has not ended
        own = resource.getrusage(resource.RUSAGE_SELF)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "agent_cpu_s": own.ru_utime + own.ru_stime,
            "children_cpu_s": ended.ru_utime + ended.ru_stime + spent(running),
            "plane_cpu_s": spent(self._plane),
        }


async def timed(connected: Connected, plane: ControlPlane, label: str) -> dict[str, float]:
    """Sync once; give seconds and counts."""
    with counted() as seen:
        began, clock = time.perf_counter(), Clock(plane)
        done = await connected.round()
        seconds, cpu = time.perf_counter() - began, clock.passed()
    failures = [one.error.what for one in done.deliveries if one.error] + [
        f"{change.key.long}: {change.error.what}"
        for one in done.deliveries
        for change in one.changes.failed
        if change.error
    ]
    assert done.exit_code == 0, failures[:5]
    counts = ("children", "gopass_answers", "api_reads", "api_writes")
    measured = {"s": seconds} | cpu | {name: seen[name] for name in counts}
    return {f"{label}_{name}": value for name, value in measured.items()}


async def measure(
    flags: Flags, store: Repository, gnupg: Home, plane: ControlPlane
) -> dict[str, float]:
    """Measure the three kinds of sync."""
    async with connect(Settings.load(flags, dict(os.environ))) as connected:
        result = await timed(connected, plane, "first")
        nothing = [await timed(connected, plane, "nothing_changed") for _ in range(REPEATS)]
        result |= sorted(nothing, key=lambda one: one["nothing_changed_s"])[REPEATS // 2]
        rotated = []
        for number in range(REPEATS):
            text = gnupg.encrypt(f"new {number}\n".encode(), [gnupg.fingerprint(OPERATOR)])
            store.commit({"app-007.gpg": text})
            rotated.append(await timed(connected, plane, "one_rotated"))
        result |= sorted(rotated, key=lambda one: one["one_rotated_s"])[REPEATS // 2]
    result["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
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
        flags, store = world(Path(name), gnupg, plane.kubeconfig, count)
        return {"applications": count} | asyncio.run(measure(flags, store, gnupg, plane))


def main(arguments: list[str]) -> None:
    """Run and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    results = []
    for count in [int(text) for text in arguments] or COUNTS:
        result = run(count)
        results.append(result)
        width = max(map(len, result))
        for label, value in result.items():
            print(f"{label:<{width}}  {value:10.2f}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "applications.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
