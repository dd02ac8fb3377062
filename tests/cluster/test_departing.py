"""An App leaves the settings file, on a real API server: the same tests."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from behaviour.test_departing import *  # noqa: F403 -- the same suite, another cluster


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig
