"""One process a delivery, and all deliveries in one process, side by side.

`PYTHONPATH=tools:tests:bench python bench/workers.py [COUNT]` (default 6) starts a control plane
of its own and delivers applications of the walkthrough's shape again and again, everything made
anew and nothing to write, both ways by turns in one run. It prints what a delivery took: ms of the
clock, and of the processor time of the agent, of its children, and of both. JSON is kept in
bench/results.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import structlog

from applications import OPERATOR, RESULTS, spent, world
from cluster.control_plane import ControlPlane
from flux_secret.outside.supervision import group
from flux_secret.settings import Flags, Settings
from flux_secret.wiring.agent import Connected, connect
from simulators.gnupg import home

ROUNDS: Final = 8


def passed(plane: frozenset[int]) -> tuple[float, float, float]:
    """Give the clock, our processor time, and that of our children, in seconds."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = set(group.children(os.getpid())) - plane
    children = ended.ru_utime + ended.ru_stime + spent(running)
    return time.perf_counter(), own.ru_utime + own.ru_stime, children


async def timed(connected: Connected, plane: frozenset[int], count: int) -> dict[str, float]:
    """Deliver everything anew; give ms a delivery."""
    before = passed(plane)
    done = await connected.round(anew=True)
    assert done.exit_code == 0, done.errors
    names = ("clock", "agent_cpu", "children_cpu")
    spans = (now - then for now, then in zip(passed(plane), before, strict=True))
    found = {name: 1000 * span / count for name, span in zip(names, spans, strict=True)}
    return found | {"cpu": found["agent_cpu"] + found["children_cpu"]}


async def measure(flags: Flags, plane: ControlPlane, count: int) -> dict[str, float]:
    """Measure both ways by turns; give medians."""
    settings = Settings.load(flags, dict(os.environ))
    pids = frozenset(plane.pids)
    results: dict[str, list[dict[str, float]]] = {"here": [], "worker": []}
    async with contextlib.AsyncExitStack() as opened:
        ways = {
            name: await opened.enter_async_context(connect(settings, workers=name == "worker"))
            for name in results
        }
        for connected in ways.values():  # the first writes; and each starts its fork servers
            await connected.round(anew=True)
        for _ in range(ROUNDS):
            for name, connected in ways.items():
                results[name].append(await timed(connected, pids, count))
    return {
        f"{name}_{what}_ms": statistics.median(one[what] for one in found)
        for name, found in results.items()
        for what in found[0]
    }


def main(arguments: list[str]) -> None:
    """Run and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    count = int(arguments[0]) if arguments else 6
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 -- memory-backed
    with (
        tempfile.TemporaryDirectory(dir=memory) as name,
        home() as gnupg,
        ControlPlane.start(Path(name) / "plane") as plane,
    ):
        gnupg.curve25519(OPERATOR)
        flags, _store = world(Path(name), gnupg, plane.kubeconfig, count)
        result = asyncio.run(measure(flags, plane, count + 1))
    for label, value in result.items():
        print(f"{label:<24}{value:8.1f}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "workers.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
