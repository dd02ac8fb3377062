"""What is removed in which order, and what a definition that comes and goes does to a removal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cluster.apply.world import (
    CRDS,
    World,
    config_map,
    crd,
    deployment,
    namespace,
    secret,
    until_served,
)
from flux_secret.errors import HeldError
from flux_secret.model.change import Action
from flux_secret.outside.kubernetes import Client, Preconditions, ServedKind

APP = "demo"
LABEL = "applyset.kubernetes.io/part-of"


def account(name: str, **metadata: object) -> Mapping[str, Any]:
    return {
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, **metadata},
    }  # fmt: skip


async def test_objects_go_in_the_reverse_of_the_order_in_which_they_came(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = f"{world.name}-b"
    objects = [
        secret("s", {"k": b"v"}, namespace=inner), deployment("d", namespace=inner),
        account("a", namespace=inner),
        namespace(inner), config_map("stays", {}),
    ]  # fmt: skip
    made = await world.deliver({APP: objects})
    came = [change.key.kind for change in made.changes if change.key.name != "stays"]
    assert came == ["Namespace", "ServiceAccount", "Secret", "Deployment"]

    going, whole = [], Client.delete

    async def seen(
        self: Client, kind: ServedKind, where: str, name: str, only: Preconditions
    ) -> None:
        going.append(kind.kind)
        await whole(self, kind, where, name, only)

    monkeypatch.setattr(Client, "delete", seen)
    held = (await world.deliver({APP: objects[-1:]})).swept.failed[0].error
    assert isinstance(held, HeldError)
    assert going == []
    world.new_applier(confirmations=frozenset({held.token}))
    done = await world.deliver({APP: objects[-1:]})
    assert going == came[::-1]
    assert [change.action for change in done.swept] == [Action.DELETED] * 4


async def test_a_definition_that_was_made_anew_removes_nothing_of_others(world: World) -> None:
    """Its objects went with the old one; what stands under their names now is somebody else's."""
    group = f"{world.name}.example.org"
    kind = ServedKind(group, "v1", "Widget", "widgets", namespaced=True)
    widgets = [
        {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": name}}
        for name in ("restored", "gone")
    ]
    await world.send("POST", CRDS.path(), crd("widgets", group))
    await until_served(world.client, group, served=True)
    await world.deliver({APP: [config_map("c", {}), *widgets]})
    label = (await world.must(kind, "restored")).labels[LABEL]
    await world.send("DELETE", CRDS.path("", f"widgets.{group}"), {})
    await until_served(world.client, group, served=False)
    # git loses them in the very round in which nobody knows their kind
    done = await world.deliver({APP: [config_map("c", {})]})
    assert {str(change) for change in done.swept} == {
        f"widget.{group}/{name} skipped (not pruned: its kind is not served now)"
        for name in ("restored", "gone")
    }
    await world.send("POST", CRDS.path(), crd("widgets", group))
    await until_served(world.client, group, served=True)
    await world.make(
        kind, {**widgets[0], "metadata": {"name": "restored", "labels": {LABEL: label}}}
    )
    done = await world.deliver({APP: [config_map("c", {})]})
    (change,) = done.swept
    assert change.key.name == "restored"
    assert change.note == "not pruned: it was replaced by another object of that name"
    assert await world.live(kind, "restored") is not None
    ((_, found),) = (await world.inventories()).items()
    assert "Widget" not in found["data"]["inventory.json"]
