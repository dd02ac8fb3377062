"""Whole deliveries on the embedded cluster; `tests/cluster` runs the same on a real one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.fixtures import gnupg, walkthrough, world
from simulators.measured import measured
from simulators.programs import fluxctl

__all__ = ["fluxctl", "gnupg", "walkthrough", "world"]
START_SECONDS = 30.0


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("embedded")
    file = place / "kubeconfig"
    server = subprocess.Popen(
        [sys.executable, "-m", "flux_secret.embedded", "--kubeconfig", str(file)],
        stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], **measured()},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + START_SECONDS
        while not file.exists():
            assert server.poll() is None, "the embedded API server ended"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield file
    finally:
        server.terminate()
        server.wait(10)
