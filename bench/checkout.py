"""What laying out a repository costs a target: 300 applications, 1,800 small files, CPU time.

`PYTHONPATH=tests python bench/checkout.py` prints medians; wall time would measure the neighbours.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from pathlib import Path

from flux_secret.outside.files import memory_directory
from flux_secret.outside.layouts import Layouts
from flux_secret.outside.worktree import lay_out
from flux_secret.source.interface import LayOut
from simulators.repositories import Content, Executable, Repository

APPLICATIONS = 300
REPEATS = 15


def application(number: int) -> dict[str, Content]:
    """Give the files of one application in the walkthrough's shape."""
    base, dev = f"apps/app-{number:03}/base", f"apps/app-{number:03}/overlay/dev"
    return {
        f"{base}/deployment.yaml": "a: 1\n" * 100,
        f"{base}/kustomization.yaml": "x: 1\n" * 10,
        f"{dev}/kustomization.yaml": f"{'x' * 100}{number}",
        f"{dev}/.flux.yaml": "x" * 200,
        f"{dev}/service.yaml": f"{'y' * 300}{number}",
        f"{dev}/secrets.yaml.sh": Executable(f"{'z' * 300}{number}"),
    }


def spent() -> float:
    """Give the CPU seconds of this process and of those that it started."""
    return sum(os.times()[:4])


async def measure(place: Path, lay_out: LayOut) -> float:
    """Give the median of the CPU seconds that laying out and removing take."""
    files: dict[str, Content] = {}
    for number in range(APPLICATIONS):
        files |= application(number)
    repository = Repository.create(place / "ops", files)
    repository.git("gc", "--quiet")
    commit, seconds = repository.head, []
    for _ in range(REPEATS):
        began = spent()
        async with lay_out(repository.path / ".git", commit):
            pass
        seconds.append(spent() - began)
    return statistics.median(seconds)


def main() -> None:
    """Run and print."""
    asyncio.run(compare())


async def compare() -> None:
    """Measure each way."""
    once = Layouts(os.environ["PATH"])
    async with Layouts(os.environ["PATH"]) as again:
        ways: dict[str, LayOut] = {
            "from git each time": lay_out,
            "read once": once.lay_out,
            "read once, lent again": again.lay_out,
        }
        for what, way in ways.items():
            with tempfile.TemporaryDirectory(dir=memory_directory()) as name:
                seconds = await measure(Path(name), way)
            print(f"{what}: {seconds * 1000:.0f} ms of CPU a target")


if __name__ == "__main__":
    main()
