"""An App that names a service account has that account's rights, and no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest
import yaml

from behaviour.test_app_rotation import told
from behaviour.test_custom_resources import (
    cluster,
    condition,
    put_app,
    put_store,
    ready,
    running,
)
from behaviour.test_rotation import mark, rollouts
from simulators.agents import until, value
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import FIRST, SECOND, World

__all__ = ["cluster"]
RULES = [
    {"apiGroups": [""], "resources": ["secrets", "services"],
     "verbs": ["get", "list", "create", "patch", "delete"]},
    {"apiGroups": ["apps"], "resources": ["deployments"],
     "verbs": ["get", "list", "create", "patch", "delete"]},
]  # fmt: skip


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


def grant(world: World, rules: Sequence[Mapping[str, list[str]]] = RULES) -> None:
    """Let the account write what the walkthrough has."""
    home = world.namespace
    subject = {"kind": "ServiceAccount", "name": "deployer", "namespace": home}
    group = "rbac.authorization.k8s.io"
    trees = [
        {"apiVersion": f"{group}/v1", "kind": "Role",
         "metadata": {"name": "deployer", "namespace": home}, "rules": [*rules]},
        {"apiVersion": f"{group}/v1", "kind": "RoleBinding",
         "metadata": {"name": "deployer", "namespace": home}, "subjects": [subject],
         "roleRef": {"apiGroup": group, "kind": "Role", "name": "deployer"}},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": home},
         "rules": [{"apiGroups": [""], "resources": ["namespaces"], "resourceNames": [home],
                    "verbs": ["get", "patch"]}]},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": home},
         "subjects": [subject],
         "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": home}},
    ]  # fmt: skip
    done = world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(trees))
    assert done.code == 0, done.err


def test_everything_is_done_with_the_rights_of_the_account(cluster: World) -> None:
    world = cluster
    world.kubectl("create", "serviceaccount", "deployer", "-n", world.namespace)
    with running(world) as one:
        put_store(world)
        put_app(world, serviceAccountName="deployer", interval="2s", retryInterval="1s")
        until(lambda: ready(world) == "False")
        assert condition(world)["reason"] == "AccessDenied"
        assert f"service account deployer in {world.namespace}" in condition(world)["message"]
        assert value(world) is None
        grant(world)
        until(lambda: ready(world) == "True")
        assert value(world) == FIRST
        until(lambda: one.log.read_text().count("delivery.finished") > 3)
        world.put("demo", SECOND)
        until(lambda: value(world) == SECOND)
        world.kubectl("delete", "apps.flux-secret.io", "demo", "-n", world.namespace,
                      "--wait=false")  # fmt: skip
        until(lambda: world.get("apps.flux-secret.io", "demo") is None)
        assert world.get("deployment", "demo") is None


def test_an_account_that_may_not_remove_keeps_its_app_until_it_may(cluster: World) -> None:
    world = cluster
    world.kubectl("create", "serviceaccount", "deployer", "-n", world.namespace)
    grant(world)
    with running(world):
        put_store(world)
        put_app(world, serviceAccountName="deployer")
        until(lambda: ready(world) == "True")
        world.kubectl("delete", "rolebinding", "deployer", "-n", world.namespace)
        world.kubectl("delete", "apps.flux-secret.io", "demo", "-n", world.namespace,
                      "--wait=false")  # fmt: skip
        until(lambda: ready(world) == "False")
        assert condition(world)["reason"] == "PruneFailed"
        assert world.get("deployment", "demo") is not None
        grant(world)
        until(lambda: world.get("apps.flux-secret.io", "demo") is None)
        assert world.get("deployment", "demo") is None


PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
READING = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}


def test_its_workloads_are_restarted_with_the_rights_of_the_account(cluster: World) -> None:
    world = cluster
    world.kubectl("create", "serviceaccount", "deployer", "-n", world.namespace)
    grant(world, [*RULES, PODS])
    with running(world) as one:
        put_store(world)
        put_app(world, serviceAccountName="deployer", restart={})
        until(lambda: ready(world) == "True")
        assert (mark(world), rollouts(world)) == ("", 1)
        world.put("demo", SECOND)
        until(lambda: mark(world) != "")
        until(lambda: one.has_said("restart.over"))
        assert (value(world), rollouts(world)) == (SECOND, 2)
        until(lambda: told(world) == [])


def test_an_account_that_may_not_restart_restarts_nothing_until_it_may(cluster: World) -> None:
    """The agent itself might: what counts is the account."""
    world = cluster
    world.kubectl("create", "serviceaccount", "deployer", "-n", world.namespace)
    grant(world)
    with running(world) as one:
        put_store(world)
        put_app(world, serviceAccountName="deployer", restart={})
        until(lambda: ready(world) == "True")
        grant(world, [RULES[0], READING])
        world.put("demo", SECOND)
        until(lambda: value(world) == SECOND)
        until(lambda: one.has_said("restart.waits"))
        until(lambda: [one["waitingFor"] for one in told(world)] != [])
        (rollout,) = told(world)
        assert "deployer" in rollout["waitingFor"]
        assert (mark(world), rollouts(world)) == ("", 1)
        grant(world, [*RULES, PODS])
        until(lambda: mark(world) != "")
        assert rollouts(world) == 2


def test_a_namespace_that_is_deleted_takes_along_the_apps_whose_accounts_it_holds(
    cluster: World,
) -> None:
    """Roles go with it, and often before the App: nobody could say any more what to remove."""
    world = cluster
    world.kubectl("create", "serviceaccount", "deployer", "-n", world.namespace)
    grant(world)
    with running(world):
        put_store(world)
        put_app(world, serviceAccountName="deployer")
        until(lambda: ready(world) == "True")
        world.kubectl("delete", "rolebinding", "deployer", "-n", world.namespace)
        world.kubectl("delete", "namespace", world.namespace, "--wait=false")
        until(lambda: world.get("namespace", world.namespace, "") is None)
