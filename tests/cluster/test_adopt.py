"""A Flux v1 cluster migrates in place: what kubectl applied for Flux is taken over, and back."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from flux_secret.apply.adoption import CLIENT_SIDE
from flux_secret.apply.payload import LAST_APPLIED, PART_OF
from flux_secret.errors import UnreachableError
from flux_secret.model.flux_v1 import CHECKSUM, MARK, SyncSet
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import Client
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import APPLICATION, World

NAMES = (
    ("deployment", "demo"), ("service", "demo-service"), ("secret", "demo-secret"),
    ("namespace", ""),
)  # fmt: skip
GROUPS = {"Deployment": "apps"}


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


def manifests(world: World) -> list[dict[str, Any]]:
    """Give what the walkthrough's generators print, with one field that git will not have."""
    spec = {"app": "demo"}
    pod = {"metadata": {"labels": spec}, "spec": {"containers": [
        {"name": "nginx", "image": "nginx:1.27", "ports": [{"containerPort": 80}]}]}}  # fmt: skip
    named = {"namespace": world.namespace}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.namespace}},
        {
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "demo", "labels": {**spec, "was-in-git": "once"}, **named},
            "spec": {"replicas": 1, "selector": {"matchLabels": spec}, "template": pod},
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "demo-service", **named},
            "spec": {"selector": spec, "ports": [{"name": "http", "port": 80}]},
        },
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "demo-secret", **named},
            "data": {
                "demosecret": base64.b64encode(b"an older value").decode(),
                "gone": base64.b64encode(b"taken out of git").decode(),
            },
        },
    ]  # fmt: skip


def flux_applies(world: World, paths: Sequence[str] = (APPLICATION,)) -> None:
    """Do what fluxd does: mark each manifest, then `kubectl apply -f -` (facts: §2.5, §2.6)."""
    daemon = SyncSet.of(GitUrl.parse(world.ops.url), "master", paths)
    for body in manifests(world):
        metadata = body["metadata"]
        key = ObjectKey(
            GROUPS.get(body["kind"], ""), body["kind"], metadata.get("namespace", ""),
            metadata["name"],
        )  # fmt: skip
        metadata["labels"] = {**metadata.get("labels", {}), MARK: daemon.mark(key)}
        metadata["annotations"] = {CHECKSUM: "da39a3ee5e6b4b0d3255bfef95601890afd80709"}
        done = world.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        assert done.code == 0, done.err


def live(world: World) -> dict[str, dict[str, Any]]:
    found = {}
    for kind, name in NAMES:
        wanted = ["namespace", world.namespace] if kind == "namespace" else [kind, name]
        done = world.kubectl(
            "get", *wanted, "-n", world.namespace, "-o", "json", "--show-managed-fields"
        )
        assert done.code == 0, done.err
        found[kind] = json.loads(done.out)
    return found


def versions(world: World) -> dict[str, str]:
    # a Deployment's status is written by its controller whenever it likes
    return {
        kind: one["metadata"]["resourceVersion"]
        for kind, one in live(world).items()
        if kind != "deployment"
    }


def test_flux_v1s_objects_are_taken_over_without_changing_them(world: World) -> None:
    flux_applies(world)
    before = live(world)
    dry = world.run("adopt", *world.flags())
    assert dry.code == 0, dry.err
    assert "secret/demo-secret adopted (dry run)" in dry.out
    assert "nothing was changed" in dry.out
    assert versions(world) == {
        kind: one["metadata"]["resourceVersion"]
        for kind, one in before.items()
        if kind != "deployment"
    }

    done = world.run("adopt", "--yes", *world.flags())
    assert done.code == 0, done.err
    for kind, one in live(world).items():
        metadata = one["metadata"]
        assert metadata["uid"] == before[kind]["metadata"]["uid"]
        assert LAST_APPLIED not in metadata.get("annotations", {}), kind
        assert CHECKSUM not in metadata.get("annotations", {}), kind
        assert MARK not in metadata.get("labels", {}), kind
        managers = {(entry["manager"], entry["operation"]) for entry in metadata["managedFields"]}
        assert (CLIENT_SIDE, "Update") not in managers, kind
        if kind != "namespace":
            assert ("flux-secret", "Apply") in managers, kind
    assert live(world)["secret"]["data"] == before["secret"]["data"]
    assert live(world)["deployment"]["spec"] == before["deployment"]["spec"]

    after = versions(world)
    again = world.run("adopt", "--yes", *world.flags())
    assert again.code == 0, again.err
    assert "secret/demo-secret unchanged" in again.out
    assert versions(world) == after


def test_a_field_that_left_git_goes_with_the_first_delivery_after_it(world: World) -> None:
    flux_applies(world)
    assert world.run("adopt", "--yes", *world.flags()).code == 0
    held = world.deliver()
    assert held.code == 4, "a key of the Secret would vanish: a person confirms that"
    token = held.err.rpartition("--confirm ")[2].split()[0]
    done = world.deliver(f"--confirm={token}")
    assert done.code == 0, done.err
    assert "was-in-git" not in live(world)["deployment"]["metadata"]["labels"]
    secret = live(world)["secret"]
    assert list(secret["data"]) == ["demosecret"]
    assert secret["metadata"]["labels"][PART_OF]
    assert "unchanged" in world.deliver().out


def test_another_daemons_objects_are_left_alone(world: World) -> None:
    flux_applies(world, paths=("elsewhere",))
    before = versions(world)
    done = world.run("adopt", "--yes", *world.flags())
    assert done.code == 7
    assert "carries the mark of another Flux v1" in done.err
    assert versions(world) == before


@pytest.mark.parametrize(
    ("by_a_person", "code", "words"),
    [
        (False, 5, "the API server went away"),
        (True, 130, "run the same command again, and it goes on"),
    ],
)
def test_an_interrupted_adoption_is_finished_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, code: int, words: str, *, by_a_person: bool
) -> None:
    flux_applies(world)
    whole, sent = Client.patch, []

    async def cut(self: Client, *given: Any) -> Any:  # noqa: ANN401 -- passed through
        sent.append(given)
        if len(sent) > 1:
            if by_a_person:
                os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C
                await asyncio.Event().wait()
            raise UnreachableError("the API server went away")
        return await whole(self, *given)

    monkeypatch.setattr(Client, "patch", cut)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # xdist's workers ignore it
    try:
        cut_short = world.run("adopt", "--yes", *world.flags())
    finally:
        signal.signal(signal.SIGINT, before)
    assert (cut_short.code, words in cut_short.err) == (code, True)
    monkeypatch.setattr(Client, "patch", whole)
    done = world.run("adopt", "--yes", *world.flags())
    assert done.code == 0, done.err
    assert all(MARK not in one["metadata"].get("labels", {}) for one in live(world).values())


def test_a_running_flux_v1_is_to_be_stopped_first(world: World) -> None:
    flux_applies(world)
    place = f"{world.namespace}-flux"
    world.kubectl("create", "namespace", place)
    flux = ["create", "deployment", "flux", "--image=docker.io/fluxcd/flux:1.25.4", "-n", place]
    assert world.kubectl(*flux).code == 0
    done = world.run("adopt", "--yes", *world.flags())
    assert done.code == 4
    assert f"kubectl scale deployment/flux -n {place} --replicas=0" in done.err
    assert all(MARK in one["metadata"]["labels"] for one in live(world).values())
    assert world.kubectl("scale", "deployment/flux", "-n", place, "--replicas=0").code == 0
    assert world.run("adopt", "--yes", *world.flags()).code == 0


def test_a_rollback_leaves_what_flux_v1_takes_for_its_own(world: World) -> None:
    flux_applies(world)
    assert world.run("adopt", "--yes", *world.flags()).code == 0
    held = world.deliver()
    token = held.err.rpartition("--confirm ")[2].split()[0]
    assert world.deliver(f"--confirm={token}").code == 0
    value = world.secret()[0]
    dry = world.run("adopt", "--rollback", *world.flags())
    assert "secret/demo-secret released (dry run)" in dry.out
    done = world.run("adopt", "--rollback", "--yes", *world.flags())
    assert done.code == 0, done.err
    daemon = SyncSet.of(GitUrl.parse(world.ops.url), "master", [APPLICATION])
    for kind, one in live(world).items():
        metadata = one["metadata"]
        group = GROUPS.get(one["kind"], "")
        key = ObjectKey(group, one["kind"], metadata.get("namespace", ""), metadata["name"])
        assert metadata["labels"][MARK] == daemon.mark(key)
        assert PART_OF not in metadata["labels"]
        remembered = LAST_APPLIED in metadata.get("annotations", {})
        assert remembered is (kind != "secret"), kind
        managers = {(entry["manager"], entry["operation"]) for entry in metadata["managedFields"]}
        assert ("flux-secret", "Apply") not in managers
    assert world.secret()[0] == value
    inventories = world.kubectl("get", "configmap", "-n", f"{world.namespace}-flux", "-o", "name")
    assert "flux-secret-demo" not in inventories.out
    flux_applies(world)  # and Flux v1 goes on: kubectl apply takes every one of them
    assert base64.b64decode(live(world)["secret"]["data"]["demosecret"]) == b"an older value"
    done = world.kubectl(
        "apply", "-f", "-",
        stdin=json.dumps({**manifests(world)[2], "spec": {"ports": [{"name": "x", "port": 81}]}}),
    )  # fmt: skip
    assert done.code == 0
    assert "selector" not in live(world)["service"]["spec"], "a removed field is removed"
