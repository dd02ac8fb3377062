"""A real API server: the one that KUBECONFIG names, else one of our own for the whole run.

A session fixture starts one control plane a worker process of xdist; a cluster of somebody else's
is one, so there run it without (`-p no:xdist`). Our own starts in 5 s and takes 550 MB.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.control_plane import ControlPlane
from simulators.programs import fluxctl

__all__ = ["fluxctl"]
KUBECTL_SECONDS = 60.0


@dataclass(frozen=True)
class Existing:
    """A cluster that somebody else runs."""

    kubeconfig: Path

    @property
    def kubectl(self) -> Path:
        found = shutil.which("kubectl")
        assert found, "KUBECONFIG names a cluster, and there is no kubectl to reach it with"
        return Path(found)


@dataclass(frozen=True)
class Kubectl:
    """A person at the command line."""

    program: Path
    home: Path

    def __call__(
        self, kubeconfig: Path, *arguments: str, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, f"--kubeconfig={kubeconfig}", *arguments],
            input=given, capture_output=True, text=True, timeout=KUBECTL_SECONDS, check=False,
            env={"PATH": os.defpath, "HOME": str(self.home)}, cwd=self.home,
        )  # fmt: skip


def pytest_report_header() -> str:
    named = os.environ.get("KUBECONFIG")
    return f"cluster: {named or 'a control plane of our own'}"


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane | Existing]:
    named = os.environ.get("KUBECONFIG")
    if named:
        assert os.pathsep not in named, "KUBECONFIG names several files: name one"
        yield Existing(Path(named))
        return
    with ControlPlane.start(tmp_path_factory.mktemp("control-plane"), {"nobody": ()}) as plane:
        yield plane


@pytest.fixture(scope="session")
def bare_api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Lend one without controllers, where an object stays as it was written."""
    if os.environ.get("KUBECONFIG"):
        pytest.skip("it needs an API server without controllers, which KUBECONFIG's is not")
    with ControlPlane.start(tmp_path_factory.mktemp("api-server"), controllers=False) as plane:
        yield plane


@pytest.fixture
def our_control_plane(control_plane: ControlPlane | Existing) -> Iterator[ControlPlane]:
    """Lend what a test may break: its API server runs again afterwards."""
    if isinstance(control_plane, Existing):
        pytest.skip("it stops the API server or makes users, which only our own is there for")
    yield control_plane
    if not control_plane.is_serving:
        control_plane.restart_api_server()


@pytest.fixture
def kubectl(control_plane: ControlPlane | Existing, tmp_path: Path) -> Kubectl:
    return Kubectl(control_plane.kubectl, tmp_path)
