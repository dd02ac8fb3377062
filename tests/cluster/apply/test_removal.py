from __future__ import annotations

import json

import pytest

from cluster.apply.world import (
    CONFIG_MAPS,
    NAMESPACES,
    SECRETS,
    World,
    config_map,
    deployment,
    namespace,
    secret,
)
from flux_secret.errors import HeldError, IntegrityError, ManifestError, NotOursError
from flux_secret.model.change import Action

APP, OTHER = "demo", "platform"
LABEL = "applyset.kubernetes.io/part-of"


async def test_what_left_the_repository_is_pruned(world: World) -> None:
    await world.deliver({APP: [config_map("c", {}), secret("s", {"k": b"v"})]})
    done = await world.deliver({APP: [config_map("c", {})]})
    assert done.lines == ["configmap/c unchanged", "secret/s deleted"]
    assert await world.live(SECRETS, "s") is None
    done = await world.deliver({APP: [config_map("c", {})]})
    assert done.lines == ["configmap/c unchanged"]


async def test_without_pruning_it_stays_and_is_reported_once(world: World) -> None:
    await world.deliver({APP: [config_map("c", {}), config_map("d", {})]})
    done = await world.deliver({APP: [config_map("c", {})]}, prune=False)
    assert done.action("d") is Action.SKIPPED
    assert "pruning is off" in done.of("d").note
    done = await world.deliver({APP: [config_map("c", {})]}, prune=False)
    assert done.lines == ["configmap/c unchanged"]
    assert (await world.deliver({APP: [config_map("c", {})]})).action("d") is Action.DELETED


async def test_a_failed_target_prunes_nothing(world: World) -> None:
    await world.deliver({APP: [config_map("c", {})], OTHER: [config_map("o", {})]})
    done = await world.deliver({APP: ManifestError("broken"), OTHER: [config_map("o", {})]})
    assert done.lines == ["configmap/o unchanged"]
    assert await world.live(CONFIG_MAPS, "c") is not None


async def test_an_object_that_carries_a_copied_label_is_not_pruned(world: World) -> None:
    """Controllers and people copy labels; only what is listed is ours."""
    await world.deliver({APP: [config_map("c", {}), config_map("d", {})]})
    label = (await world.must(CONFIG_MAPS, "d")).labels[LABEL]
    await world.make(CONFIG_MAPS, config_map("copy", {}, labels={LABEL: label}))
    done = await world.deliver({APP: [config_map("c", {})]})
    assert done.action("d") is Action.DELETED
    assert await world.live(CONFIG_MAPS, "copy") is not None


async def test_a_recreated_object_of_another_uid_is_not_pruned(world: World) -> None:
    await world.deliver({APP: [config_map("c", {}), config_map("d", {})]})
    label = (await world.must(CONFIG_MAPS, "d")).labels[LABEL]
    await world.delete(CONFIG_MAPS, "d")
    await world.make(CONFIG_MAPS, config_map("d", {"by": "hand"}, labels={LABEL: label}))
    done = await world.deliver({APP: [config_map("c", {})]})
    assert done.action("d") is Action.SKIPPED
    assert "another object of that name" in done.of("d").note
    assert await world.live(CONFIG_MAPS, "d") is not None


async def test_a_recreated_object_is_not_overwritten_either(world: World) -> None:
    await world.deliver({APP: [config_map("d", {})]})
    await world.delete(CONFIG_MAPS, "d")
    await world.make(CONFIG_MAPS, config_map("d", {"by": "hand"}))
    before = await world.must(CONFIG_MAPS, "d")
    done = await world.deliver({APP: [config_map("d", {"by": "us"})]})
    assert isinstance(done.error("d"), NotOursError)
    assert await world.must(CONFIG_MAPS, "d") == before


@pytest.mark.parametrize(
    ("name", "value"), [("flux-secret.io/prune", "disabled"), ("fluxcd.io/ignore", "sync_only")]
)
async def test_an_annotation_on_the_live_object_keeps_it(
    world: World, name: str, value: str
) -> None:
    await world.deliver({APP: [config_map("c", {}), config_map("d", {})]})
    await world.edit(CONFIG_MAPS, "d", {"metadata": {"annotations": {name: value}}})
    done = await world.deliver({APP: [config_map("c", {})]})
    assert done.of("d").note == f"not pruned: {name}: {value}"
    assert await world.live(CONFIG_MAPS, "d") is not None
    await world.edit(CONFIG_MAPS, "d", {"metadata": {"annotations": {name: None}}})
    assert (await world.deliver({APP: [config_map("c", {})]})).action("d") is Action.DELETED


async def test_an_object_that_moved_is_handed_over_and_keeps_its_uid(world: World) -> None:
    await world.deliver({APP: [secret("s", {"k": b"1"}), config_map("c", {})], OTHER: []})
    uid = (await world.must(SECRETS, "s")).uid
    done = await world.deliver(
        {APP: [config_map("c", {})], OTHER: [secret("s", {"k": b"2"}), config_map("o", {})]}
    )
    assert done.action("s") is Action.CONFIGURED
    assert done.of("s").note.startswith("handed over by demo of ")
    assert [one.exit_code for one in done.deliveries] == [0, 0]
    assert (await world.must(SECRETS, "s")).uid == uid
    assert await world.values("s") == {"k": b"2"}
    world.new_applier()
    done = await world.deliver(
        {APP: [config_map("c", {})], OTHER: [secret("s", {"k": b"2"}), config_map("o", {})]}
    )
    assert done.traffic.writes == 0
    done = await world.deliver({APP: [config_map("c", {})], OTHER: [config_map("o", {})]})
    assert done.action("s") is Action.DELETED


async def test_a_hand_over_that_was_cut_short_deletes_nothing(world: World) -> None:
    """The new list was written, the old one not yet: the object stands in both."""
    await world.deliver({APP: [secret("s", {"k": b"1"}), config_map("c", {})]})
    await world.deliver(
        {APP: [secret("s", {"k": b"1"}), config_map("c", {})], OTHER: [config_map("o", {})]}
    )
    found = await world.inventories()
    old = next(tree for name, tree in found.items() if "demo" in name)
    new, tree = next((name, tree) for name, tree in found.items() if "platform" in name)
    moved = json.loads(old["data"]["inventory.json"])["objects"]
    listed = json.loads(tree["data"]["inventory.json"])
    listed["objects"] += [entry for entry in moved if entry["name"] == "s"]
    await world.rewrite_inventory(new, json.dumps(listed))
    world.new_applier()
    done = await world.deliver({APP: [config_map("c", {})], OTHER: ManifestError("broken")})
    assert [str(change) for change in done.swept] == []
    assert await world.live(SECRETS, "s") is not None
    done = await world.deliver({APP: [config_map("c", {})], OTHER: [secret("s", {"k": b"2"})]})
    assert done.action("s") is Action.CONFIGURED


async def test_what_stands_in_two_lists_and_nobody_wants_goes(world: World) -> None:
    await world.deliver(
        {APP: [secret("s", {"k": b"1"}), config_map("c", {})], OTHER: [config_map("o", {})]}
    )
    found = await world.inventories()
    old = next(tree for name, tree in found.items() if "demo" in name)
    new, tree = next((name, tree) for name, tree in found.items() if "platform" in name)
    listed = json.loads(tree["data"]["inventory.json"])
    listed["objects"] += json.loads(old["data"]["inventory.json"])["objects"][1:]
    await world.rewrite_inventory(new, json.dumps(listed))
    world.new_applier()
    await world.deliver({APP: [config_map("c", {})], OTHER: [config_map("o", {})]})
    assert await world.live(SECRETS, "s") is None


async def test_an_object_that_two_targets_want_is_refused_to_the_second(world: World) -> None:
    await world.deliver({APP: [config_map("c", {"by": "app"})]})
    before = await world.must(CONFIG_MAPS, "c")
    both = {APP: [config_map("c", {"by": "app"})], OTHER: [config_map("c", {"by": "other"})]}
    for _ in range(2):
        done = await world.deliver(both)
        assert isinstance(done.error("c"), NotOursError)
        assert "belongs to the target demo of ssh://git@example.org/ops" in done.error("c").what
        assert done.error("c").what.startswith(
            f"duplicate definition of '{world.name}:configmap/c' (in test.yaml and test.yaml): "
        )
        assert await world.must(CONFIG_MAPS, "c") == before


async def test_of_two_new_targets_only_one_gets_an_object(world: World) -> None:
    done = await world.deliver(
        {APP: [config_map("c", {"by": "app"})], OTHER: [config_map("c", {"by": "other"})]}
    )
    # whoever comes first makes it; the first git path has it in the end
    assert [change.action for change in done.changes].count(Action.FAILED) == 1
    assert (await world.read(CONFIG_MAPS, "c"))["data"] == {"by": "app"}


async def test_a_claim_on_a_failed_target_waits(world: World) -> None:
    await world.deliver({APP: [config_map("c", {})]})
    done = await world.deliver({APP: ManifestError("broken"), OTHER: [config_map("c", {"a": "b"})]})
    assert "which failed" in done.error("c").what
    assert await world.live(CONFIG_MAPS, "c") is not None


async def test_a_namespace_is_held_until_it_is_confirmed(world: World) -> None:
    inner = f"{world.name}-b"
    objects = [namespace(inner), config_map("x", {}, namespace=inner), config_map("c", {})]
    await world.deliver({APP: objects})
    done = await world.deliver({APP: [config_map("c", {})]})
    held = [change.error for change in done.swept.failed]
    assert len(held) == 1
    assert isinstance(held[0], HeldError)
    assert held[0].exit_code == 4
    assert inner in held[0].what
    assert held[0].token in held[0].remedy
    assert await world.client.metadata(CONFIG_MAPS, inner, "x") is not None
    token = held[0].token

    world.new_applier(confirmations=frozenset({token}))
    other_commit = await world.deliver({APP: [config_map("c", {})]}, commit="b" * 40)
    assert other_commit.swept.failed, "a token is good for one revision"
    done = await world.deliver({APP: [config_map("c", {})]})
    assert [str(change) for change in done.swept] == [
        "configmap/x deleted",
        f"namespace/{inner} deleted",
    ]
    live = await world.client.metadata(NAMESPACES, "", inner)
    assert live is None or live.is_going


async def test_more_than_ten_and_more_than_half_are_held(world: World) -> None:
    objects = [config_map(f"c{number:02}", {}) for number in range(20)]
    await world.deliver({APP: objects})
    done = await world.deliver({APP: objects[11:]})
    assert "it is 11 of 20 objects" in done.error("c00").what
    assert await world.live(CONFIG_MAPS, "c00") is not None
    done = await world.deliver({APP: objects[10:]})
    assert not done.swept.failed
    assert await world.live(CONFIG_MAPS, "c00") is None


async def test_an_empty_generation_is_held(world: World) -> None:
    await world.deliver({APP: [config_map("c", {})]})
    done = await world.deliver({APP: []})
    assert isinstance(done.error("c"), HeldError)
    assert "nothing of the target would stay" in done.error("c").what
    assert await world.live(CONFIG_MAPS, "c") is not None


async def test_a_target_taken_out_of_the_configuration_is_held_then_pruned(world: World) -> None:
    await world.deliver(
        {APP: [config_map("c", {}), secret("s", {"k": b"v"})], OTHER: [deployment("d")]}
    )
    done = await world.deliver({OTHER: [deployment("d")]})
    error = done.error("c")
    assert isinstance(error, HeldError)
    assert "taken out of the configuration" in error.what
    assert await world.live(SECRETS, "s") is not None
    world.new_applier(confirmations=frozenset({error.token}))
    done = await world.deliver({OTHER: [deployment("d")]})
    assert sorted(map(str, done.swept)) == ["configmap/c deleted", "secret/s deleted"]
    assert len(await world.inventories()) == 1


async def test_a_damaged_inventory_stops_its_target_alone(world: World) -> None:
    await world.deliver(
        {APP: [config_map("c", {}), config_map("d", {})], OTHER: [config_map("o", {})]}
    )
    name = next(name for name in await world.inventories() if "demo" in name)
    await world.rewrite_inventory(name, "{")
    world.new_applier()
    done = await world.deliver({APP: [config_map("c", {})], OTHER: [config_map("o", {"a": "b"})]})
    assert isinstance(done.deliveries[0].error, IntegrityError)
    assert done.action("o") is Action.CONFIGURED
    assert await world.live(CONFIG_MAPS, "d") is not None
