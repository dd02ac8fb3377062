"""Deliveries with a record and without, side by side and by turns, in one run.

`PYTHONPATH=tools:tests:bench python bench/recorded_deliveries.py [ROUNDS]` (default 8) delivers by
workers to the API server in memory: six applications of the walkthrough's shape, each with a
script, and one application with 1,000 references. In each round one value is new and all is made
anew. It prints medians of ms of the clock and of processor time (the agent's and its children's),
and how many lines and writes a round was on the record, which lies on the disk of the working
directory. JSON is kept in bench/results.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from applications import OPERATOR, RESULTS, world
from flux_secret.audit.keeper import RecordKeeper
from flux_secret.model.record import Note, Recorder
from flux_secret.settings import Flags, Settings
from flux_secret.wiring.agent import Connected, connect
from simulators.gnupg import Home, home
from simulators.repositories import Content, Repository
from workers import passed

ROUNDS: Final = 8
APPLICATIONS: Final = 6
REFERENCES: Final = 1000
_NAMESPACE: Final = "apiVersion: v1\nkind: Namespace\nmetadata: {name: applications}\n"


@dataclass
class Counting:
    """A recorder, and how much it was given."""

    recorder: Recorder
    notes: int = 0
    writes: int = 0

    async def write(self, notes: Sequence[Note]) -> None:
        """Record them."""
        self.notes += len(notes)
        self.writes += 1
        await self.recorder.write(notes)


@contextmanager
def api_server(place: Path) -> Iterator[tuple[Path, frozenset[int]]]:
    """Run the API server in memory; give its kubeconfig and its process."""
    file = place / "kubeconfig"
    server = subprocess.Popen(
        [sys.executable, "-m", "flux_secret.embedded", "--kubeconfig", str(file)],
        stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    try:
        while not file.exists():
            assert server.poll() is None
            time.sleep(0.02)
        yield file, frozenset({server.pid})
    finally:
        server.terminate()
        server.wait()


def references(place: Path, gnupg: Home, kubeconfig: Path) -> tuple[Flags, Repository]:
    """Make one application with 1,000 references in ten Secrets."""
    fingerprint = gnupg.fingerprint(OPERATOR)
    (place / "flux.asc").write_bytes(gnupg.private_key(OPERATOR))
    names = [f"app-{number:03}" for number in range(REFERENCES)]
    entries: dict[str, Content] = {".gpg-id": f"{fingerprint}\n"}
    entries |= {f"{one}.gpg": gnupg.encrypt(b"value\n", [fingerprint]) for one in names}
    secrets = []
    for group in range(10):
        lines = "".join(f"  {one}: ref+gopass://apps/{one}#password\n" for one in names[group::10])
        secrets.append(
            f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s{group}, namespace: applications}}\n"
            f"stringData:\n{lines}"
        )
    files = {"a/namespace.yaml": _NAMESPACE, "a/secrets.yaml": "---\n".join(secrets)}
    store = Repository.create(place / "store", entries)
    ops = Repository.create(place / "ops", files)
    flags = Flags(
        git_url=ops.url, git_path=("a",), store=(f"apps={store.url}",),
        git_gpg_key_import=(place / "flux.asc",), kubeconfig=kubeconfig, cache_dir=place / "cache",
    )  # fmt: skip
    return flags, store


async def timed(connected: Connected, server: frozenset[int]) -> tuple[float, float]:
    """Deliver everything anew; give ms of the clock and of processor time."""
    began = passed(server)
    done = await connected.round(anew=True)
    assert done.exit_code == 0, done.errors
    clock, own, children = (now - then for now, then in zip(passed(server), began, strict=True))
    return 1000 * clock, 1000 * (own + children)


async def measure(
    settings: Settings, change: Callable[[bytes], object], rounds: int, server: frozenset[int]
) -> Mapping[str, float]:
    """Measure both ways by turns; give medians."""
    async with contextlib.AsyncExitStack() as opened:
        disk = opened.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd()))
        keeper = await opened.enter_async_context(RecordKeeper(Path(disk), "bench"))
        counting = Counting(keeper)
        ways = {
            "without": await opened.enter_async_context(connect(settings, workers=True)),
            "with": await opened.enter_async_context(
                connect(settings, workers=True, recorder=counting)
            ),
        }
        for connected in ways.values():
            await timed(connected, server)
        counting.notes = counting.writes = 0
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for number in range(rounds):
            for name, connected in ways.items():
                change(f"{name} {number}\n".encode())
                found[name].append(await timed(connected, server))
        medians = {
            f"{name}_{what}_ms": statistics.median(times)
            for name, measured in found.items()
            for what, times in zip(("clock", "cpu"), zip(*measured, strict=True), strict=True)
        }
        counts = {"notes": counting.notes / rounds, "writes": counting.writes / rounds}
        return medians | counts


def main(arguments: list[str]) -> None:
    """Run and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    rounds = int(arguments[0]) if arguments else ROUNDS
    results = {}
    with home() as gnupg:
        gnupg.curve25519(OPERATOR)
        for name in ("scripts", "references"):
            with (
                tempfile.TemporaryDirectory(dir="/dev/shm") as memory,
                api_server(Path(memory)) as (kubeconfig, server),
            ):
                place = Path(memory)
                if name == "scripts":
                    flags, store = world(place, gnupg, kubeconfig, APPLICATIONS)
                else:
                    flags, store = references(place, gnupg, kubeconfig)

                def change(text: bytes, store: Repository = store) -> None:
                    sealed = gnupg.encrypt(text, [gnupg.fingerprint(OPERATOR)])
                    store.commit({"app-003.gpg": sealed})

                settings = Settings.load(flags, dict(os.environ))
                done = asyncio.run(measure(settings, change, rounds, server))
            results[name] = done
            print(name, {label: round(value, 1) for label, value in done.items()}, flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "recorded_deliveries.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
