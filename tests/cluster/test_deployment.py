"""The Deployment under PodSecurity `restricted`, and our kinds as `install` brings them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from cluster.test_rights import may, until
from simulators.documents import LEAST
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.installing import Administrator, as_agent
from simulators.world import Done, World

Tree = dict[str, Any]
DEPLOY = Path(__file__).parents[2] / "deploy"
PATCH = ("--type=merge", "-p", '{"status": {"observedGeneration": 1}}')
RESTRICTED = "pod-security.kubernetes.io"


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


@pytest.fixture
def administrator(world: World) -> Administrator:
    return Administrator(world)


@pytest.fixture
def restricted(world: World) -> World:
    """A namespace where nothing else may run, and which says so of Deployments, too."""
    assert world.kubectl("create", "namespace", world.namespace).code == 0
    labels = [f"{RESTRICTED}/{mode}=restricted" for mode in ("enforce", "warn", "audit")]
    assert world.kubectl("label", "namespace", world.namespace, *labels).code == 0
    account = ("create", "serviceaccount", "flux-secret", "-n", world.namespace)
    assert world.kubectl(*account).code == 0
    return world


@pytest.fixture
def deployment(restricted: World, tmp_path: Path) -> Tree:
    """The Deployment with every component."""
    settings = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": [f"{DEPLOY}/base"],
        "components": [str(one) for one in sorted((DEPLOY / "components").iterdir())],
    }  # fmt: skip
    folder = DEPLOY.resolve()
    up = Path(*[".."] * (len(tmp_path.resolve().parts) - 1))
    text = yaml.safe_dump(settings).replace(str(folder), f"{up}{folder}")
    (tmp_path / "kustomization.yaml").write_text(text)
    done = restricted.kubectl("kustomize", str(tmp_path))
    assert done.code == 0, done.err
    trees = yaml.safe_load_all(done.out)
    tree: Tree = next(one for one in trees if one["kind"] == "Deployment")
    tree["metadata"]["namespace"] = restricted.namespace
    return tree


def create(world: World, tree: Tree) -> Done:
    return world.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(tree))


def pod(world: World, deployment: Tree) -> Tree:
    template = copy.deepcopy(deployment["spec"]["template"])
    metadata = {"name": "x", "namespace": world.namespace, "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def test_the_deployment_and_its_pod_are_admitted_without_a_warning(
    restricted: World, deployment: Tree
) -> None:
    for tree in (deployment, pod(restricted, deployment)):
        done = create(restricted, tree)
        assert done.code == 0, done.err
        assert "arning" not in done.err


LESS: dict[str, Callable[[Tree], object]] = {
    "runAsNonRoot": lambda spec: spec["securityContext"].pop("runAsNonRoot"),
    "seccompProfile": lambda spec: spec["securityContext"].pop("seccompProfile"),
    "allowPrivilegeEscalation": lambda spec: spec["containers"][0]["securityContext"].pop(
        "allowPrivilegeEscalation"
    ),
    "capabilities": lambda spec: spec["containers"][0]["securityContext"].pop("capabilities"),
}


@pytest.mark.parametrize("name", LESS)
def test_each_setting_is_needed(restricted: World, deployment: Tree, name: str) -> None:
    less = copy.deepcopy(deployment)
    LESS[name](less["spec"]["template"]["spec"])
    assert "Warning: would violate PodSecurity" in create(restricted, less).err
    refused = create(restricted, pod(restricted, less))
    assert refused.code != 0
    assert name in refused.err


def test_the_agent_may_follow_its_kinds_and_say_how_they_stand(
    administrator: Administrator,
) -> None:
    world = administrator.world
    done = administrator.install("--apply", "--custom-resources")
    assert done.code == 0, done.err
    until(lambda: may(administrator, "list", "apps.flux-secret.io", world.namespace))
    until(lambda: may(administrator, "list", "stores.flux-secret.io", administrator.namespace))
    rights = as_agent(world, administrator.namespace)

    def agent(*words: str, stdin: str = "") -> Done:
        return world.kubectl(f"--kubeconfig={rights}", *words, stdin=stdin)

    for kind, place in (("App", world.namespace), ("Store", administrator.namespace)):
        made = {
            "apiVersion": "flux-secret.io/v1alpha1", "kind": kind, "spec": LEAST[kind],
            "metadata": {"name": "demo", "namespace": place},
        }  # fmt: skip
        assert world.kubectl("create", "-f", "-", stdin=json.dumps(made)).code == 0
        plural = f"{kind.lower()}s.flux-secret.io"
        everywhere = ("-A",) if kind == "App" else ("-n", place)
        assert "demo" in agent("get", plural, *everywhere).out
        told = agent("patch", plural, "demo", "-n", place, "--subresource=status", *PATCH)
        # kubectl reads what it has patched; the agent does not
        assert told.code == 0 or "cannot get" in told.err, told.err
    for verb, resource, namespace, allowed in (
        ("patch", "apps.flux-secret.io", world.namespace, True),
        ("watch", "storesecrets.flux-secret.io", world.namespace, True),
        ("create", "events", world.namespace, True),
        ("get", "customresourcedefinitions.apiextensions.k8s.io/apps.flux-secret.io", "", True),
        ("list", "stores.flux-secret.io", world.namespace, False),
        ("create", "apps.flux-secret.io", world.namespace, False),
        ("delete", "apps.flux-secret.io", world.namespace, False),
        ("update", "stores.flux-secret.io", administrator.namespace, False),
        ("patch", "customresourcedefinitions.apiextensions.k8s.io/apps.flux-secret.io", "", False),
    ):
        assert may(administrator, verb, resource, namespace) is allowed, (verb, resource)
    world.kubectl("delete", "app/demo", "-n", world.namespace)


def test_two_agents_share_the_definitions(administrator: Administrator) -> None:
    world = administrator.world
    alone = [
        "install", "--image=registry.example.org/flux-secret:1", "--custom-resources",
        "--apply", *administrator.keys, f"--kubeconfig={world.kubeconfig}",
    ]  # fmt: skip
    first, second = administrator.namespace, f"{world.namespace}-second"
    done = world.run(*alone, f"--namespace={first}")
    assert done.code == 0, done.err
    again = world.run(*alone, f"--namespace={second}")
    assert again.code == 0, again.err
    for kind in ("apps", "stores", "storesecrets"):
        name = f"customresourcedefinition.apiextensions.k8s.io/{kind}.flux-secret.io"
        assert f"{name} unchanged" in again.out
    for label, code in (("somebody-else", 4), ("flux-secret", 0)):
        world.kubectl("label", "--overwrite", "crd/stores.flux-secret.io",
                      f"app.kubernetes.io/name={label}")  # fmt: skip
        assert world.run(*alone, f"--namespace={second}").code == code
    world.kubectl("delete", "namespace", second, "--wait=false")
    for kind in ("clusterrole", "clusterrolebinding"):
        for place in (first, second):
            assert world.kubectl("delete", kind, f"flux-secret-resources-{place}").code == 0
