"""Objects that move between targets, beyond the plain case of test_removal.py."""

from __future__ import annotations

import json

from cluster.apply.world import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    SECRETS,
    World,
    config_map,
    deployment,
    secret,
)
from flux_secret.apply.inventory import TargetId
from flux_secret.errors import HeldError, NotOursError, UnknownKindError
from flux_secret.model.change import Action

OLD, NEW = "demo/old", "demo/new"


async def test_a_target_that_is_renamed_keeps_its_objects(world: World) -> None:
    """Its path changed in the configuration: nothing is deleted, nothing needs a confirmation."""
    objects = [config_map("c", {}), secret("s", {"k": b"v"})]
    await world.deliver({OLD: objects})
    uid = (await world.must(SECRETS, "s")).uid
    world.new_applier()
    done = await world.deliver({NEW: objects})
    assert not done.swept.failed, done.lines
    assert (await world.must(SECRETS, "s")).uid == uid
    assert [name for name in await world.inventories() if "old" in name] == []
    done = await world.deliver({NEW: objects})
    assert {change.action for change in done.changes} == {Action.UNCHANGED}


async def test_a_value_that_a_hand_over_would_lose_is_held(world: World) -> None:
    await world.deliver({OLD: [secret("s", {"k": b"good"}), config_map("c", {})], NEW: []})
    before = await world.must(SECRETS, "s")
    moved = {OLD: [config_map("c", {})], NEW: [secret("s", {"k": b""})]}
    for _ in range(2):
        done = await world.deliver(moved)
        error = done.error("s")
        assert isinstance(error, HeldError)
        assert await world.must(SECRETS, "s") == before
    assert await world.values("s") == {"k": b"good"}


async def test_what_another_target_wants_but_cannot_have_now_is_not_removed(world: World) -> None:
    await world.deliver({OLD: [deployment("d"), config_map("c", {})], NEW: []})
    wrong = {**deployment("d"), "apiVersion": "apps/v1beta9"}
    done = await world.deliver({OLD: [config_map("c", {})], NEW: [wrong]})
    assert isinstance(done.error("d"), UnknownKindError)
    assert await world.live(DEPLOYMENTS, "d") is not None
    done = await world.deliver({OLD: [config_map("c", {})], NEW: [deployment("d")]})
    assert done.of("d").note.startswith("handed over by")


async def test_an_object_that_is_gone_is_created_by_its_new_target(world: World) -> None:
    await world.deliver({OLD: [config_map("x", {}), config_map("c", {})]})
    await world.delete(CONFIG_MAPS, "x")
    done = await world.deliver({OLD: [config_map("c", {})], NEW: [config_map("x", {"a": "b"})]})
    assert done.action("x") is Action.CREATED
    done = await world.deliver({OLD: [config_map("c", {})], NEW: [config_map("x", {"a": "b"})]})
    assert done.traffic.writes == 0


async def test_an_object_of_another_source_is_refused_with_the_way_out(world: World) -> None:
    await world.deliver({OLD: [config_map("x", {})]})
    ((name, found),) = (await world.inventories()).items()
    listed = json.loads(found["data"]["inventory.json"])
    listed["target"]["source"] = "ssh://git@example.org/elsewhere"
    other = TargetId("ssh://git@example.org/elsewhere", "main", OLD)
    metadata = {
        "name": other.inventory_name,
        "labels": {"flux-secret.io/inventory": "v1"},
    }
    tree = {"metadata": metadata, "data": {"inventory.json": json.dumps(listed)}}
    await world.send("DELETE", CONFIG_MAPS.path(f"{world.name}-flux", name), {})
    await world.send("POST", CONFIG_MAPS.path(f"{world.name}-flux"), tree)
    world.new_applier()
    done = await world.deliver({NEW: [config_map("x", {})]})
    error = done.error("x")
    assert isinstance(error, NotOursError)
    assert "elsewhere (main), which is not delivered here" in error.what
    assert f"kubectl -n {world.name}-flux delete configmap {other.inventory_name}" in error.remedy
    await world.send("DELETE", CONFIG_MAPS.path(f"{world.name}-flux", other.inventory_name), {})
    world.new_applier(adopt_existing=True)
    done = await world.deliver({NEW: [config_map("x", {})]})
    assert done.of("x").note.startswith("adopted")


async def test_an_object_that_somebody_replaced_is_not_handed_over(world: World) -> None:
    await world.deliver({OLD: [config_map("x", {}), config_map("c", {})]})
    await world.delete(CONFIG_MAPS, "x")
    await world.make(CONFIG_MAPS, config_map("x", {"by": "them"}))
    before = await world.must(CONFIG_MAPS, "x")
    moved = {OLD: [config_map("c", {})], NEW: [config_map("x", {"a": "b"})]}
    done = await world.deliver(moved)
    assert isinstance(done.error("x"), NotOursError)
    done = await world.deliver(moved)
    assert isinstance(done.error("x"), NotOursError)
    assert await world.must(CONFIG_MAPS, "x") == before


async def test_two_objects_that_swap_targets_are_both_handed_over(world: World) -> None:
    await world.deliver({OLD: [config_map("a", {})], NEW: [config_map("b", {})]})
    uids = [(await world.must(CONFIG_MAPS, name)).uid for name in "ab"]
    swapped = {OLD: [config_map("b", {})], NEW: [config_map("a", {})]}
    done = await world.deliver(swapped)
    assert not done.swept.failed, done.lines
    assert [(await world.must(CONFIG_MAPS, name)).uid for name in "ab"] == uids
    assert (await world.deliver(swapped)).traffic.writes == 0


async def test_a_hand_over_needs_no_pruning_and_leaves_one_list(world: World) -> None:
    await world.deliver({OLD: [config_map("x", {}), config_map("c", {})], NEW: []}, prune=False)
    moved = {OLD: [config_map("c", {})], NEW: [config_map("x", {})]}
    done = await world.deliver(moved, prune=False)
    assert not [change for change in done.changes if "pruning is off" in change.note], done.lines
    listing = [name for name, tree in (await world.inventories()).items() if '"x"' in str(tree)]
    assert len(listing) == 1
