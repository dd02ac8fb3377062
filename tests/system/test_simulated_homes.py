"""A GnuPG home that tests make goes with them, whoever ends them and however."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

_TESTS = Path(__file__).parents[1]
_STORY = """
import sys
from simulators.gnupg import home
with home() as made:
    made.signing_key("somebody@example.org")
    print(made.path, flush=True)
    sys.stdin.read()
"""


def _agents(place: Path) -> list[Path]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                words = (process / "cmdline").read_bytes()
            except OSError:  # it has ended
                continue
            if b"agent" in words and os.fsencode(place) in words:
                found.append(process)
    return found


def test_a_home_and_its_agents_go_with_a_test_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _STORY], env={**os.environ, "PYTHONPATH": str(_TESTS)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        place = Path(process.stdout.readline().strip())
        assert place.is_dir()
        assert _agents(place)
        process.kill()
    deadline = time.monotonic() + 30
    while place.exists() or _agents(place):
        assert time.monotonic() < deadline, f"{place} is left, or an agent of it"
        time.sleep(0.05)
