"""Somebody leaves: what they know, whose it is, and the Secrets where it is in force."""

from __future__ import annotations

import json
from typing import Any

import pytest

from behaviour.conftest import *  # noqa: F403 -- the cluster
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import Done, World


@pytest.fixture
def mounted(world: World) -> World:
    world.monkeypatch.setenv("HOME", str(world.root))
    world.monkeypatch.setenv("GOPASS_HOMEDIR", str(world.root))
    world.monkeypatch.setenv("GNUPGHOME", str(world.gnupg.path))
    config = world.root / ".config/gopass/config"
    config.parent.mkdir(parents=True)
    config.write_text(f'[mounts "apps"]\n\tpath = {world.store.path}\n')
    return world


@pytest.fixture
def delivered(mounted: World) -> World:
    done = mounted.deliver()
    assert done.code == 0, done.err
    return mounted


def offboard(world: World, *words: str) -> Done:
    return world.run("offboard", "person1@example.org", "--store", "apps", *words)


def test_the_list_names_the_secret_where_a_value_is_delivered(delivered: World) -> None:
    done = offboard(delivered, f"--kubeconfig={delivered.kubeconfig}", "-o", "json")
    assert done.code == 1, done.err
    told: dict[str, Any] = json.loads(done.out)
    values = {one["entry"]: one for one in told["stores"][0]["values"]}
    (use,) = values["apps/demo"]["delivered"]
    assert use["secrets"] == [f"{delivered.namespace}/demo-secret"]
    assert (told["deliveries_unknown"], told["deliveries_unseen"]) == ("", [])
    shown = offboard(delivered, f"--kubeconfig={delivered.kubeconfig}").out
    assert f"{delivered.namespace}/demo-secret" in shown


def test_a_cluster_that_does_not_answer_is_no_reason_to_end(delivered: World) -> None:
    away = delivered.root / "away.yaml"
    text = delivered.kubeconfig.read_text()
    server = next(line for line in text.splitlines() if "server:" in line)
    away.write_text(text.replace(server, server.split("server:")[0] + "server: http://127.0.0.1:9"))
    for words in ([f"--kubeconfig={away}"], ["--no-cluster"]):
        done = offboard(delivered, *words)
        assert (done.code, "where values are delivered is not known" in done.err) == (1, True)
        assert "apps/demo" in done.out


def test_where_no_cluster_is_asked_manifests_say_where_a_value_is_to_go(mounted: World) -> None:
    mounted.ops.commit({"demo/base/secret.yaml": (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: typed, namespace: dev}\n"
        "stringData:\n  password: ref+gopass://apps/demo#password\n"
    )})  # fmt: skip
    words = ("--no-cluster", f"--manifests={mounted.ops.path}")
    done = offboard(mounted, *words, "-o", "json")
    assert done.code == 1, done.err
    told: dict[str, Any] = json.loads(done.out)
    values = {one["entry"]: one for one in told["stores"][0]["values"]}
    (use,) = values["apps/demo"]["delivered"]
    assert (use["app"], use["secrets"]) == ("demo/base", ["dev/typed"])
    assert told["deliveries_unknown"] == "no cluster was asked (--kubeconfig)"
    assert any("asks for $APPLICATIONSTORE/demo" in one for one in told["deliveries_unseen"])
    (line,) = [one for one in offboard(mounted, *words).out.splitlines() if " apps/demo " in one]
    assert "dev/typed, ? " in line
