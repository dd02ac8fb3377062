"""Stores and Apps in the cluster, and what an administrator sees of them with kubectl."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulators.agents import Agent, agent, until, value
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.owned import OWNERS, OwnedStore, Signatory
from simulators.world import APPLICATION, FIRST, SECOND, World

CRDS = Path(__file__).parents[2] / "src/flux_secret/install/manifests/crds"
FLAGS = "--git-url --git-path --store --manifest-generation --generator-env"
NAME = "demo"


@pytest.fixture
def cluster(world: World) -> Iterator[World]:
    """Lend a cluster that has our kinds, and the two namespaces.

    Nothing is left in it: an agent of the next test would follow what is there, and a namespace
    does not go while an App in it waits for an agent.
    """
    done = world.kubectl("apply", "-k", str(CRDS))
    assert done.code == 0, done.err
    for kind in ("apps", "stores", "storesecrets"):
        name = f"crd/{kind}.flux-secret.io"
        assert world.kubectl("wait", "--for=condition=Established", name, "--timeout=30s").code == 0
    for namespace in (world.namespace, agents_own(world)):
        world.kubectl("create", "namespace", namespace)
    yield world
    for kind in ("apps", "storesecrets"):
        for namespace in (world.namespace, agents_own(world)):
            let_go(world, f"{kind}.flux-secret.io", namespace)


def let_go(world: World, kind: str, namespace: str) -> None:
    """Delete all objects of a kind, also those whose agent is gone."""
    named = world.kubectl("get", kind, "-n", namespace, "-o", "name").out.split()
    for name in named:
        world.kubectl("delete", name, "-n", namespace, "--wait=false")
        released = '{"metadata": {"finalizers": null}}'
        world.kubectl("patch", name, "-n", namespace, "--type=merge", "-p", released)


def agents_own(world: World) -> str:
    return f"{world.namespace}-flux"


def put(world: World, kind: str, name: str, namespace: str, spec: dict[str, Any]) -> None:
    tree = {
        "apiVersion": "flux-secret.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    done = world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(tree))
    assert done.code == 0, done.err


def put_store(world: World, *, paths: tuple[str, ...] = ("*",), **more: object) -> None:
    readers = [{"namespaces": [world.namespace], "paths": list(paths)}]
    spec = {"url": world.store.url, "readers": readers, **more}
    put(world, "Store", "apps", agents_own(world), spec)


def put_app(world: World, name: str = NAME, **more: object) -> None:
    spec = {
        "source": {"url": world.ops.url, "branch": world.ops.branch},
        "path": APPLICATION,
        "stores": ["apps"],
        **more,
    }
    put(world, "App", name, world.namespace, spec)


@contextmanager
def running(world: World, *extra: str, name: str = "agent") -> Iterator[Agent]:
    flags = ("--custom-resources", "--git-poll-interval=1s", *extra)
    with agent(world, *flags, without=FLAGS, name=name) as one:
        yield one


def status(world: World, kind: str = "apps.flux-secret.io", name: str = NAME) -> dict[str, Any]:
    namespace = agents_own(world) if kind.startswith("stores.") else world.namespace
    return dict((world.get(kind, name, namespace) or {}).get("status", {}))


def condition(world: World, which: str = "Ready", **of: str) -> dict[str, Any]:
    found = [one for one in status(world, **of).get("conditions", []) if one["type"] == which]
    return dict(found[0]) if found else {}


def ready(world: World, **of: str) -> str:
    return str(condition(world, **of).get("status", ""))


def test_an_app_is_delivered_and_kubectl_can_wait_for_it(cluster: World) -> None:
    with running(cluster) as one:
        put_store(cluster)
        put_app(cluster)
        until(lambda: ready(cluster) == "True")
        waited = cluster.kubectl(
            "wait", "--for=condition=Ready", "apps.flux-secret.io/demo", "-n", cluster.namespace,
            "--timeout=30s",
        )  # fmt: skip
        assert waited.code == 0, waited.err
        assert value(cluster) == FIRST
        said = status(cluster)
        assert said["observedGeneration"] == 1
        assert cluster.ops.head[:12] in said["lastAppliedRevision"]
        assert cluster.store.head[:12] in said["lastAppliedRevision"]
        assert [one["type"] for one in said["conditions"]] == ["Ready"]
        assert condition(cluster)["reason"] == "ReconciliationSucceeded"
        until(lambda: ready(cluster, kind="stores.flux-secret.io", name="apps") == "True")
        cluster.put("demo", SECOND)
        until(lambda: value(cluster) == SECOND)
        assert one.stop() == 0


def test_a_store_that_moves_is_asked_at_its_new_address_at_once(cluster: World) -> None:
    """Its status tells of the new address only; what it reads is not the next poll's."""
    old = cluster.root / "old-store"
    shutil.copytree(cluster.store.path, old)
    cluster.put("demo", SECOND)
    with running(cluster, "--git-poll-interval=1h"):
        put_store(cluster, url=f"file://{old}")
        put_app(cluster)
        until(lambda: value(cluster) == FIRST and ready(cluster) == "True")
        put_store(cluster)
        until(lambda: value(cluster) == SECOND)
        until(lambda: status(cluster, "stores.flux-secret.io", "apps")["observedGeneration"] == 2)
        said = status(cluster, "stores.flux-secret.io", "apps")
        assert said["revision"] == cluster.store.head
        gone = f"file://{cluster.root / 'nowhere'}"
        put_store(cluster, url=gone)
        until(lambda: ready(cluster, kind="stores.flux-secret.io", name="apps") == "False")
        assert value(cluster) == SECOND


def test_what_nobody_lets_it_read_is_refused_and_comes_when_somebody_does(cluster: World) -> None:
    with running(cluster):
        put_store(cluster, paths=("other",))
        put_app(cluster)
        until(lambda: ready(cluster) == "False")
        assert condition(cluster)["reason"] == "AccessDenied"
        assert "may not be read by" in condition(cluster)["message"]
        assert condition(cluster, "Stalled")["status"] == "True"
        assert value(cluster) is None
        put_store(cluster, paths=("demo",))
        until(lambda: value(cluster) == FIRST)
        until(lambda: ready(cluster) == "True")
        assert condition(cluster, "Stalled") == {}


def test_an_app_writes_no_namespace_but_its_own(cluster: World) -> None:
    other = agents_own(cluster)
    smuggled = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": other},
    }
    cluster.ops.commit({"smuggle/c.yaml": yaml.safe_dump(smuggled)}, "smuggle")
    with running(cluster):
        put_store(cluster)
        put_app(cluster, path="smuggle")
        until(lambda: ready(cluster) == "False")
        assert condition(cluster)["reason"] == "AccessDenied"
        assert cluster.get("configmap", "c", other) is None


@pytest.mark.parametrize("policy", ["Prune", "Orphan"])
def test_a_deleted_app_takes_its_objects_along_or_leaves_them(cluster: World, policy: str) -> None:
    with running(cluster):
        put_store(cluster)
        put_app(cluster, deletionPolicy=policy)
        until(lambda: ready(cluster) == "True")
        cluster.kubectl("delete", "apps.flux-secret.io", NAME, "-n", cluster.namespace,
                        "--wait=false")  # fmt: skip
        until(lambda: cluster.get("apps.flux-secret.io", NAME) is None)
        assert (cluster.get("deployment", "demo") is None) == (policy == "Prune")
        home = cluster.get("namespace", cluster.namespace, "")
        assert home is not None  # its overlay has it, and the App lay in it
        assert "deletionTimestamp" not in home["metadata"]
        listed = cluster.kubectl(
            "get", "configmap", "-n", agents_own(cluster), "-l", "flux-secret.io/inventory",
            "-o", "name",
        )  # fmt: skip
        assert listed.out == ""


def test_a_suspended_app_stands_still_until_it_is_resumed(cluster: World) -> None:
    with running(cluster):
        put_store(cluster)
        put_app(cluster)
        until(lambda: ready(cluster) == "True")
        put_app(cluster, suspend=True)
        until(lambda: status(cluster)["observedGeneration"] == 2)
        cluster.put("demo", SECOND)
        put_app(cluster, "other", path="demo/overlay/dev")  # another goes on meanwhile
        until(lambda: ready(cluster, name="other") == "False")  # its objects are the first one's
        assert value(cluster) == FIRST
        put_app(cluster, suspend=False)
        until(lambda: value(cluster) == SECOND)


def test_who_asks_with_an_annotation_gets_a_delivery(cluster: World) -> None:
    with running(cluster) as one:
        put_store(cluster)
        put_app(cluster)
        until(lambda: ready(cluster) == "True")
        before = one.log.read_text().count("delivery.finished")
        cluster.kubectl("annotate", "apps.flux-secret.io", NAME, "-n", cluster.namespace,
                        "reconcile.fluxcd.io/requestedAt=now")  # fmt: skip
        until(lambda: status(cluster).get("lastHandledReconcileAt") == "now")
        assert one.log.read_text().count("delivery.finished") > before


def test_one_that_cannot_be_used_says_why_and_what_it_delivered_stays(cluster: World) -> None:
    with running(cluster):
        put_store(cluster)
        put_app(cluster)
        until(lambda: ready(cluster) == "True")
        put_app(cluster, namespaces=["kube-system"])
        until(lambda: ready(cluster) == "False")
        assert condition(cluster)["reason"] == "InvalidSpec"
        assert "only an App in namespace" in condition(cluster)["message"]
        assert value(cluster) == FIRST
        put_app(cluster)
        until(lambda: ready(cluster) == "True")


def test_a_pass_with_nothing_to_do_writes_nothing(cluster: World) -> None:
    with running(cluster) as one:
        put_store(cluster)
        put_app(cluster, interval="1s")
        until(lambda: ready(cluster) == "True")
        until(lambda: one.log.read_text().count("delivery.finished") > 2)
        before = json.dumps(cluster.get("apps.flux-secret.io", NAME))
        count = one.log.read_text().count("delivery.finished")
        until(lambda: one.log.read_text().count("delivery.finished") > count + 2)
        assert json.dumps(cluster.get("apps.flux-secret.io", NAME)) == before


def put_secret(world: World, reference: str = "ref+gopass://apps/demo#password") -> None:
    put(world, "StoreSecret", "db", world.namespace, {"data": {"password": reference}})


def password(world: World) -> bytes | None:
    found = world.get("secret", "db")
    return base64.b64decode(found["data"]["password"]) if found else None


def test_a_store_secret_is_made_of_entries_and_kept_up_to_date(cluster: World) -> None:
    kind = "storesecrets.flux-secret.io"
    with running(cluster):
        put_store(cluster)
        put_secret(cluster)
        until(lambda: ready(cluster, kind=kind, name="db") == "True")
        assert password(cluster) == FIRST.rstrip(b"\n")
        cluster.put("demo", SECOND)
        until(lambda: password(cluster) == SECOND.rstrip(b"\n"))
        put_secret(cluster, "ref+gopass://apps/nothing")
        until(lambda: ready(cluster, kind=kind, name="db") == "False")
        assert condition(cluster, kind=kind, name="db")["reason"] == "SecretMissing"
        assert password(cluster) == SECOND.rstrip(b"\n")  # the last good value stays
        cluster.kubectl("delete", kind, "db", "-n", cluster.namespace, "--wait=false")
        until(lambda: cluster.get("secret", "db") is None)


def test_a_store_secret_reads_what_its_namespace_may_and_nothing_else(cluster: World) -> None:
    kind = "storesecrets.flux-secret.io"
    with running(cluster):
        put_store(cluster, paths=("other",))
        put_secret(cluster)
        until(lambda: ready(cluster, kind=kind, name="db") == "False")
        assert condition(cluster, kind=kind, name="db")["reason"] == "AccessDenied"
        assert password(cluster) is None


def test_a_definition_that_is_deleted_takes_nothing_along(cluster: World) -> None:
    with running(cluster) as one:
        put_store(cluster)
        put_app(cluster)
        until(lambda: ready(cluster) == "True")
        cluster.kubectl("delete", "crd", "apps.flux-secret.io", "--wait=false")
        until(lambda: cluster.get("crd", "apps.flux-secret.io", "") is None)
        until(lambda: one.has_said("app.released"))
        assert cluster.get("deployment", "demo") is not None
        assert value(cluster) == FIRST
        assert one.process.poll() is None
        done = cluster.kubectl("apply", "-k", str(CRDS))
        assert done.code == 0, done.err
        crd = "crd/apps.flux-secret.io"
        cluster.kubectl("wait", "--for=condition=Established", crd, "--timeout=30s")
        until(lambda: cluster.kubectl("get", "apps.flux-secret.io", "-A").code == 0)
        put_app(cluster)
        until(lambda: ready(cluster) == "True")  # they are its own still


def test_an_app_that_is_deleted_while_it_is_delivered_leaves_nothing(cluster: World) -> None:
    script = "sleep 2; printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: slow}\n'"
    flux_yaml = {"version": 1, "commandUpdated": {"generators": [{"command": script}]}}
    cluster.ops.commit({"slow/.flux.yaml": yaml.safe_dump(flux_yaml)}, "slow")
    with running(cluster) as one:
        put_store(cluster)
        put_app(cluster, path="slow")
        until(lambda: one.has_said("trying to sync git changes"))
        cluster.kubectl("delete", "apps.flux-secret.io", NAME, "-n", cluster.namespace,
                        "--wait=false")  # fmt: skip
        until(lambda: cluster.get("apps.flux-secret.io", NAME) is None)
        assert cluster.get("configmap", "slow") is None


def test_apps_of_a_settings_file_are_delivered_and_change_with_it(cluster: World) -> None:
    readers = [{"namespaces": [cluster.namespace], "paths": ["demo"]}]
    spec = {
        "source": {"url": cluster.ops.url, "branch": cluster.ops.branch},
        "path": APPLICATION,
        "stores": ["apps"],
    }
    version = "flux-secret.io/v1alpha1"
    store = {"apiVersion": version, "kind": "Store", "metadata": {"name": "apps"},
             "spec": {"url": cluster.store.url, "readers": readers}}  # fmt: skip
    app = {"apiVersion": version, "kind": "App", "spec": spec,
           "metadata": {"name": NAME, "namespace": cluster.namespace}}  # fmt: skip
    file = cluster.root / "flux-secret.yaml"
    store["spec"]["readers"] = []  # type: ignore[index]
    file.write_text(yaml.safe_dump_all([store, app]))
    with agent(cluster, f"--config={file}", "--git-poll-interval=1s", without=FLAGS) as one:
        until(lambda: one.has_said("may not be read by"))
        assert value(cluster) is None
        store["spec"]["readers"] = readers  # type: ignore[index]
        file.write_text(yaml.safe_dump_all([store, app]))
        until(lambda: value(cluster) == FIRST)
        file.write_text("kind: [")  # what cannot be read changes nothing
        until(lambda: one.has_said("msg=settings.unusable"))
        cluster.put("demo", SECOND)
        until(lambda: value(cluster) == SECOND)


def test_a_store_says_whose_owners_count_and_an_app_what_waits_for_them(cluster: World) -> None:
    person = Signatory("person1", gnupg=cluster.gnupg)
    store = OwnedStore(cluster.store, (person,))
    key = f".public-keys/{person.key.partition(':')[2]}"
    text = store.text([person], "  demo: {owners: [person1], readers: {apps: ['*/demo']}}\n")
    exported = cluster.gnupg.public_key(person.email)
    anchor = cluster.store.commit({OWNERS: text, key: exported})
    store.states = store.bench().judging.anchored(anchor, anchor)
    with running(cluster):
        put_store(cluster, owners={"anchor": {"commit": anchor}})
        put_app(cluster)
        until(lambda: ready(cluster) == "True")
        cluster.put("demo", SECOND)
        until(lambda: condition(cluster, "ApprovalMissing").get("status") == "True")
        waits = condition(cluster, "ApprovalMissing")
        assert waits["reason"] == "ApprovalMissing"
        assert "the signature of person1 is missing" in waits["message"]
        assert "flux-secret owners approve apps demo" in waits["message"]
        assert (ready(cluster), value(cluster)) == ("True", FIRST)
        asyncio.run(store.approve(person))
        until(lambda: value(cluster) == SECOND)
        until(lambda: condition(cluster, "ApprovalMissing") == {})
