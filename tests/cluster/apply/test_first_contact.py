from __future__ import annotations

from cluster.apply.world import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    SECRETS,
    World,
    config_map,
    deployment,
    namespace,
    secret,
)
from flux_secret.errors import NotOursError
from flux_secret.model.change import Action

APP = "demo/overlay/dev"


async def test_a_bundle_is_created_in_kubectls_words(world: World) -> None:
    done = await world.deliver(
        {
            APP: [
                deployment("demo"),
                secret("demo-secret", {"demosecret": b"correct horse\n"}),
                namespace(f"{world.name}-b"),
                config_map("settings", {"a": "b"}, namespace=f"{world.name}-b"),
            ]
        }
    )
    assert sorted(done.lines) == [
        "configmap/settings created",
        "deployment.apps/demo created",
        f"namespace/{world.name}-b created",
        "secret/demo-secret created",
    ]
    assert done.lines[0] == f"namespace/{world.name}-b created"
    assert done.deliveries[0].exit_code == 0
    assert await world.values("demo-secret") == {"demosecret": b"correct horse\n"}
    live = await world.must(SECRETS, "demo-secret")
    assert "kubectl.kubernetes.io/last-applied-configuration" not in live.annotations


async def test_a_pass_with_nothing_to_do_writes_nothing(world: World) -> None:
    objects = [deployment("demo"), secret("s", {"k": b"v"}), config_map("c", {"a": "b"})]
    await world.deliver({APP: objects})
    before = await world.must(SECRETS, "s")
    again = await world.deliver({APP: objects})
    assert {change.action for change in again.changes} == {Action.UNCHANGED}
    assert again.traffic.writes == 0, again.traffic
    world.new_applier()  # nor does a process that just started
    again = await world.deliver({APP: objects})
    assert {change.action for change in again.changes} == {Action.UNCHANGED}
    assert again.traffic.writes == 0, again.traffic
    assert (await world.must(SECRETS, "s")).resource_version == before.resource_version


async def test_many_objects_of_a_kind_are_read_with_one_list(world: World) -> None:
    objects = [config_map(f"c{number}", {"a": "b"}) for number in range(40)]
    await world.deliver({APP: objects})
    again = await world.deliver({APP: objects})
    assert {change.action for change in again.changes} == {Action.UNCHANGED}
    assert again.traffic.requests["GET"] <= 6


async def test_a_changed_value_is_configured(world: World) -> None:
    await world.deliver({APP: [secret("s", {"k": b"old"})]})
    done = await world.deliver({APP: [secret("s", {"k": b"new"})]})
    assert done.lines == ["secret/s configured"]
    assert await world.values("s") == {"k": b"new"}


async def test_a_foreign_secret_is_refused_untouched(world: World) -> None:
    await world.make(SECRETS, secret("s", {"k": b"theirs"}))
    before = await world.must(SECRETS, "s")
    done = await world.deliver({APP: [secret("s", {"k": b"ours"}), config_map("c", {})]})
    assert isinstance(done.error("s"), NotOursError)
    assert "kubectl-create" in done.error("s").what
    assert done.action("c") is Action.CREATED
    assert done.deliveries[0].exit_code == 7
    assert await world.must(SECRETS, "s") == before
    assert await world.values("s") == {"k": b"theirs"}


async def test_a_foreign_secret_with_equal_values_is_refused_too(world: World) -> None:
    await world.make(SECRETS, secret("s", {"k": b"same"}))
    before = await world.must(SECRETS, "s")
    for _ in range(2):
        done = await world.deliver({APP: [secret("s", {"k": b"same"})]})
        assert isinstance(done.error("s"), NotOursError)
        assert await world.must(SECRETS, "s") == before  # resourceVersion and managedFields, too


async def test_what_was_refused_is_not_pruned_later(world: World) -> None:
    await world.make(CONFIG_MAPS, config_map("c", {"a": "theirs"}))
    await world.deliver({APP: [config_map("c", {"a": "ours"}), config_map("d", {})]})
    done = await world.deliver({APP: [config_map("d", {})]})
    assert done.lines == ["configmap/d unchanged"]
    assert await world.live(CONFIG_MAPS, "c") is not None


async def test_adoption_is_open_and_makes_it_ours(world: World) -> None:
    await world.make(SECRETS, secret("s", {"k": b"theirs"}))
    uid = (await world.must(SECRETS, "s")).uid
    world.new_applier(adopt_existing=True)
    done = await world.deliver({APP: [secret("s", {"k": b"ours"}), config_map("c", {})]})
    assert done.action("s") is Action.CONFIGURED
    assert done.of("s").note.startswith("adopted: it was there before")
    assert (await world.must(SECRETS, "s")).uid == uid
    assert await world.values("s") == {"k": b"ours"}
    world.new_applier()
    done = await world.deliver({APP: [config_map("c", {})]})
    assert done.action("s") is Action.DELETED


async def test_a_crash_after_the_list_was_written_leaves_our_objects_ours(world: World) -> None:
    """The list is written ahead without uids; what carries our label and fields is ours."""
    await world.deliver({APP: [config_map("c", {"a": "b"})]})
    ((name, found),) = (await world.inventories()).items()
    uid = (await world.must(CONFIG_MAPS, "c")).uid
    await world.rewrite_inventory(name, found["data"]["inventory.json"].replace(uid, ""))
    world.new_applier()
    done = await world.deliver({APP: [config_map("c", {"a": "b"})]})
    assert done.action("c") is Action.UNCHANGED
    world.new_applier()
    done = await world.deliver({APP: [config_map("d", {"a": "b"})]})
    assert done.action("c") is Action.DELETED


async def test_an_object_being_deleted_is_not_written(world: World) -> None:
    tree = config_map("c", {"a": "b"}, finalizers=["example.org/wait"])
    await world.deliver({APP: [tree]})
    await world.delete(CONFIG_MAPS, "c")
    before = await world.must(CONFIG_MAPS, "c")
    done = await world.deliver({APP: [tree]})
    assert "being deleted" in done.error("c").what
    assert await world.must(CONFIG_MAPS, "c") == before
    await world.edit(CONFIG_MAPS, "c", {"metadata": {"finalizers": None}})
    assert (await world.deliver({APP: [tree]})).action("c") is Action.CREATED


async def test_the_agents_namespace_is_made_when_it_is_missing(world: World) -> None:
    assert await world.live(NAMESPACES, f"{world.name}-flux") is None
    await world.deliver({APP: [deployment("demo")]})
    assert await world.live(NAMESPACES, f"{world.name}-flux") is not None
    assert await world.live(DEPLOYMENTS, "demo") is not None
