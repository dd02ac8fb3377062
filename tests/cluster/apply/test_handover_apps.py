"""An object moves between Apps, each delivered in rounds of its own, by one replica or two."""

from __future__ import annotations

import pytest

from cluster.apply.account import BINDINGS, RBAC, ROLES
from cluster.apply.world import CONFIG_MAPS, SECRETS, World, config_map, secret
from flux_secret.apply.applier import ClusterApplier
from flux_secret.errors import NotOursError
from flux_secret.model.change import Action

SECONDS = 30.0
OLD, NEW = "@old", "@new"
MOVED = secret("s", {"k": b"v"})
STAYS, ALSO = config_map("c", {}), config_map("d", {})


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def replica(world: World, clock: Clock) -> ClusterApplier:
    applier = world.new_applier(handover_seconds=SECONDS)
    applier._known.clock = clock
    return applier


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("first", [OLD, NEW])
async def test_whoever_is_delivered_first_an_object_that_moves_is_never_deleted(
    world: World, replicas: int, first: str
) -> None:
    clock = Clock()
    one = replica(world, clock)
    other = one if replicas == 1 else replica(world, clock)
    await world.deliver({OLD: [MOVED, STAYS]}, applier=one)
    await world.deliver({NEW: [ALSO]}, applier=other)
    uid = (await world.must(SECRETS, "s")).uid
    if first == NEW:
        done = await world.deliver({NEW: [ALSO, MOVED]}, applier=other)
        assert isinstance(done.error("s"), NotOursError)
        assert "handed over once the other is delivered without it" in done.error("s").remedy
    done = await world.deliver({OLD: [STAYS]}, applier=one)
    assert done.action("s") is Action.SKIPPED
    assert 0 < done.of("s").again_seconds <= SECONDS
    clock.at += 12
    done = await world.deliver({NEW: [ALSO, MOVED]}, applier=other)
    assert not done.swept.failed, done.lines
    assert done.of("s").note == f"handed over by App {world.name}/old"
    clock.at += 60
    for _ in range(2):
        done = await world.deliver({OLD: [STAYS]}, applier=one)
        assert [change.key.name for change in done.changes] == ["c"]
        done = await world.deliver({NEW: [ALSO, MOVED]}, applier=other)
        assert {change.action for change in done.changes} == {Action.UNCHANGED}
    assert (await world.must(SECRETS, "s")).uid == uid
    assert await world.values("s") == {"k": b"v"}


async def test_what_nobody_takes_is_removed_when_the_time_is_over(world: World) -> None:
    clock = Clock()
    one = replica(world, clock)
    await world.deliver({OLD: [MOVED, STAYS]}, applier=one)
    await world.deliver({OLD: [STAYS]}, applier=one)
    clock.at += SECONDS - 1
    done = await world.deliver({OLD: [STAYS]}, applier=one)
    assert done.of("s").again_seconds == 1.0
    clock.at += 1
    done = await world.deliver({OLD: [STAYS]}, applier=one)
    assert done.action("s") is Action.DELETED
    assert await world.live(SECRETS, "s") is None


async def test_who_starts_anew_waits_anew(world: World) -> None:
    clock = Clock()
    one = replica(world, clock)
    await world.deliver({OLD: [MOVED, STAYS]}, applier=one)
    await world.deliver({OLD: [STAYS]}, applier=one)
    clock.at += SECONDS + 1
    done = await world.deliver({OLD: [STAYS]}, applier=replica(world, clock))
    assert done.of("s").again_seconds == SECONDS


async def test_what_is_wanted_again_leaves_no_more_and_is_nobody_elses(world: World) -> None:
    clock = Clock()
    one, other = replica(world, clock), replica(world, clock)
    await world.deliver({OLD: [MOVED, STAYS]}, applier=one)
    await world.deliver({OLD: [STAYS]}, applier=one)
    await world.deliver({OLD: [MOVED, STAYS]}, applier=one)
    done = await world.deliver({NEW: [ALSO, MOVED]}, applier=other)
    assert isinstance(done.error("s"), NotOursError)
    clock.at += SECONDS + 1
    done = await world.deliver({OLD: [STAYS]}, applier=one)
    assert done.of("s").again_seconds == SECONDS, "it is announced anew"


async def test_without_pruning_it_stays_and_may_be_taken_over(world: World) -> None:
    clock = Clock()
    one, other = replica(world, clock), replica(world, clock)
    await world.deliver({OLD: [MOVED, STAYS]}, applier=one, prune=False)
    done = await world.deliver({OLD: [STAYS]}, applier=one, prune=False)
    assert done.of("s").again_seconds == 0
    clock.at += 1000
    await world.deliver({OLD: [STAYS]}, applier=one, prune=False)
    done = await world.deliver({NEW: [ALSO, MOVED]}, applier=other)
    assert done.of("s").note.startswith("handed over by")


async def test_an_app_that_acts_for_another_account_takes_nothing_over(world: World) -> None:
    clock = Clock()
    one, other = replica(world, clock), replica(world, clock)
    await let_default_deliver(world)
    world.accounts = {NEW: f"{world.name}:default"}
    await world.deliver({OLD: [MOVED, STAYS]}, applier=one)
    await world.deliver({OLD: [STAYS]}, applier=one)
    done = await world.deliver({NEW: [ALSO, MOVED]}, applier=other)
    assert isinstance(done.error("s"), NotOursError)
    assert await world.live(CONFIG_MAPS, "d") is not None, "else it could do nothing at all"
    world.accounts = {NEW: f"{world.name}:default", OLD: f"{world.name}:default"}
    await world.deliver({OLD: [STAYS]}, applier=one)
    done = await world.deliver({NEW: [ALSO, MOVED]}, applier=other)
    assert done.of("s").note.startswith("handed over by")


async def let_default_deliver(world: World) -> None:
    """Let the namespace's own account deliver what is delivered here."""
    verbs = ["get", "list", "create", "patch", "delete"]
    rule = {"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": verbs}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": world.name}
    ref = {"apiGroup": RBAC, "kind": "Role", "name": "apps"}
    await world.send(
        "POST", ROLES.path(world.name), {"metadata": {"name": "apps"}, "rules": [rule]}
    )
    binding = {"metadata": {"name": "apps"}, "roleRef": ref, "subjects": [subject]}
    await world.send("POST", BINDINGS.path(world.name), binding)
