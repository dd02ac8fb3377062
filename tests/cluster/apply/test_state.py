"""Our own key in the agent's namespace."""

from __future__ import annotations

import asyncio
import base64

import pytest

from cluster.apply.world import SECRETS, World, config_map
from flux_secret.apply.digest import OBJECTS
from flux_secret.apply.state import STATE_SECRET, digest_key
from flux_secret.errors import IntegrityError
from flux_secret.model.change import Action
from flux_secret.model.plaintext import Plaintext

APP = "demo"


async def test_replicas_that_start_together_share_one_key(world: World) -> None:
    making = (digest_key(world.client, f"{world.name}-flux") for _ in range(5))
    keys = await asyncio.gather(*making)
    digests = {key.digest(OBJECTS, "x", Plaintext(b"v")) for key in keys}
    assert len(digests) == 1


@pytest.mark.parametrize("value", [b"", b"short", b"x" * 33])
async def test_a_key_that_is_none_stops_us(world: World, value: bytes) -> None:
    await world.deliver({APP: [config_map("c", {})]})
    path = SECRETS.path(f"{world.name}-flux", STATE_SECRET)
    data = {"data": {"digest-key": base64.b64encode(value).decode()}}
    await world.send("PATCH", path, data, content_type="application/merge-patch+json")
    world.new_applier()
    done = await world.deliver({APP: [config_map("c", {"a": "b"})]})
    assert isinstance(done.deliveries[0].error, IntegrityError)
    assert done.deliveries[0].exit_code == 6


async def test_another_key_changes_no_object(world: World) -> None:
    """Rotating it compares everything anew and causes no rollout (design decision 7)."""
    await world.deliver({APP: [config_map("c", {"a": "b"})]})
    await world.send("DELETE", SECRETS.path(f"{world.name}-flux", STATE_SECRET), {})
    world.new_applier()
    done = await world.deliver({APP: [config_map("c", {"a": "b"})]})
    assert done.action("c") is Action.UNCHANGED
    assert (await world.deliver({APP: [config_map("c", {"a": "b"})]})).traffic.writes == 0
