from __future__ import annotations

from cluster.apply.world import SECRETS, World, config_map, secret
from flux_secret.errors import HeldError
from flux_secret.model.change import Action

APP = "demo"
NEW_COMMIT = "b" * 40


async def test_a_key_that_would_become_empty_is_held(world: World) -> None:
    await world.deliver({APP: [secret("s", {"k": b"good"}), config_map("c", {"a": "1"})]})
    before = await world.must(SECRETS, "s")
    emptied = {APP: [secret("s", {"k": b""}), config_map("c", {"a": "2"})]}
    for _ in range(2):
        done = await world.deliver(emptied, commit=NEW_COMMIT)
        error = done.error("s")
        assert isinstance(error, HeldError)
        assert done.deliveries[0].exit_code == 4
        assert f"secret/s in {world.name}" in error.what
        assert "k would become empty" in error.what
        assert NEW_COMMIT[:12] in error.what
        assert f"--confirm {error.token}" in error.remedy
        assert await world.must(SECRETS, "s") == before
    assert await world.values("s") == {"k": b"good"}
    assert done.action("c") is Action.UNCHANGED  # the first pass configured it


async def test_a_key_that_would_vanish_is_held(world: World) -> None:
    await world.deliver({APP: [secret("s", {"k": b"good", "l": b"x"})]})
    before = await world.must(SECRETS, "s")
    done = await world.deliver({APP: [secret("s", {"l": b"y"})]})
    assert "k would vanish" in done.error("s").what
    assert await world.must(SECRETS, "s") == before
    done = await world.deliver({APP: [secret("s", {})]})
    assert "k would vanish, l would vanish" in done.error("s").what
    assert await world.must(SECRETS, "s") == before


async def test_a_confirmation_lets_through_one_revision_and_one_list(world: World) -> None:
    await world.deliver({APP: [secret("s", {"k": b"good"}), secret("t", {"k": b"good"})]})
    emptied = {APP: [secret("s", {"k": b""}), secret("t", {"k": b"good"})]}
    done = await world.deliver(emptied, commit=NEW_COMMIT)
    error = done.error("s")
    assert isinstance(error, HeldError)
    world.new_applier(confirmations=frozenset({error.token}))

    done = await world.deliver(emptied)  # another revision
    assert isinstance(done.error("s"), HeldError)
    both = {APP: [secret("s", {"k": b""}), secret("t", {"k": b""})]}
    done = await world.deliver(both, commit=NEW_COMMIT)  # another list
    assert isinstance(done.error("s"), HeldError)
    assert await world.values("s") == {"k": b"good"}

    done = await world.deliver(emptied, commit=NEW_COMMIT)
    assert done.action("s") is Action.CONFIGURED
    assert await world.values("s") == {"k": b""}


async def test_a_key_that_somebody_else_owns_too_does_not_vanish_and_is_not_held(
    world: World,
) -> None:
    await world.deliver({APP: [secret("s", {"k": b"good", "l": b"x"})]})
    await world.edit(SECRETS, "s", {"data": {"other": "eA=="}})
    done = await world.deliver({APP: [secret("s", {"k": b"new", "l": b"x"})]})
    assert done.action("s") is Action.CONFIGURED
    assert set(await world.values("s")) == {"k", "l", "other"}


async def test_adding_and_changing_keys_is_not_held(world: World) -> None:
    await world.deliver({APP: [secret("s", {"k": b"good"})]})
    done = await world.deliver({APP: [secret("s", {"k": b"better", "new": b"", "x": b"y"})]})
    assert done.action("s") is Action.CONFIGURED
    assert await world.values("s") == {"k": b"better", "new": b"", "x": b"y"}
