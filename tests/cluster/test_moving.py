"""An object moves between Apps of a real cluster: the same tests."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from behaviour.test_moving import *  # noqa: F403 -- the same suite, another cluster


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig
