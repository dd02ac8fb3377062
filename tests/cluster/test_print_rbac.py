"""`install --print-rbac`: with exactly these rights the walkthrough is delivered and removed.

Each verb that was generated is taken away once, and then missed by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from behaviour.test_custom_resources import (
    agents_own,
    cluster,  # noqa: F401 -- a fixture
    put_secret,
    put_store,
)
from cluster.test_rights import may, until
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.installing import Administrator, as_agent
from simulators.world import SECOND, Done, World

Tree = dict[str, Any]
ROLE = "flux-secret-applications"
OBJECTS = ("secret/demo-secret", "service/demo-service", "deployment/demo")
LABELLED = """\
apiVersion: v1
kind: Namespace
metadata: {{name: {}, labels: {{changed: "yes"}}}}
"""
KUSTOMIZE = """\
version: 1
commandUpdated:
  generators:
    - command: kustomize build .
"""


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


@pytest.fixture
def administrator(world: World) -> Administrator:
    """Somebody who has delivered once with every right; the agent has an account and no right."""
    one = Administrator(world)
    done = world.deliver(f"--namespace={one.namespace}", "--sync-garbage-collection")
    assert done.code == 0, done.err
    account = ("create", "serviceaccount", "flux-secret", "-n", one.namespace)
    assert world.kubectl(*account).code == 0
    return one


def printed(one: Administrator, *extra: str) -> list[Tree]:
    flags = ("--print-rbac", f"--namespace={one.namespace}", "--sync-garbage-collection")
    done = one.world.run("install", *flags, f"--kubeconfig={one.world.kubeconfig}", *extra)
    assert done.code == 0, done.err
    return list(yaml.safe_load_all(done.out))


def grant(one: Administrator, trees: list[Tree]) -> Path:
    """Apply what was printed; give the agent's kubeconfig once it counts."""
    world = one.world
    done = world.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(trees))
    assert done.code == 0, done.err
    (role,) = [tree for tree in trees if tree["metadata"].get("namespace") == world.namespace
               and tree["kind"] == "Role"]  # fmt: skip
    rule = role["rules"][-1]
    until(lambda: may(one, rule["verbs"][-1], rule["resources"][-1], world.namespace))
    until(lambda: may(one, "list", "configmaps", one.namespace))
    return as_agent(world, one.namespace)


def play(one: Administrator, rights: Path) -> Iterator[Done]:
    """Look, make what is missing, change, remove."""
    world = one.world
    flags = (
        f"--kubeconfig={rights}", f"--namespace={one.namespace}", "--sync-garbage-collection",
        f"--k8s-allow-namespace={world.namespace}",
    )  # fmt: skip
    yield world.deliver(*flags)
    assert world.kubectl("delete", *OBJECTS, "-n", world.namespace).code == 0
    yield world.deliver(*flags)
    world.put("demo", SECOND)
    named = "demo/overlay/dev/namespace.yaml"
    base = (world.ops.path / "demo/base/deployment.yaml").read_text()
    world.ops.commit(
        {
            named: LABELLED.format(world.namespace),
            "demo/base/deployment.yaml": base.replace("replicas: 1", "replicas: 2"),
        },
        "changes",
    )
    yield world.deliver(*flags)
    overlay = f"namespace: {world.namespace}\nresources: [namespace.yaml]\n"
    files = {"kustomization.yaml": overlay, ".flux.yaml": KUSTOMIZE}
    overlays = {f"demo/overlay/dev/{name}": text for name, text in files.items()}
    world.ops.commit(overlays, "neither Service, Deployment nor Secret")
    yield world.deliver(*flags)


def test_with_what_is_printed_the_agent_does_everything(administrator: Administrator) -> None:
    trees = printed(administrator)
    assert "*" not in json.dumps(trees)
    assert {tree["kind"] for tree in trees if "resources" not in tree["metadata"]["name"]} == {
        "Role", "RoleBinding",
    }  # fmt: skip
    done = list(play(administrator, grant(administrator, trees)))
    assert [one.code for one in done] == [0] * 4, [one.err for one in done]
    said = "".join(one.out for one in done)
    for line in ("secret/demo-secret created", "secret/demo-secret configured",
                 "service/demo-service deleted", "deployment.apps/demo deleted",
                 "secret/demo-secret deleted"):  # fmt: skip
        assert line in said
    assert f"namespace/{administrator.world.namespace} configured" in said


def test_documents_say_what_is_delivered_for_the_first_time(administrator: Administrator) -> None:
    namespace = administrator.world.namespace
    documents = [
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "x"}},
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "p"}},
    ]
    file = administrator.world.root / "new.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    trees = printed(administrator, f"--manifests={file}", f"--k8s-allow-namespace={namespace}")
    (role,) = [tree for tree in trees if (tree["kind"], tree["metadata"]["name"]) == ("Role", ROLE)]
    granted = {name for rule in role["rules"] for name in rule["resources"]}
    assert granted == {"secrets", "services", "deployments", "namespaces", "cronjobs"}
    (whole,) = [tree for tree in trees if tree["metadata"]["name"].startswith(f"{ROLE}-")
                and tree["kind"] == "ClusterRole"]  # fmt: skip
    assert whole["rules"][1]["resourceNames"] == ["p"]
    world = administrator.world
    flags = ("install", "--print-rbac", f"--kubeconfig={world.kubeconfig}")
    done = world.run(*flags, f"--manifests={file}")
    assert done.code == 3
    assert "names no namespace" in done.err
    file.write_text("apiVersion: x.example.org/v1\nkind: X\nmetadata: {name: x}\n")
    done = world.run(*flags, f"--manifests={file}")
    assert "is of a kind that the cluster does not serve" in done.err


def rules(trees: list[Tree], namespace: str) -> dict[str, set[str]]:
    """Give the verbs of each resource in a namespace."""
    found: dict[str, set[str]] = {}
    for tree in trees:
        if tree["kind"] == "Role" and tree["metadata"]["namespace"] == namespace:
            for rule in tree["rules"]:
                for resource in rule["resources"]:
                    found.setdefault(resource, set()).update(rule["verbs"])
    return found


def test_a_settings_file_says_how_its_apps_deliver(administrator: Administrator) -> None:
    world = administrator.world
    file = world.root / "flux-secret.yaml"

    def needed(**spec: object) -> dict[str, set[str]]:
        source = {"url": world.ops.url, "branch": world.ops.branch}
        tree = {
            "apiVersion": "flux-secret.io/v1alpha1",
            "kind": "App",
            "metadata": {"name": "web", "namespace": world.namespace},
            "spec": {"source": source, "path": "web", **spec},
        }
        file.write_text(yaml.safe_dump(tree))
        trees = printed(administrator, f"--config={file}")
        return rules(trees, world.namespace)

    assert "serviceaccounts" not in needed()
    assert needed(serviceAccountName="team")["serviceaccounts"] == {"impersonate"}
    file.write_text("kind: App\n")
    done = world.run(
        "install", "--print-rbac", f"--config={file}", f"--kubeconfig={world.kubeconfig}"
    )
    assert done.code == 3
    assert "document 1.apiVersion" in done.err
    assert world.run("install", f"--config={file}", "--image=x").code == 2


def test_a_store_secret_says_which_secret_it_makes_and_removes(
    cluster: World,  # noqa: F811
) -> None:
    flags = ("install", "--print-rbac", f"--namespace={agents_own(cluster)}")
    done = cluster.run(*flags, f"--kubeconfig={cluster.kubeconfig}")
    assert rules(list(yaml.safe_load_all(done.out)), cluster.namespace) == {}
    put_store(cluster)
    put_secret(cluster)
    done = cluster.run(*flags, f"--kubeconfig={cluster.kubeconfig}")
    assert done.code == 0, done.err
    needed = rules(list(yaml.safe_load_all(done.out)), cluster.namespace)
    assert needed == {"secrets": {"get", "create", "patch", "delete"}}


VERBS = [
    *((verb, resource) for resource in ("secrets", "services", "deployments")
      for verb in ("get", "create", "patch", "delete")),
    ("get", "namespaces"),
    ("patch", "namespaces"),
]  # fmt: skip


def without(trees: list[Tree], namespace: str, verb: str, resource: str) -> list[Tree]:
    for tree in trees:
        if tree["kind"] != "Role" or tree["metadata"]["namespace"] != namespace:
            continue
        kept = []
        for rule in tree["rules"]:
            if resource in rule["resources"]:
                others = [name for name in rule["resources"] if name != resource]
                verbs = [name for name in rule["verbs"] if name != verb]
                kept += [{**rule, "resources": others}] if others else []
                rule = {**rule, "resources": [resource], "verbs": verbs}  # noqa: PLW2901
            kept.append(rule)
        tree["rules"] = kept
    return trees


@pytest.mark.parametrize(("verb", "resource"), VERBS)
def test_each_verb_is_missed(administrator: Administrator, verb: str, resource: str) -> None:
    world = administrator.world
    trees = without(printed(administrator), world.namespace, verb, resource)
    rights = grant(administrator, trees)
    until(lambda: not may(administrator, verb, resource, world.namespace))
    said = ""
    for done in play(administrator, rights):
        said += done.err
        if f"does not allow this agent to {'patch' if verb == 'create' else verb}" in done.err:
            assert resource in done.err
            return
    pytest.fail(f"nothing was missed: {said}")


def test_every_verb_is_on_the_list(administrator: Administrator) -> None:
    (role,) = [tree for tree in printed(administrator) if tree["metadata"]["name"] == ROLE
               and tree["kind"] == "Role"]  # fmt: skip
    granted = {
        (verb, resource)
        for rule in role["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }
    assert granted == {*VERBS}
