"""One whole delivery of the demo on a real API server, and the agent's memory after a hundred.

`PYTHONPATH=tools:tests python bench/delivery.py` starts a control plane of its own, plays the
walkthrough's repositories on it, and prints a table; JSON is kept in bench/results.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from cluster.control_plane import ControlPlane
from flux_secret.reconcile.round import Round
from flux_secret.settings import Flags, Settings
from flux_secret.wiring.agent import Connected, connect
from simulators.gnupg import Home, home
from simulators.repositories import Executable, Repository

RESULTS = Path(__file__).parent / "results"
OPS = Path(__file__).parents[1] / "examples" / "demo"
DELIVERIES = 100
REPEATS = 5


def resident_mib() -> float:
    """Give this process's peak resident memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def world(place: Path, gnupg: Home, kubeconfig: Path) -> tuple[Flags, Repository]:
    """Make the walkthrough's repositories and the flags that deliver them."""
    fingerprint = gnupg.curve25519("operator@example.org")
    (place / "flux.asc").write_bytes(gnupg.private_key("operator@example.org"))
    store = Repository.create(
        place / "store",
        {".gpg-id": f"{fingerprint}\n", "demo.gpg": gnupg.encrypt(b"value 0\n", [fingerprint])},
    )
    files = {
        str(file.relative_to(OPS)): (
            Executable(file.read_text()) if file.suffix == ".sh" else file.read_text()
        )
        for file in sorted(OPS.rglob("*"))
        if file.is_file()
    }
    ops = Repository.create(place / "ops", files)
    flags = Flags(
        git_url=ops.url,
        git_path=("demo/overlay/dev",),
        store=(f"apps={store.url}",),
        git_gpg_key_import=(place / "flux.asc",),
        manifest_generation=True,
        generator_env=("APPLICATIONSTORE=apps",),
        kubeconfig=kubeconfig,
        cache_dir=place / "cache",
    )
    return flags, store


@asynccontextmanager
async def agent(flags: Flags) -> AsyncIterator[Connected]:
    """Connect as the agent does."""
    async with connect(Settings.load(flags, dict(os.environ))) as connected:
        yield connected


async def timed(connected: Connected) -> tuple[float, Round]:
    """Deliver once; give seconds and outcome."""
    began = time.perf_counter()
    done = await connected.round()
    assert done.exit_code == 0, [str(change) for one in done.deliveries for change in one.changes]
    return time.perf_counter() - began, done


async def measure(flags: Flags, store: Repository, gnupg: Home) -> dict[str, float]:
    """Measure a first delivery, passes with nothing to do, rotations, and memory."""
    fingerprint = gnupg.fingerprint("operator@example.org")
    async with agent(flags) as connected:
        first, _ = await timed(connected)
        nothing = [(await timed(connected))[0] for _ in range(REPEATS)]
        rotated = []
        for number in range(REPEATS):
            text = f"value {number + 1}\n".encode()
            store.commit({"demo.gpg": gnupg.encrypt(text, [fingerprint])})
            rotated.append((await timed(connected))[0])
        after_few = resident_mib()
        for _ in range(DELIVERIES - 1 - 2 * REPEATS):
            await timed(connected)
        return {
            "first_delivery_s": first,
            "nothing_changed_median_s": statistics.median(nothing),
            "rotated_median_s": statistics.median(rotated),
            "deliveries": DELIVERIES,
            f"peak_mib_after_{1 + 2 * REPEATS}": after_few,
            f"peak_mib_after_{DELIVERIES}": resident_mib(),
        }


def main() -> None:
    """Run and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 -- memory-backed
    with (
        tempfile.TemporaryDirectory(dir=memory) as name,
        home() as gnupg,
        ControlPlane.start(Path(name) / "plane") as plane,
    ):
        flags, store = world(Path(name), gnupg, plane.kubeconfig)
        result = asyncio.run(measure(flags, store, gnupg))
    width = max(map(len, result))
    for label, value in result.items():
        print(f"{label:<{width}}  {value:8.2f}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "delivery.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
