"""`flux-secret demo --cluster current`: played on a real API server, and nothing is left there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


class Kubectl(Protocol):
    def __call__(
        self, kubeconfig: Path, *arguments: str, given: str = ""
    ) -> subprocess.CompletedProcess[str]: ...


def test_the_story_plays_on_a_real_cluster_and_tidies_up(
    control_plane: Cluster, kubectl: Kubectl, tmp_path: Path
) -> None:
    kubeconfig = control_plane.kubeconfig
    done = subprocess.run(
        [sys.executable, "-m", "flux_secret", "demo", "--cluster", "current"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "secret/demo-secret deleted" in done.stdout
    assert 'namespace "flux-secret-demo" deleted' in done.stdout
    left = kubectl(kubeconfig, "get", "configmap", "about-this-cluster", "-n", "default")
    assert "NotFound" in left.stderr
