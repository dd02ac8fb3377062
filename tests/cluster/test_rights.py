"""The agent with exactly the rights that its installation grants: enough, and none too many.

Each verb is taken away once. What is then missing is named, so no verb is there for nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from flux_secret.outside.kubernetes import SYNC_MARKER
from simulators.agents import agent, value
from simulators.agents import until as agent_until
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.installing import Administrator, as_agent
from simulators.world import FIRST, SECOND, Done, World

SECONDS = 30.0
OWN, APPLICATIONS = "flux-secret", "flux-secret-applications"


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


@pytest.fixture
def administrator(world: World) -> Administrator:
    return Administrator(world)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.05)


def may(one: Administrator, verb: str, resource: str, namespace: str) -> bool:
    """Ask the API server, whose RBAC follows a change of a Role in its own time."""
    account = f"--as=system:serviceaccount:{one.namespace}:flux-secret"
    asked = one.world.kubectl("auth", "can-i", verb, resource, "-n", namespace, account)
    return asked.out.strip() == "yes"


def install(one: Administrator, *extra: str) -> Path:
    """Install; give the agent's kubeconfig once its rights are there."""
    done = one.install("--apply", *extra)
    assert done.code == 0, done.out + done.err
    # the inventory's installer made our key, too; an agent from deploy/base makes it itself
    one.world.kubectl("delete", "secret", "flux-secret-state", "-n", one.namespace)
    until(lambda: may(one, "get", "namespaces", one.world.namespace))
    until(lambda: may(one, "list", "configmaps", one.namespace))
    return as_agent(one.world, one.namespace)


def play(one: Administrator, kubeconfig: Path, *extra: str) -> Iterator[Done]:
    """Play everything that an agent does: first and second delivery, rotation, removal."""
    world = one.world
    flags = (f"--kubeconfig={kubeconfig}", "--sync-garbage-collection", *extra)
    yield world.deliver(*flags)
    yield world.deliver(*flags)
    world.put("demo", SECOND)
    yield world.deliver(*flags)
    overlay = f"namespace: {world.namespace}\nresources: [../../base, namespace.yaml]\n"
    world.ops.commit({"demo/overlay/dev/kustomization.yaml": overlay}, "no Service")
    yield world.deliver(*flags)
    world.ops.commit({"rest/service.yaml": REST.format(world.namespace)}, "another path")
    held = world.deliver(*flags, path="rest")
    token = re.search(r"--confirm (\w+)", held.err)
    yield replace(held, code=0 if token else held.code)
    yield world.deliver(*flags, *([f"--confirm={token[1]}"] if token else []), path="rest")


REST = """\
apiVersion: v1
kind: Service
metadata: {{name: rest, namespace: {}}}
spec: {{ports: [{{port: 80}}]}}
"""


def test_the_rights_are_enough_for_everything_that_an_agent_does(
    administrator: Administrator,
) -> None:
    world = administrator.world
    rights = install(administrator, "--sync-garbage-collection")
    done = list(play(administrator, rights, f"--k8s-allow-namespace={world.namespace}"))
    assert [one.code for one in done] == [0] * 6, done
    said = "".join(one.out for one in done)
    for line in ("demo-secret created", "demo-secret configured", "demo-secret deleted"):
        assert f"secret/{line}" in said
    assert "service/demo-service deleted" in said


def test_the_rights_are_enough_to_restart_what_uses_a_secret(
    administrator: Administrator,
) -> None:
    """Only how many pods still have the old value is not known without `list` of pods."""
    world = administrator.world
    rights = install(administrator)
    flags = (f"--kubeconfig={rights}", f"--k8s-allow-namespace={world.namespace}",
             "--git-poll-interval=1s", "--restart-workloads")  # fmt: skip
    with agent(world, *flags) as running:
        agent_until(lambda: value(world) == FIRST)
        world.put("demo", SECOND)
        agent_until(lambda: running.has_said("msg=restart.over"))
        assert running.has_said("msg=restart.done")
        assert not running.has_said("restarts.failed")


def test_without_the_right_to_write_events_the_agent_says_so_once_and_delivers(
    administrator: Administrator,
) -> None:
    world = administrator.world
    rights = install(administrator)
    flags = (f"--kubeconfig={rights}", f"--k8s-allow-namespace={world.namespace}",
             "--git-poll-interval=1s")  # fmt: skip

    def told() -> str:
        return world.kubectl("get", "events", "-n", administrator.namespace).out

    with agent(world, *flags) as running:
        agent_until(lambda: "delivered" in told())
        assert not running.has_said("events.refused")
    patch = '[{"op": "remove", "path": "/rules/3"}]'
    world.kubectl("patch", "role", OWN, "-n", administrator.namespace, "--type=json", "-p", patch)
    until(lambda: not may(administrator, "create", "events", administrator.namespace))
    with agent(world, *flags) as running:
        agent_until(lambda: running.has_said("msg=delivery.finished"))
        world.put("demo", SECOND)
        agent_until(lambda: value(world) == SECOND)
        agent_until(lambda: running.has_said("events.refused"))
        assert running.has_said("--verb=create --resource=events")
        assert running.log.read_text().count("events.refused") == 1


VERBS = [
    (OWN, 0, "list", "configmaps"),
    (OWN, 0, "create", "configmaps"),
    (OWN, 0, "update", "configmaps"),
    (OWN, 0, "delete", "configmaps"),
    (OWN, 1, "create", "secrets"),
    (OWN, 2, "get", "secrets"),
    (APPLICATIONS, 0, "get", "services"),
    (APPLICATIONS, 0, "create", "services"),
    (APPLICATIONS, 0, "patch", "services"),
    (APPLICATIONS, 0, "delete", "services"),
    (APPLICATIONS, 1, "get", "deployments"),
    (APPLICATIONS, 1, "create", "deployments"),
    (APPLICATIONS, 1, "patch", "deployments"),
    (APPLICATIONS, 1, "delete", "deployments"),
    (APPLICATIONS, 2, "get", "namespaces"),
]


def roles(one: Administrator) -> dict[str, dict[str, list[dict[str, list[str]]]]]:
    world = one.world
    found = {
        OWN: world.get("role", OWN, one.namespace),
        APPLICATIONS: world.get("role", APPLICATIONS),
    }
    return {name: role for name, role in found.items() if role is not None}


def test_every_verb_is_on_the_list_and_none_is_a_star(administrator: Administrator) -> None:
    install(administrator, "--sync-garbage-collection")
    granted = [
        (name, number, verb)
        for name, role in roles(administrator).items()
        for number, rule in enumerate(role["rules"])
        for verb in rule["verbs"]
    ]
    assert sorted(granted) == sorted([*(row[:3] for row in VERBS), (OWN, 3, "create")])
    assert "*" not in json.dumps(roles(administrator))


@pytest.mark.parametrize(
    ("role", "rule", "verb", "resource"), VERBS, ids=[f"{r}-{v}-{k}" for r, _, v, k in VERBS]
)
def test_without_one_verb_something_is_missing(
    administrator: Administrator, role: str, rule: int, verb: str, resource: str
) -> None:
    world = administrator.world
    rights = install(administrator, "--sync-garbage-collection")
    place = administrator.namespace if role == OWN else world.namespace
    verbs = roles(administrator)[role]["rules"][rule]["verbs"]
    verb_alone = f"/verbs/{verbs.index(verb)}" if len(verbs) > 1 else ""
    patch = [{"op": "remove", "path": f"/rules/{rule}{verb_alone}"}]
    words = ("patch", "role", role, "-n", place, "--type=json", "-p", json.dumps(patch))
    done = world.kubectl(*words)
    assert done.code == 0, done.err
    asked = f"{resource}/flux-secret-state" if (rule, role) == (2, OWN) else resource
    until(lambda: not may(administrator, verb, asked, place))
    said = ""
    for done in play(administrator, rights):
        said += done.err
        if re.search(rf"does not allow this agent to \w+ {resource}", done.err):
            return
    pytest.fail(f"nothing was missed: {said}")


def test_elsewhere_the_agent_is_denied(administrator: Administrator) -> None:
    world = administrator.world
    rights = install(administrator)
    for verb, resource, namespace in (
        ("get", "secrets", "kube-system"),
        ("list", "secrets", world.namespace),
        ("list", "secrets", administrator.namespace),
        ("get", "secrets/flux-gpg-keys", administrator.namespace),
        ("create", "pods", world.namespace),
        ("delete", "secrets", world.namespace),  # without --sync-garbage-collection
        ("patch", "namespaces", world.namespace),
        ("create", "rolebindings", administrator.namespace),
        ("patch", "deployments", administrator.namespace),
    ):
        assert not may(administrator, verb, resource, namespace), (verb, resource, namespace)
    other = f"{world.namespace}-other"
    files = {
        name: (world.ops.path / name).read_text().replace(world.namespace, other)
        for name in ("demo/overlay/dev/namespace.yaml", "demo/overlay/dev/secrets.yaml.sh")
    }
    for name, text in files.items():
        (world.ops.path / name).write_text(text)
    overlay = world.ops.path / "demo/overlay/dev/kustomization.yaml"
    overlay.write_text(overlay.read_text().replace(world.namespace, other))
    world.ops.commit({}, "another namespace")
    done = world.deliver(f"--kubeconfig={rights}")
    assert done.code != 0
    assert "does not allow this agent" in done.err
    assert world.get("namespace", other, "") is None


def test_with_rights_everywhere_an_application_brings_its_namespace(
    administrator: Administrator,
) -> None:
    world = administrator.world
    flags = administrator.flags(
        *administrator.keys, f"--kubeconfig={world.kubeconfig}", "--all-namespaces", "--apply",
        "--sync-garbage-collection",
    )  # fmt: skip
    done = world.run("install", *flags)
    assert done.code == 0, done.err
    assert "may read every Secret of the cluster" in done.err
    until(lambda: may(administrator, "patch", "namespaces", world.namespace))
    delivered = list(play(administrator, as_agent(world, administrator.namespace)))
    assert [one.code for one in delivered] == [0] * 6, delivered
    assert f"namespace/{world.namespace} created" in delivered[0].out
    name = f"flux-secret-applications-{administrator.namespace}"
    for kind in ("clusterrole", "clusterrolebinding"):
        assert world.kubectl("delete", kind, name).code == 0


def test_a_read_only_agent_may_keep_its_marker_at_the_secret_of_its_key(
    administrator: Administrator,
) -> None:
    world = administrator.world
    rights = install(administrator, "--git-readonly")
    secret = "secrets/flux-ssh-config"
    until(lambda: may(administrator, "patch", secret, administrator.namespace))
    flags = ("--git-readonly", "--k8s-secret-name=flux-ssh-config", f"--kubeconfig={rights}")

    def marker() -> str:
        found = world.get("secret", "flux-ssh-config", administrator.namespace) or {}
        return str(found["metadata"].get("annotations", {}).get(SYNC_MARKER, ""))

    with agent(world, *flags) as running:
        agent_until(lambda: marker() == world.ops.head)
        assert world.secret()[0] == FIRST
        assert running.stop() == 0
    done = administrator.install("--apply", "--git-readonly")
    assert "secret/flux-ssh-config unchanged" in done.out, done.out
