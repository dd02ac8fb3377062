"""Our inventory is an ApplySet parent (KEP-3659) by kubectl's own judgement, and stays ours."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Protocol

import pytest

from flux_secret.apply.inventory import ID_LABEL
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import Done, World

TOOLING = "applyset.kubernetes.io/tooling"
KINDS = "applyset.kubernetes.io/contains-group-kinds"


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...

    @property
    def kubectl(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


def apply_set(world: World, kubectl: Path, name: str, *flags: str) -> Done:
    """Do what somebody does who takes our inventory for an ApplySet of theirs."""
    one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}}
    done = subprocess.run(
        [kubectl, "apply", "--prune", f"--applyset=configmaps/{name}", "-f", "-", *flags,
         f"--namespace={world.namespace}-flux"],
        env={"KUBECTL_APPLYSET": "true", "KUBECONFIG": str(world.kubeconfig),
             "HOME": str(world.root), "PATH": ""},
        input=json.dumps(one), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def parent(world: World) -> dict[str, Any]:
    found = world.kubectl(
        "get", "configmap", "-n", f"{world.namespace}-flux", "-l", ID_LABEL, "-o", "json"
    )
    (one,) = json.loads(found.out)["items"]
    return dict(one)


def test_kubectl_knows_it_for_an_apply_set_and_leaves_it_to_us(
    world: World, control_plane: Cluster
) -> None:
    assert world.deliver().code == 0
    before = parent(world)
    name = before["metadata"]["name"]
    assert before["metadata"]["annotations"][KINDS] == "Deployment.apps,Namespace,Secret,Service"
    refused = apply_set(world, control_plane.kubectl, name)
    assert refused.code != 0
    assert 'is managed by tooling "flux-secret" instead of "kubectl"' in refused.err
    assert parent(world) == before

    # were it kubectl's own, it would be one by its label and its kinds, and prune our objects
    whose = f"{TOOLING}=kubectl/v1.34.0"
    place = f"{world.namespace}-flux"
    assert world.kubectl("annotate", "configmap", name, "-n", place, whose, "--overwrite").code == 0
    taken = apply_set(world, control_plane.kubectl, name, "--dry-run=server")
    assert taken.code == 0, taken.err
    pruned = {line.split()[0] for line in taken.out.splitlines() if "pruned" in line}
    assert pruned == {
        "deployment.apps/demo", f"namespace/{world.namespace}", "secret/demo-secret",
        "service/demo-service",
    }  # fmt: skip
