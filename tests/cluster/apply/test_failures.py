from __future__ import annotations

import traceback
from collections.abc import AsyncIterator

import pytest

from cluster.apply.account import Rights, agent_with
from cluster.apply.world import (
    CONFIG_MAPS,
    CRDS,
    DEPLOYMENTS,
    SECRETS,
    World,
    config_map,
    crd,
    deployment,
    secret,
    until_served,
)
from flux_secret.errors import (
    FluxSecretError,
    ForbiddenError,
    ManifestError,
    NotOursError,
    RejectedError,
    UnknownKindError,
    UnreachableError,
)
from flux_secret.model.change import Action
from flux_secret.outside.kubernetes import (
    Client,
    Connection,
    ServedKind,
    connect,
)
from flux_secret.outside.kubernetes.transport import Limits

APP, OTHER = "demo", "platform"
API_SERVICES = ServedKind(
    "apiregistration.k8s.io", "v1", "APIService", "apiservices", namespaced=False
)


@pytest.fixture
async def limited(world: World, connection: Connection) -> AsyncIterator[Client]:
    """Be a service account that may write ConfigMaps but not read Secrets of the application."""
    async with agent_with(world, connection, Rights(["configmaps"])) as client:
        yield client


async def test_one_forbidden_object_fails_alone(world: World, limited: Client) -> None:
    applier = world.new_applier(limited)
    bundle = [config_map("c", {}), secret("s", {"k": b"hunter2"}), config_map("d", {})]
    done = await world.deliver({APP: bundle}, applier=applier)
    error = done.error("s")
    assert isinstance(error, ForbiddenError)
    assert error.what == (
        f"the API server does not allow this agent to get secrets/s in {world.name}"
    )
    assert f"kubectl -n {world.name} create role" in error.remedy
    assert done.action("c") is Action.CREATED
    assert done.action("d") is Action.CREATED
    assert done.deliveries[0].exit_code == 7


async def test_a_rejected_object_fails_alone_and_shows_no_value(world: World) -> None:
    bundle = [
        config_map("c", {}, labels={"a": "hunter2 hunter2"}),
        secret("s", {"bad key": b"hunter2"}, labels={"a": "hunter2 hunter2"}),
        {**deployment("demo"), "speck": {"a": "hunter2"}},
        config_map("d", {}),
    ]
    done = await world.deliver({APP: bundle})
    assert done.action("d") is Action.CREATED
    for name in ("c", "s", "demo"):
        error = done.error(name)
        assert isinstance(error, RejectedError), error
        assert "hunter2" not in _everything(error)
    assert "data[bad key]" in done.error("s").what or "Invalid" in done.error("s").what
    assert "metadata.labels" in done.error("c").what
    assert "speck" in done.error("demo").what


async def test_a_missing_namespace_is_named(world: World) -> None:
    done = await world.deliver({APP: [config_map("c", {}, namespace="no-such-namespace")]})
    assert "the namespace no-such-namespace does not exist" in done.error("c").what
    assert "kubectl create namespace no-such-namespace" in done.error("c").remedy


async def test_one_object_twice_after_defaulting_refuses_the_bundle(world: World) -> None:
    twice = [config_map("c", {}), config_map("c", {}, namespace=world.name)]
    done = await world.deliver({APP: twice})
    assert isinstance(done.deliveries[0].error, ManifestError)
    assert await world.live(CONFIG_MAPS, "c") is None


async def test_an_unknown_kind_is_left_out_and_a_wrong_version_names_what_is_served(
    world: World,
) -> None:
    old = {**deployment("old"), "apiVersion": "extensions/v1beta1"}
    older = {**deployment("older"), "apiVersion": "apps/v1beta1"}
    done = await world.deliver({APP: [old, older, config_map("c", {})]})
    assert done.action("old") is Action.SKIPPED
    assert done.error("older").remedy == "it serves apps/v1: change apiVersion"
    assert done.action("c") is Action.CREATED


async def test_a_crd_and_its_instance_arrive_in_one_pass(world: World) -> None:
    group = f"{world.name}.example.org"
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "size": 3}
    objects = [widget, crd("widgets", group), config_map("c", {})]
    done = await world.deliver({APP: objects})
    assert [change.action for change in done.changes] == [Action.CREATED] * 3, done.lines
    again = await world.deliver({APP: objects})
    assert again.traffic.writes == 0, again.lines
    done = await world.deliver({APP: [crd("widgets", group), config_map("c", {})]})
    assert done.action("w") is Action.DELETED
    done = await world.deliver({APP: [config_map("c", {})]})
    assert "CustomResourceDefinition" in done.error(f"widgets.{group}").what  # held


async def test_a_crd_that_is_never_established_fails_its_instances_alone(world: World) -> None:
    group = f"{world.name}.example.org"
    await world.deliver({OTHER: [crd("widgets", group)]})
    taken = crd("gadgets", group)  # its kind is Widget, too, so its names are not accepted
    gadget = {"apiVersion": f"{group}/v2", "kind": "Widget", "metadata": {"name": "g"}}
    taken["spec"]["versions"][0]["name"] = "v2"
    applier = world.new_applier(established_seconds=0.5)
    done = await world.deliver(
        {APP: [gadget, taken, config_map("c", {})], OTHER: [crd("widgets", group)]}, applier=applier
    )
    assert "was not established within 0.5 s" in done.error("g").what
    assert done.action("c") is Action.CREATED


async def test_instances_of_a_crd_that_is_rejected_do_not_wait_for_it(world: World) -> None:
    group = f"{world.name}.example.org"
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}}
    wrong = {**crd("widgets", group), "metadata": {"name": f"widgets.other.{group}"}}
    world.new_applier(established_seconds=3600)
    done = await world.deliver({APP: [widget, wrong, config_map("c", {})]})
    assert isinstance(done.error(f"widgets.other.{group}"), RejectedError)
    assert "was not applied in this pass" in done.error("w").what


async def test_instances_of_a_definition_that_is_not_ours_do_not_wait_for_it(world: World) -> None:
    group = f"{world.name}.example.org"
    await world.send("POST", CRDS.path(), crd("widgets", group))
    await until_served(world.client, group, served=True)
    newer = crd("widgets", group)
    newer["spec"]["versions"].append(
        {**newer["spec"]["versions"][0], "name": "v2", "storage": False}
    )
    widget = {"apiVersion": f"{group}/v2", "kind": "Widget", "metadata": {"name": "w"}}
    older = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "o"}}
    world.new_applier(established_seconds=3600)
    done = await world.deliver({APP: [widget, older, newer]})
    assert isinstance(done.error(f"widgets.{group}"), NotOursError)
    assert "was not applied in this pass" in done.error("w").what
    assert done.action("o") is Action.CREATED


async def test_an_object_whose_crd_is_gone_stays_listed(world: World) -> None:
    group = f"{world.name}.example.org"
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}}
    await world.send("POST", CRDS.path(), crd("widgets", group))
    await until_served(world.client, group, served=True)
    await world.deliver({APP: [config_map("c", {}), widget]})
    await world.send("DELETE", CRDS.path("", f"widgets.{group}"), {})
    await until_served(world.client, group, served=False)
    done = await world.deliver({APP: [config_map("c", {})]})
    assert done.of("w").note == "not pruned: its kind is not served now"
    ((_, found),) = (await world.inventories()).items()
    assert "Widget" in found["data"]["inventory.json"]


async def test_an_object_without_a_scope_is_left_out_stays_listed_and_comes_back(
    world: World,
) -> None:
    group = f"{world.name}.example.org"
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}}
    wanted = [config_map("c", {}), config_map("d", {}), widget]
    await world.send("POST", CRDS.path(), crd("widgets", group))
    await until_served(world.client, group, served=True)
    await world.deliver({APP: wanted})
    await world.send("DELETE", CRDS.path("", f"widgets.{group}"), {})
    await until_served(world.client, group, served=False)
    for told in (1, 0):
        done = await world.deliver({APP: wanted[:1] + wanted[2:]})
        (delivery,) = done.deliveries
        assert (delivery.exit_code, done.action("w")) == (0, Action.SKIPPED)
        assert len(delivery.notes) == told
        ((_, found),) = (await world.inventories()).items()
        assert "Widget" in found["data"]["inventory.json"]
    await world.send("POST", CRDS.path(), crd("widgets", group))
    await until_served(world.client, group, served=True)
    done = await world.deliver({APP: wanted})
    assert done.deliveries[0].notes == [
        f"found scope of resource {world.name}:widget/w, back in business!"
    ]
    assert done.action("w") is Action.CREATED


async def test_nothing_is_pruned_while_the_kind_of_another_object_is_not_known(
    world: World,
) -> None:
    group = f"{world.name}.example.org"
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}}
    await world.send("POST", CRDS.path(), crd("widgets", group))
    await until_served(world.client, group, served=True)
    await world.deliver({APP: [config_map("c", {}), config_map("d", {}), widget]})
    await world.send("DELETE", CRDS.path("", f"widgets.{group}"), {})
    await until_served(world.client, group, served=False)
    done = await world.deliver({APP: [config_map("c", {}), widget]})
    assert done.of("d").note == "not pruned: another object's kind is not known now"
    assert await world.live(CONFIG_MAPS, "d") is not None
    await world.send("POST", CRDS.path(), crd("widgets", group))
    await until_served(world.client, group, served=True)
    done = await world.deliver({APP: [config_map("c", {}), widget]})
    assert done.action("d") is Action.DELETED
    assert await world.live(CONFIG_MAPS, "d") is None


async def test_an_object_of_a_version_that_is_not_served_is_not_pruned(world: World) -> None:
    await world.deliver({APP: [deployment("d"), config_map("c", {})]})
    wrong = {**deployment("d"), "apiVersion": "apps/v1beta9"}
    done = await world.deliver({APP: [wrong, config_map("c", {})]})
    assert isinstance(done.error("d"), UnknownKindError)
    assert not done.swept.changes
    assert await world.live(DEPLOYMENTS, "d") is not None


async def test_an_api_that_does_not_answer_fails_only_its_own_kinds_and_prunes_nothing(
    world: World,
) -> None:
    group = f"{world.name}.broken.example.org"
    await world.deliver({APP: [config_map("c", {}), config_map("d", {})]})
    service = {
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": f"v1.{group}"},
        "spec": {
            "group": group, "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 15,
            "insecureSkipTLSVerify": True, "service": {"name": "none", "namespace": world.name},
        },
    }  # fmt: skip
    await world.send("POST", API_SERVICES.path(), service)
    try:
        await _until_failing(world.client, group)
        lost = {"apiVersion": f"{group}/v1", "kind": "Metric", "metadata": {"name": "m"}}
        done = await world.deliver({APP: [config_map("c", {}), lost]})
        error = done.error("m")
        assert isinstance(error, UnknownKindError)
        assert "does not answer now" in error.what
        assert f"kubectl describe apiservice v1.{group}" in error.remedy
        assert done.action("c") is Action.UNCHANGED
        assert done.of("d").note == "not pruned: another object's kind is not known now"
    finally:
        await world.send("DELETE", API_SERVICES.path("", f"v1.{group}"), {})
    done = await world.deliver({APP: [config_map("c", {})]})
    assert done.action("d") is Action.DELETED


async def _until_failing(client: Client, group: str) -> None:
    for _ in range(1000):
        kinds = await client.kinds()
        if kinds.is_failing(group):
            return
    pytest.fail("the broken API never showed up in discovery")


async def test_legacy_discovery_sees_the_same_kinds(world: World) -> None:
    new = await world.client.kinds()
    old = await world.client._legacy_kinds()
    assert set(new.served) == set(old.served)
    assert {"secrets", "deployments", "customresourcedefinitions"} <= {
        one.plural for one in new.served
    }


async def test_an_api_server_that_does_not_run_is_unreachable() -> None:
    async with connect(Connection("https://127.0.0.1:9"), Limits(tries=1)) as client:
        with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9 cannot be reached"):
            await client.kinds()


async def test_a_value_is_neither_in_lists_nor_in_our_state(world: World) -> None:
    await world.deliver({APP: [secret("s", {"k": b"hunter2"})]})
    for kind in (CONFIG_MAPS, SECRETS):
        text = str(await world.client.list(kind, f"{world.name}-flux", ""))
        assert "hunter2" not in text
        assert "aHVudGVyMg" not in text


def _everything(error: FluxSecretError) -> str:
    """Give whatever a log could show of an error: chain, contexts and arguments."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    told = "".join(traceback.format_exception(error))
    return told + repr([vars(one) if hasattr(one, "__dict__") else one.args for one in chain])
