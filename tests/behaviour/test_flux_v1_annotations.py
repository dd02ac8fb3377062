"""What Flux v1's annotations, labels and namespace flags mean here (facts: flux-v1 §3)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flux_secret.model.flux_v1 import MARK, SyncSet
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey
from simulators.world import World

PATH = "extra"
COLLECT = "--sync-garbage-collection"


def config_map(world: World, name: str, **changes: Any) -> str:  # noqa: ANN401 -- any YAML
    metadata = {"name": name, "namespace": changes.pop("namespace", world.namespace)}
    metadata |= {key: changes.pop(key) for key in ("annotations", "labels") if key in changes}
    data = {"value": changes.pop("value", "git")}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


@pytest.fixture
def extra(world: World) -> World:
    """A target of plain manifests beside the walkthrough's; `kept` is always in it."""
    world.kubectl("create", "namespace", world.namespace)
    world.ops.commit({f"{PATH}/kept.yaml": config_map(world, "kept")})
    return world


def put(world: World, name: str, **changes: Any) -> None:  # noqa: ANN401 -- any YAML
    world.ops.commit({f"{PATH}/{name}.yaml": config_map(world, name, **changes)})


def value(world: World, name: str, namespace: str | None = None) -> str | None:
    found = world.get("configmap", name, namespace)
    return None if found is None else str(found["data"]["value"])


def deliver(world: World, *flags: str) -> str:
    done = world.deliver(*flags, path=PATH)
    assert done.code == 0, done.err
    return done.out + done.err


PREFIXES = pytest.mark.parametrize("prefix", ["fluxcd.io", "flux.weave.works"])


@PREFIXES
def test_an_ignored_manifest_is_neither_applied_nor_removed(extra: World, prefix: str) -> None:
    put(extra, "one", value="first")
    deliver(extra, COLLECT)
    put(extra, "one", value="second", annotations={f"{prefix}/ignore": "true"})
    said = deliver(extra, COLLECT)
    assert value(extra, "one") == "first"
    assert "configmap/one skipped (ignored: its manifest says so)" in said
    put(extra, "two", annotations={f"{prefix}/ignore": "true"})
    deliver(extra, COLLECT)
    assert value(extra, "two") is None


@PREFIXES
def test_an_object_that_somebody_ignores_in_the_cluster_is_left_alone(
    extra: World, prefix: str
) -> None:
    put(extra, "one")
    deliver(extra, COLLECT)
    extra.kubectl("annotate", "configmap", "one", f"{prefix}/ignore=true", "-n", extra.namespace)
    extra.kubectl(
        "patch", "configmap", "one", "-n", extra.namespace, "-p", '{"data": {"value": "hand"}}'
    )
    assert "an annotation in the cluster says so" in deliver(extra, COLLECT)
    assert value(extra, "one") == "hand"
    extra.ops.remove(f"{PATH}/one.yaml")
    deliver(extra, COLLECT)
    assert value(extra, "one") == "hand"


@PREFIXES
def test_sync_only_is_applied_and_never_removed(extra: World, prefix: str) -> None:
    put(extra, "one", annotations={f"{prefix}/ignore": "sync_only"})
    deliver(extra, COLLECT)
    put(extra, "one", value="second", annotations={f"{prefix}/ignore": "sync_only"})
    deliver(extra, COLLECT)
    assert value(extra, "one") == "second"
    extra.ops.remove(f"{PATH}/one.yaml")
    assert f"not pruned: {prefix}/ignore: sync_only" in deliver(extra, COLLECT)
    assert value(extra, "one") == "second"


def test_another_value_ignores_nothing(extra: World) -> None:
    put(extra, "one", annotations={"fluxcd.io/ignore": "false"})
    deliver(extra)
    assert value(extra, "one") == "git"


def test_other_namespaces_are_left_out_and_said_once(extra: World) -> None:
    put(extra, "one", namespace="default")
    put(extra, "two", namespace="default")
    said = deliver(extra, f"--k8s-allow-namespace={extra.namespace},elsewhere")
    assert "2 objects are left out, in namespaces that are not in --k8s-allow-namespace: " in said
    assert value(extra, "one", "default") is None
    assert value(extra, "kept") == "git"


def test_narrowing_the_namespaces_removes_nothing(extra: World) -> None:
    """Flux v1 deleted the Namespace, with everything in it."""
    name = f"{extra.namespace}-more"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    extra.ops.commit({f"{PATH}/namespace.yaml": json.dumps(namespace)})
    put(extra, "one", namespace=name)
    deliver(extra, COLLECT)
    narrow = f"--k8s-namespace-whitelist={extra.namespace}"
    deliver(extra, COLLECT, narrow)
    assert value(extra, "one", name) == "git"
    extra.ops.remove(f"{PATH}/one.yaml")
    extra.ops.remove(f"{PATH}/namespace.yaml")
    assert "not pruned: its namespace is not in --k8s-allow-namespace" in deliver(
        extra, COLLECT, narrow
    )
    assert value(extra, "one", name) == "git"
    extra.kubectl("delete", "namespace", name, "--wait=false")


def test_a_dry_collection_says_what_would_go_and_removes_nothing(extra: World) -> None:
    put(extra, "one")
    deliver(extra)
    extra.ops.remove(f"{PATH}/one.yaml")
    said = deliver(extra, f"{COLLECT}-dry")
    assert "configmap/one skipped (would be pruned (--sync-garbage-collection-dry))" in said
    assert value(extra, "one") == "git"
    deliver(extra, COLLECT)
    assert value(extra, "one") is None


def test_a_failure_hidden_in_a_pipe_removes_nothing(world: World) -> None:
    """Flux v1 deleted Deployment, Service and Namespace here, and reported no error."""
    assert world.deliver(COLLECT).code == 0
    before = world.secret()
    overlay = "demo/overlay/dev"
    config = (world.ops.path / overlay / ".flux.yaml").read_text()
    assert "kustomize build ." in config
    masked = config.replace("kustomize build .", "kustomize build . | false | cat")
    world.ops.commit({f"{overlay}/.flux.yaml": masked})
    done = world.deliver(COLLECT)
    assert done.code == 3
    assert "kustomize build . | false | cat" in done.err
    assert "it printed no manifest, and exited 0" in done.err
    assert "a failure inside a pipe is hidden from the shell" in done.err
    assert world.get("deployment", "demo") is not None
    assert world.get("service", "demo-service") is not None
    assert world.secret() == before


def marked(world: World, name: str, daemon: SyncSet) -> None:
    """Make an object as Flux v1 would have delivered it."""
    key = ObjectKey("", "ConfigMap", world.namespace, name)
    text = config_map(
        world, name, value="flux", labels={MARK: daemon.mark(key)},
        annotations={"fluxcd.io/sync-checksum": "0" * 40},
    )  # fmt: skip
    assert world.kubectl("apply", "-f", "-", stdin=text).code == 0


def test_what_flux_v1_delivered_from_here_is_adopted(extra: World) -> None:
    marked(extra, "one", SyncSet.of(GitUrl.parse(extra.ops.url), "master", [PATH]))
    put(extra, "one")
    said = deliver(extra)
    assert "configmap/one configured (adopted: Flux v1 delivered it from here)" in said
    assert value(extra, "one") == "git"


def test_what_another_daemon_delivered_is_left_alone(extra: World) -> None:
    marked(extra, "one", SyncSet.of(GitUrl.parse(extra.ops.url), "master", ["other"]))
    put(extra, "one")
    done = extra.deliver(path=PATH)
    assert done.code == 7
    assert "exists already and was not made by flux-secret" in done.err
    assert value(extra, "one") == "flux"
