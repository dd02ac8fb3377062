"""What Flux v1 delivered and git has no more: found by its marks, and removed under the guard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from cluster.control_plane import ControlPlane
from cluster.people import Rule
from flux_secret.apply.payload import LAST_APPLIED, PART_OF
from flux_secret.errors import UnreachableError
from flux_secret.model.flux_v1 import CHECKSUM, MARK, SyncSet
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import Client, ServedKind
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import Done, World

PATH = "plain"
COLLECT = "--sync-garbage-collection"
GROUPS = {"Deployment": "apps", "Widget": "example.org"}


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig


@pytest.fixture
def place(world: World) -> World:
    """A namespace, and a repository that holds one ConfigMap, `kept`."""
    assert world.kubectl("create", "namespace", world.namespace).code == 0
    kept = named(world, "ConfigMap", "kept", data={"a": "b"})
    world.ops.commit({f"{PATH}/kept.yaml": json.dumps(kept)})
    flux_applies(world, kept)
    return world


def named(world: World, kind: str, name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    group = GROUPS.get(kind, "")
    metadata = {"name": name, "namespace": world.namespace, **more.pop("metadata", {})}
    return {
        "apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": metadata, **more
    }  # fmt: skip


def flux_applies(world: World, *bodies: dict[str, Any], paths: Sequence[str] = (PATH,)) -> None:
    """Do what fluxd does: mark each manifest, then `kubectl apply -f -` (facts: §2.5, §2.6)."""
    daemon = SyncSet.of(GitUrl.parse(world.ops.url), "master", paths)
    for given in bodies:
        body = json.loads(json.dumps(given))
        meta = body["metadata"]
        key = ObjectKey(
            GROUPS.get(body["kind"], ""), body["kind"], meta.get("namespace", ""), meta["name"]
        )
        meta["labels"] = {**meta.get("labels", {}), MARK: daemon.mark(key)}
        meta["annotations"] = {**meta.get("annotations", {}), CHECKSUM: "0" * 40}
        done = world.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        assert done.code == 0, done.err


def secret(world: World, name: str, **metadata: Any) -> dict[str, Any]:  # noqa: ANN401
    return named(world, "Secret", name, stringData={"k": "hunter2"}, metadata=metadata)


def adopt(world: World, *flags: str) -> Done:
    return world.run("adopt", *world.flags(*flags, path=PATH))


def deliver(world: World, *flags: str) -> Done:
    return world.deliver(*flags, path=PATH)


def meta(world: World, kind: str, name: str) -> dict[str, Any]:
    found = world.get(kind, name)
    assert found is not None, f"{kind}/{name} is not there"
    return dict(found["metadata"])


def test_a_secret_that_left_git_loses_its_clear_text_and_goes_with_the_next_delivery(
    place: World,
) -> None:
    flux_applies(place, secret(place, "old"))
    before = meta(place, "secret", "old")
    assert "aHVudGVyMg" in before["annotations"][LAST_APPLIED] or "hunter2" in str(before)
    dry = adopt(place, COLLECT)
    assert dry.code == 0, dry.err
    where = f"in {place.namespace}: it left the repository"
    assert f"secret/old adopted (dry run; {where}; the next delivery removes it" in dry.out
    assert dry.out.count("configmap/kept") == 1, "what git has is no leftover"
    assert meta(place, "secret", "old") == before

    done = adopt(place, COLLECT, "--yes")
    assert done.code == 0, done.err
    after = meta(place, "secret", "old")
    assert after["uid"] == before["uid"]
    assert LAST_APPLIED not in after.get("annotations", {})
    assert MARK not in after["labels"]
    assert after["labels"][PART_OF]
    again = adopt(place, COLLECT, "--yes")
    assert "secret/old" not in again.out
    assert meta(place, "secret", "old") == after

    assert "secret/old deleted" in deliver(place, COLLECT).out
    assert place.get("secret", "old") is None
    assert place.get("configmap", "kept") is not None


def test_without_garbage_collection_it_stays_and_is_told(place: World) -> None:
    flux_applies(place, secret(place, "old"))
    done = adopt(place, "--yes")
    where = f"in {place.namespace}: it left the repository"
    assert f"secret/old adopted ({where}; it stays, until --sync-garbage-" in done.out
    assert LAST_APPLIED not in meta(place, "secret", "old").get("annotations", {})
    assert "secret/old skipped (no longer in the repository; pruning is off)" in deliver(place).out
    assert place.get("secret", "old") is not None
    assert "secret/old deleted" in deliver(place, COLLECT).out


def test_many_and_precious_ones_are_held_until_a_person_confirms(place: World) -> None:
    inner = f"{place.namespace}-inner"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": inner}}
    flux_applies(place, namespace, *(secret(place, f"old-{number}") for number in range(3)))
    assert adopt(place, COLLECT, "--yes").code == 0
    held = deliver(place, COLLECT)
    assert held.code == 4
    assert "it includes a Namespace" in held.err
    assert place.get("namespace", inner) is not None
    assert place.get("secret", "old-0") is not None
    token = held.err.rpartition("--confirm ")[2].split()[0]
    assert f"namespace/{inner} deleted" in deliver(place, COLLECT, f"--confirm={token}").out


def test_others_marks_copied_labels_owned_and_ignored_objects_are_left_alone(place: World) -> None:
    daemon = SyncSet.of(GitUrl.parse(place.ops.url), "master", [PATH])
    flux_applies(place, secret(place, "another-daemons"), paths=["elsewhere"])
    flux_applies(place, secret(place, "ignored", annotations={"fluxcd.io/ignore": "true"}))
    copied = {MARK: daemon.mark(ObjectKey("", "Secret", place.namespace, "original"))}
    place.kubectl("apply", "-f", "-", stdin=json.dumps(secret(place, "copy", labels=copied)))
    owner = {
        "apiVersion": "v1", "kind": "ConfigMap", "name": "kept",
        "uid": meta(place, "configmap", "kept")["uid"],
    }  # fmt: skip
    flux_applies(place, secret(place, "owned", ownerReferences=[owner]))
    names = ("another-daemons", "ignored", "copy", "owned")
    before = {name: meta(place, "secret", name) for name in names}
    done = adopt(place, COLLECT, "--yes")
    assert done.code == 0, done.err
    assert "secret/ignored skipped (it left the repository; ignored: an annotation" in done.out
    clear = f"kubectl annotate secret/ignored -n {place.namespace} {LAST_APPLIED}-"
    assert clear in done.out
    assert deliver(place, COLLECT).code == 0
    assert {name: meta(place, "secret", name) for name in names} == before


def test_sync_only_is_taken_over_and_never_removed(place: World) -> None:
    flux_applies(place, secret(place, "old", annotations={"fluxcd.io/ignore": "sync_only"}))
    assert adopt(place, COLLECT, "--yes").code == 0
    assert LAST_APPLIED not in meta(place, "secret", "old")["annotations"]
    assert "not pruned: fluxcd.io/ignore: sync_only" in deliver(place, COLLECT).out


def test_objects_of_kinds_that_nobody_delivers_any_more_are_found(place: World) -> None:
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.org"},
        "spec": {
            "group": "example.org", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [
                {"name": version, "served": True, "storage": version == "v1", "schema": {
                    "openAPIV3Schema": {"type": "object"}}}
                for version in ("v1", "v1beta1")
            ],
        },
    }  # fmt: skip
    assert place.kubectl("apply", "-f", "-", stdin=json.dumps(crd)).code == 0
    wait = ("wait", "--for=condition=Established", "crd/widgets.example.org", "--timeout=30s")
    assert place.kubectl(*wait).code == 0
    try:
        flux_applies(place, named(place, "Widget", "w"), named(place, "Deployment", "d", spec={
            "selector": {"matchLabels": {"a": "b"}}, "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}},
        }))  # fmt: skip
        done = adopt(place, COLLECT, "--yes")
        assert done.out.count("widget.example.org/w adopted") == 1, done.out
        assert done.out.count("deployment.apps/d adopted") == 1
        gone = deliver(place, COLLECT).out
        assert "widget.example.org/w deleted" in gone
        assert "deployment.apps/d deleted" in gone
    finally:
        place.kubectl("delete", "crd", "widgets.example.org")


def test_an_object_that_two_groups_serve_is_one_object(place: World) -> None:
    def event(name: str) -> dict[str, Any]:
        about = {"kind": "ConfigMap", "name": "kept", "namespace": place.namespace}
        return named(place, "Event", name, involvedObject=about, reason="Tested", message="x")

    flux_applies(place, event("wanted"), event("left"))
    place.ops.commit({f"{PATH}/event.yaml": json.dumps(event("wanted"))})
    said = adopt(place, "--k8s-unsafe-exclude-resource=").out
    assert [line.split()[0] for line in said.splitlines() if "event" in line] == [
        "event/wanted", "event/left",
    ]  # fmt: skip


def test_what_is_excluded_or_in_other_namespaces_is_not_looked_at(place: World) -> None:
    other = f"{place.namespace}-other"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}
    far = secret(place, "far", namespace=other)
    flux_applies(place, namespace, far, secret(place, "near"))
    narrow = f"--k8s-allow-namespace={place.namespace}"
    said = adopt(place, COLLECT, narrow).out
    assert "secret/near adopted" in said
    assert "secret/far" not in said
    assert f"namespace/{other}" not in said
    said = adopt(place, COLLECT, "--k8s-unsafe-exclude-resource=v1/Sec*,*/Event").out
    assert "secret/" not in said
    assert f"namespace/{other} adopted" in said


def test_a_rollback_gives_them_back_to_flux_v1s_garbage_collection(place: World) -> None:
    flux_applies(place, secret(place, "old"))
    mark = meta(place, "secret", "old")["labels"][MARK]
    assert adopt(place, COLLECT, "--yes").code == 0
    done = adopt(place, "--rollback", "--yes")
    assert done.code == 0, done.err
    after = meta(place, "secret", "old")
    assert after["labels"] == {MARK: mark}
    assert LAST_APPLIED not in after.get("annotations", {})
    assert not place.kubectl(
        "get", "configmap", "-n", f"{place.namespace}-flux", "-o", "name", "-l",
        "flux-secret.io/inventory",
    ).out  # fmt: skip
    assert "secret/old adopted" in adopt(place, COLLECT).out, "and it can be taken again"


def test_a_search_that_was_cut_short_is_finished_by_the_next(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in our list by then and not yet labelled, so a delivery in between removes nothing."""
    flux_applies(place, secret(place, "old"))
    whole = Client.patch

    async def cut(self: Client, kind: ServedKind, *given: Any) -> Any:  # noqa: ANN401
        if kind.kind == "Secret":
            raise UnreachableError("the API server went away")
        return await whole(self, kind, *given)

    monkeypatch.setattr(Client, "patch", cut)
    assert adopt(place, COLLECT, "--yes").code == 5
    monkeypatch.setattr(Client, "patch", whole)
    between = deliver(place, COLLECT)
    assert "secret/old skipped (not pruned: it no longer carries the label" in between.out
    assert adopt(place, COLLECT, "--yes").code == 0
    assert LAST_APPLIED not in meta(place, "secret", "old").get("annotations", {})
    assert "secret/old deleted" in deliver(place, COLLECT).out


def test_a_target_that_cannot_be_read_stops_the_search(place: World) -> None:
    flux_applies(place, secret(place, "old"))
    place.ops.commit({f"{PATH}/broken.yaml": "kind: {"})
    done = adopt(place, COLLECT, "--yes")
    assert done.code == 3
    assert "what left the repository is not looked for" in done.err
    assert MARK in meta(place, "secret", "old")["labels"]


@pytest.mark.usefixtures("our_control_plane")
def test_kinds_that_may_not_be_listed_are_named(
    place: World, our_control_plane: ControlPlane
) -> None:
    flux_applies(place, secret(place, "old"), named(place, "ConfigMap", "older", data={}))
    state = f"{place.namespace}-flux"
    place.kubectl("create", "namespace", state)
    written = ("get", "create", "patch", "update")
    rules = [
        Rule(apiGroups=("",), resources=("configmaps", "secrets"), verbs=written),
        Rule(apiGroups=("",), resources=("configmaps",), verbs=("list",)),
    ]
    narrow = our_control_plane.service_account("narrow", rules, namespace=state, everywhere=True)
    done = adopt(place, COLLECT, f"--kubeconfig={narrow}")
    assert done.code == 0, done.err
    assert "configmap/older adopted" in done.out
    assert "of these kinds is not known, since they cannot be listed: " in done.err
    assert "secrets" in done.err
    assert "--k8s-allow-namespace" in done.err


def test_the_arguments_of_fluxd_are_taken_as_they_are(place: World) -> None:
    done = adopt(
        place, "--git-poll-interval=1m", "--registry-disable-scanning", "--listen=:3030",
        "--memcached-hostname=x", "--git-user=a", "--ssh-keygen-dir=/x", "--sync-interval=1m",
        "--git-verify-signatures-mode=none", "--git-label=flux",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "--memcached-hostname has no effect here" in done.err
