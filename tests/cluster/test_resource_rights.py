"""An agent of custom resources with the rights that `install` and `--print-rbac` give it.

Each verb of what it needs to follow its kinds is taken away once, and then missed by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from behaviour.test_custom_resources import (
    NAME,
    let_go,
    put_app,
    put_secret,
    put_store,
    ready,
    running,
)
from cluster.test_rights import may
from cluster.test_rights import until as until_allowed
from simulators.agents import Agent, until, value
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.installing import IMAGE, Administrator, as_agent
from simulators.world import FIRST, World

Tree = dict[str, Any]
CLUSTER, OWN = "clusterrole", "role"
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "demo-secret"}}
ALONE = pytest.mark.timeout(240)


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


@pytest.fixture
def administrator(world: World) -> Iterator[Administrator]:
    """Somebody who has installed the agent, and grants what the first App contains."""
    one = Administrator(world)
    done = world.run(
        "install", f"--image={IMAGE}", "--custom-resources", "--apply", *one.keys,
        f"--namespace={one.namespace}", f"--kubeconfig={world.kubeconfig}",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert world.kubectl("create", "namespace", world.namespace).code == 0
    put_store(world)
    put_app(world)
    put_secret(world)
    overlay = world.kubectl("kustomize", str(world.ops.path / "demo/overlay/dev"))
    assert overlay.code == 0, overlay.err
    file = world.root / "documents.yaml"
    file.write_text(f"{overlay.out}---\n{yaml.safe_dump(SECRET)}")
    printed = world.run(
        "install", "--print-rbac", f"--manifests={file}", f"--namespace={one.namespace}",
        f"--k8s-allow-namespace={world.namespace}", f"--kubeconfig={world.kubeconfig}",
        "--sync-garbage-collection",
    )  # fmt: skip
    assert printed.code == 0, printed.err
    words = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    applied = world.kubectl(*words, stdin=printed.out)
    assert applied.code == 0, applied.err
    until_allowed(lambda: may(one, "delete", "secrets", world.namespace))
    until_allowed(lambda: may(one, "list", "stores.flux-secret.io", one.namespace))
    until_allowed(lambda: may(one, "list", "apps.flux-secret.io", world.namespace))
    yield one
    for kind in ("apps", "storesecrets"):  # no agent lets them go
        let_go(world, f"{kind}.flux-secret.io", world.namespace)


def delete_app(world: World) -> None:
    world.kubectl("delete", "apps.flux-secret.io", NAME, "-n", world.namespace, "--wait=false")


def is_gone(world: World) -> bool:
    return world.get("apps.flux-secret.io", NAME) is None


@ALONE
def test_it_delivers_says_so_and_removes_with_exactly_these_rights(
    administrator: Administrator,
) -> None:
    world = administrator.world
    rights = as_agent(world, administrator.namespace)
    with running(world, f"--kubeconfig={rights}") as one:
        until(lambda: ready(world) == "True")
        assert value(world) == FIRST
        until(lambda: ready(world, kind="stores.flux-secret.io", name="apps") == "True")
        until(lambda: world.kubectl("get", "events", "-n", world.namespace).out.count(NAME) > 0)
        delete_app(world)
        until(lambda: is_gone(world))
        assert value(world) is None
        assert "does not allow this agent" not in one.log.read_text()


@ALONE
def test_a_namespace_that_is_deleted_is_let_go_though_the_agents_roles_there_go_first(
    administrator: Administrator,
) -> None:
    world = administrator.world
    rights = as_agent(world, administrator.namespace)
    with running(world, f"--kubeconfig={rights}") as one:
        until(lambda: ready(world) == "True")
        world.kubectl("delete", "rolebindings", "--all", "-n", world.namespace)
        world.kubectl("delete", "namespace", world.namespace, "--wait=false")
        until(lambda: world.get("namespace", world.namespace, "") is None)
        assert one.has_said("app.left")


VERBS = [
    (CLUSTER, "list", "apps.flux-secret.io"),
    (CLUSTER, "watch", "apps.flux-secret.io"),
    (CLUSTER, "patch", "apps.flux-secret.io"),
    (CLUSTER, "patch", "apps.flux-secret.io/status"),
    (CLUSTER, "list", "storesecrets.flux-secret.io"),
    (CLUSTER, "watch", "storesecrets.flux-secret.io"),
    (CLUSTER, "patch", "storesecrets.flux-secret.io"),
    (CLUSTER, "patch", "storesecrets.flux-secret.io/status"),
    (CLUSTER, "get", "customresourcedefinitions.apiextensions.k8s.io"),
    (CLUSTER, "create", "events"),
    (OWN, "list", "stores.flux-secret.io"),
    (OWN, "watch", "stores.flux-secret.io"),
    (OWN, "patch", "stores.flux-secret.io/status"),
]


def without(rules: list[Tree], verb: str, resource: str) -> list[Tree]:
    plural, _, rest = resource.partition(".")
    group, _, sub = rest.partition("/")
    name = f"{plural}/{sub}" if sub else plural
    return [
        {**rule, "verbs": [one for one in rule["verbs"] if one != verb] or ["none"]}
        if name in rule["resources"] and group in rule["apiGroups"]
        else rule
        for rule in rules
    ]


@ALONE
@pytest.mark.parametrize(("kind", "verb", "resource"), VERBS)
def test_each_verb_is_missed(
    administrator: Administrator, kind: str, verb: str, resource: str
) -> None:
    world = administrator.world
    named = (kind, f"flux-secret-resources-{administrator.namespace}") if kind == CLUSTER else (
        kind, "flux-secret-resources", "-n", administrator.namespace,
    )  # fmt: skip
    role = json.loads(world.kubectl("get", *named, "-o", "json").out)
    patch = json.dumps({"rules": without(role["rules"], verb, resource)})
    assert world.kubectl("patch", *named, "--type=merge", "-p", patch).code == 0
    place = administrator.namespace if kind == OWN else world.namespace
    whole, _, sub = resource.partition("/")
    if not sub:
        name = f"{whole}/apps.flux-secret.io" if whole.startswith("custom") else whole
        until_allowed(lambda: not may(administrator, verb, name, place))
    rights = as_agent(world, administrator.namespace)

    def is_missed(one: Agent) -> bool:
        return f"does not allow this agent to {verb} {resource}" in one.log.read_text()

    with running(world, f"--kubeconfig={rights}") as one:
        if whole.startswith("custom"):
            until(lambda: ready(world) == "True")
            delete_app(world)
        until(lambda: is_missed(one))
