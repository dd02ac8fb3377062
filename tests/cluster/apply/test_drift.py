from __future__ import annotations

from cluster.apply.world import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    SECRETS,
    World,
    config_map,
    deployment,
    secret,
)
from flux_secret.model.change import Action

APP = "demo"


async def test_a_hand_edit_is_repaired_and_named(world: World) -> None:
    await world.deliver({APP: [deployment("demo", replicas=2)]})
    await world.edit(DEPLOYMENTS, "demo", {"spec": {"replicas": 5}})
    done = await world.deliver({APP: [deployment("demo", replicas=2)]})
    assert done.lines == [
        "deployment.apps/demo configured (repaired: spec.replicas was changed by kubectl-edit)"
    ]
    live = await world.read(DEPLOYMENTS, "demo")
    assert live["spec"]["replicas"] == 2
    assert (await world.deliver({APP: [deployment("demo", replicas=2)]})).traffic.writes == 0


async def test_a_hand_edit_of_a_secrets_value_is_repaired(world: World) -> None:
    await world.deliver({APP: [secret("s", {"k": b"ours"})]})
    await world.edit(SECRETS, "s", {"data": {"k": "dGhlaXJz"}})
    done = await world.deliver({APP: [secret("s", {"k": b"ours"})]})
    assert done.lines == ["secret/s configured (repaired: data.k was changed by kubectl-edit)"]
    assert await world.values("s") == {"k": b"ours"}


async def test_a_container_is_named_by_its_key(world: World) -> None:
    await world.deliver({APP: [deployment("demo")]})
    containers = [{"name": "web", "image": "nginx:evil"}]
    await world.edit(
        DEPLOYMENTS, "demo", {"spec": {"template": {"spec": {"containers": containers}}}}
    )
    done = await world.deliver({APP: [deployment("demo")]})
    field = "spec.template.spec.containers[name=web].image"
    assert f"{field} was changed by kubectl-edit" in done.of("demo").note


async def test_a_removed_key_is_put_back(world: World) -> None:
    await world.deliver({APP: [config_map("c", {"a": "1", "b": "2"})]})
    await world.edit(CONFIG_MAPS, "c", {"data": {"b": None}})
    done = await world.deliver({APP: [config_map("c", {"a": "1", "b": "2"})]})
    assert done.lines == ["configmap/c configured (repaired: data.b was removed)"]


async def test_a_removed_label_of_ours_is_put_back(world: World) -> None:
    await world.deliver({APP: [config_map("c", {"a": "1"})]})
    label = {"applyset.kubernetes.io/part-of": None}
    await world.edit(CONFIG_MAPS, "c", {"metadata": {"labels": label}})
    done = await world.deliver({APP: [config_map("c", {"a": "1"})]})
    assert done.action("c") is Action.CONFIGURED
    assert "labels.applyset.kubernetes.io/part-of was removed" in done.of("c").note


async def test_fields_that_others_add_are_no_drift(world: World) -> None:
    await world.deliver({APP: [config_map("c", {"a": "1"})]})
    added = {"metadata": {"annotations": {"x": "y"}}, "data": {"b": "2"}}
    await world.edit(CONFIG_MAPS, "c", added)
    done = await world.deliver({APP: [config_map("c", {"a": "1"})]})
    assert done.lines == ["configmap/c unchanged"]
    assert done.traffic.writes == 0


async def test_a_field_that_left_the_repository_is_removed(world: World) -> None:
    await world.deliver({APP: [config_map("c", {"a": "1", "b": "2"})]})
    await world.deliver({APP: [config_map("c", {"a": "1"})]})
    live = await world.read(CONFIG_MAPS, "c")
    assert live["data"] == {"a": "1"}


async def test_ignored_fields_are_left_to_an_autoscaler(world: World) -> None:
    noted = {"annotations": {"flux-secret.io/ignore-fields": "spec.replicas"}}
    tree = deployment("demo", replicas=2, **noted)
    await world.deliver({APP: [tree]})
    await world.edit(DEPLOYMENTS, "demo", {"spec": {"replicas": 7}}, manager="autoscaler")
    done = await world.deliver({APP: [tree]})
    live = await world.read(DEPLOYMENTS, "demo")
    assert live["spec"]["replicas"] == 7, done.lines
    assert (await world.deliver({APP: [tree]})).traffic.writes == 0
    changed = deployment("demo", replicas=3, **noted)  # still its own decision
    await world.deliver({APP: [changed]})
    live = await world.read(DEPLOYMENTS, "demo")
    assert live["spec"]["replicas"] == 7


async def test_merge_leaves_what_others_took(world: World) -> None:
    tree = config_map("c", {"a": "1", "b": "2"}, annotations={"flux-secret.io/apply": "merge"})
    await world.deliver({APP: [tree]})
    await world.edit(CONFIG_MAPS, "c", {"data": {"a": "theirs"}}, manager="injector")
    await world.deliver({APP: [tree]})
    live = await world.read(CONFIG_MAPS, "c")
    assert live["data"] == {"a": "theirs", "b": "2"}


async def test_if_not_present_writes_once(world: World) -> None:
    noted = {"annotations": {"flux-secret.io/apply": "if-not-present"}}
    await world.deliver({APP: [config_map("c", {"a": "1"}, **noted)]})
    done = await world.deliver({APP: [config_map("c", {"a": "2"}, **noted)]})
    assert done.action("c") is Action.SKIPPED
    live = await world.read(CONFIG_MAPS, "c")
    assert live["data"] == {"a": "1"}


async def test_an_object_deleted_by_hand_is_created_again(world: World) -> None:
    await world.deliver({APP: [config_map("c", {"a": "1"})]})
    await world.delete(CONFIG_MAPS, "c")
    done = await world.deliver({APP: [config_map("c", {"a": "1"})]})
    assert done.lines == ["configmap/c created"]
