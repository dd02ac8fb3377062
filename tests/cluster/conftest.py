"""A real API server: the one that KUBECONFIG names, else one of our own for the whole run.

A session fixture starts one control plane a worker process, so run this without xdist (`-p
no:xdist`), as `make test-cluster` does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.control_plane import ControlPlane


@dataclass(frozen=True)
class Existing:
    """A cluster that somebody else runs."""

    kubeconfig: Path


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane | Existing]:
    named = os.environ.get("KUBECONFIG")
    if named:
        yield Existing(Path(named))
        return
    with ControlPlane.start(tmp_path_factory.mktemp("control-plane"), {"nobody": ()}) as plane:
        yield plane
