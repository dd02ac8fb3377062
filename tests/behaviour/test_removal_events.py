"""Removal is three different events (design decision 13), at the command line."""

from __future__ import annotations

import json

import pytest

from simulators.world import Done, World

COLLECT = "--sync-garbage-collection"
OTHER, PATH = "other", "plain"
MANY = 12


def manifest(world: World, name: str) -> str:
    metadata = {"name": name, "namespace": world.namespace}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}})


@pytest.fixture
def two(world: World) -> World:
    """Two targets: many objects, and one beside them."""
    world.kubectl("create", "namespace", world.namespace)
    files = {f"{PATH}/{number:02}.yaml": manifest(world, f"c{number:02}") for number in range(MANY)}
    world.ops.commit({**files, f"{OTHER}/one.yaml": manifest(world, "one")})
    assert collect(world, PATH, OTHER).code == 0
    return world


def collect(world: World, *paths: str, confirm: str = "") -> Done:
    token = [f"--confirm={confirm}"] if confirm else []
    return world.deliver(COLLECT, *token, path=",".join(paths))


def left(world: World) -> int:
    found = world.kubectl("get", "configmaps", "-n", world.namespace, "-o", "name").out
    return len([line for line in found.splitlines() if line.startswith("configmap/c")])


def token_of(done: Done) -> str:
    assert done.code == 4, done.out + done.err
    return done.err.rpartition("--confirm ")[2].split()[0]


def test_a_path_that_is_missing_removes_nothing_whatever_was_confirmed(two: World) -> None:
    token = token_of(collect(two, OTHER))
    two.ops.remove(PATH)
    for given in ("", token):
        done = collect(two, PATH, OTHER, confirm=given)
        assert done.code == 3
        assert f"git path '{PATH}' does not exist" in done.err
        assert left(two) == MANY


def test_a_target_that_was_taken_out_goes_when_it_is_confirmed_for_that_commit(two: World) -> None:
    done = collect(two, OTHER)
    token = token_of(done)
    assert "since the target was taken out of the configuration" in done.err
    assert f"the removal of {MANY} objects of {PATH} of " in done.err
    two.ops.commit({"note.txt": "another commit"})
    assert token_of(collect(two, OTHER, confirm=token)) != token
    assert left(two) == MANY
    done = collect(two, OTHER, confirm=token_of(collect(two, OTHER)))
    assert done.code == 0, done.err
    assert left(two) == 0
    assert two.get("configmap", "one") is not None


def test_a_generation_that_shrank_a_lot_goes_when_that_list_is_confirmed(two: World) -> None:
    for number in range(11):
        (two.ops.path / PATH / f"{number:02}.yaml").unlink()
    two.ops.commit({}, "remove eleven")
    done = collect(two, PATH, OTHER)
    assert f"since it is 11 of {MANY} objects" in done.err
    assert left(two) == MANY
    done = collect(two, PATH, OTHER, confirm=token_of(done))
    assert done.code == 0, done.err
    assert left(two) == 1


def test_a_generation_that_shrank_a_little_just_goes(two: World) -> None:
    two.ops.remove(f"{PATH}/00.yaml")
    done = collect(two, PATH, OTHER)
    assert "configmap/c00 deleted" in done.out
    assert left(two) == MANY - 1
