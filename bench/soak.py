"""An administrator's worst quarter of an hour: random faults, and everything ends as it should.

`PYTHONPATH=tools:tests python bench/soak.py [MINUTES [APPS [SEED]]]` (default 15, 20 and 1) starts
a real control plane and three agents that share the Apps by Leases. One agent lives through it all;
the two others are killed with SIGKILL and started again. Meanwhile the API server is stopped and
started, repositories go away and come back, and entries of the store are changed and pushed. At the
end it checks, and fails loudly if it is not so:

- every App is Ready, and its Secret has the last value that was pushed;
- no Deployment rolled out more often than its value changed;
- the agent that lived has at most 1.05 times the resident memory at the end that it had after a
  third of the time.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from applications import OPERATOR, RESULTS, names
from apps import NAMESPACE, Agent, Bench, agent, wait
from cluster.control_plane import ControlPlane
from simulators.gnupg import home

MINUTES: Final = 15.0
APPS: Final = 20
GROWTH: Final = 1.05
PAUSE_SECONDS: Final = (2.0, 8.0)  # between two faults
OUTAGE_SECONDS: Final = (2.0, 10.0)
SETTLING_SECONDS: Final = 300.0
FLAGS: Final = (
    "--leader-elect", "--lease-duration=15s", "--renew-deadline=10s", "--retry-period=2s",
    "--git-poll-interval=5s", "--regenerate-interval=5m",
)  # fmt: skip


@dataclass
class Soak:
    """What has happened so far."""

    bench: Bench
    dice: random.Random
    values: dict[str, str] = field(default_factory=dict)
    """The last value of each App that was pushed."""
    changes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def rotate(self, _agents: dict[str, ExitStack]) -> None:
        """Change an entry and push."""
        name = self.dice.choice(names(self.bench.count))
        self.changes[name] += 1
        self.values[name] = f"value {self.changes[name]} of {name}\n"
        content = self.bench.encrypted(self.values[name])
        self.bench.store.commit({f"{name}.gpg": content})

    def kill(self, agents: dict[str, ExitStack]) -> None:
        """Kill an agent; it comes back as Kubernetes brings it back."""
        name = self.dice.choice(["second", "third"])
        agents.pop(name).close()
        agents[name] = started(self.bench, name, killing=True)[0]

    def restart(self, _agents: dict[str, ExitStack]) -> None:
        """Stop the API server, and start it again."""
        self.bench.plane.stop_api_server()
        time.sleep(self.dice.uniform(*OUTAGE_SECONDS))
        self.bench.plane.restart_api_server()

    def outage(self, _agents: dict[str, ExitStack]) -> None:
        """Take a repository away, and bring it back."""
        repository = self.dice.choice([self.bench.store, self.bench.ops])
        away = repository.path.with_suffix(".away")
        repository.path.rename(away)
        time.sleep(self.dice.uniform(*OUTAGE_SECONDS))
        away.rename(repository.path)


def started(bench: Bench, name: str, *, killing: bool = False) -> tuple[ExitStack, Agent]:
    """Run an agent; `killing`: it ends by SIGKILL."""
    stack = ExitStack()
    one = stack.enter_context(agent(bench, name, *FLAGS))
    if killing:
        stack.callback(one.process.wait, 30)
        stack.callback(one.process.kill)
    return stack, one


def rollouts(bench: Bench) -> dict[str, int]:
    """Say how often each Deployment was rolled out after the first time."""
    said = bench.kubectl("get", "deployments", "-n", NAMESPACE, "-o", "json")
    key = "deployment.kubernetes.io/revision"
    return {
        one["metadata"]["name"]: int(one["metadata"]["annotations"][key]) - 1
        for one in json.loads(said)["items"]
    }


def is_settled(soak: Soak) -> bool:
    """Whether every App is Ready and has its last value."""
    bench = soak.bench
    with contextlib.suppress(Exception):
        return bench.ready() == bench.count and all(
            bench.secret(name) == value.encode() for name, value in soak.values.items()
        )
    return False


def run(minutes: float, count: int, seed: int) -> dict[str, float]:
    """Do it, and check."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 -- memory-backed
    with (
        tempfile.TemporaryDirectory(dir=memory) as name,
        home() as gnupg,
        ControlPlane.start(Path(name) / "plane") as plane,
    ):
        gnupg.curve25519(OPERATOR)
        bench = Bench(Path(name), gnupg, plane, count)
        bench.prepare(restart={"workloads": "delivered", "budget": 1000})
        soak = Soak(bench, random.Random(seed))  # noqa: S311 -- nothing to guess
        stack, lives = started(bench, "first")
        agents = {"first": stack} | {
            one: started(bench, one, killing=True)[0] for one in ("second", "third")
        }
        wait(lambda: bench.ready() == count, pause=1.0)
        began, early = time.monotonic(), 0.0
        while (passed := time.monotonic() - began) < minutes * 60:
            if not early and passed > minutes * 20:
                early = lives.memory("VmRSS")
            fault = soak.dice.choices(
                [soak.rotate, soak.kill, soak.restart, soak.outage], [6, 1, 1, 1]
            )[0]
            soak.faults[fault.__name__] += 1
            fault(agents)
            time.sleep(soak.dice.uniform(*PAUSE_SECONDS))
        ended = time.monotonic()
        wait(lambda: is_settled(soak), seconds=SETTLING_SECONDS, pause=1.0)
        settled, late = time.monotonic() - ended, lives.memory("VmRSS")
        rolled = rollouts(bench)
        for one in agents.values():
            one.close()
    too_often = {
        app: (times, soak.changes[app])
        for app, times in rolled.items()
        if times > soak.changes[app]
    }
    print(f"faults: {dict(soak.faults)}; value changes: {soak.changes.total()}; "
          f"rollouts: {sum(rolled.values())}")  # fmt: skip
    assert not too_often, f"rolled out more often than their value changed: {too_often}"
    assert late <= GROWTH * early, f"resident memory grew from {early:.1f} to {late:.1f} MiB"
    return {
        "minutes": minutes, "apps": count, "value_changes": soak.changes.total(),
        "rollouts": sum(rolled.values()), "settled_s": settled, "early_mib": early,
        "late_mib": late, **{f"faults_{name}": number for name, number in soak.faults.items()},
    }  # fmt: skip


def main(arguments: list[str]) -> None:
    """Run and print."""
    minutes, count, seed = [*arguments, *(None,) * 3][:3]
    result = run(float(minutes or MINUTES), int(count or APPS), int(seed or 1))
    width = max(map(len, result))
    for label, value in result.items():
        print(f"{label:<{width}}  {value:10.2f}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "soak.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
