"""What is delivered of a branch, how far it was, and that the marker stops no delivery."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from flux_secret.errors import AccessError, IntegrityError, UnreachableError
from flux_secret.model.giturl import GitUrl
from flux_secret.model.sync import Sync, Verification
from flux_secret.model.target import Generation, Source, Target
from flux_secret.source import branch as module
from flux_secret.source.branch import FOREIGN, Branch, Pin, watched
from unit.source.fakes import World

SOURCE = Source(GitUrl.parse("file:///ops"), "main")


def follow(
    world: World,
    verification: Verification = Verification.NONE,
    *,
    moves: bool = True,
    paths: Sequence[str] = (),
) -> Branch:
    return Branch(SOURCE, world, world, verification, marker=world, moves=moves, paths=tuple(paths))


async def sync(branch: Branch, *, delivered: bool = True) -> Sync:
    return await branch.finish(await branch.pin(), delivered=delivered)


def messages(pin: Pin | Sync) -> list[str]:
    return [commit.revision for commit in pin.commits]


async def test_a_first_sync_is_initial_and_sets_the_marker() -> None:
    world = World()
    done = await sync(follow(world))
    assert done.initial
    assert messages(done) == ["3", "2", "1"]
    assert world.moves == ["3"]
    assert done.marker == "3"
    assert done.notes == ()


async def test_what_is_new_is_what_came_after_the_marker() -> None:
    world = World(marker="1")
    done = await sync(follow(world))
    assert done.since is not None
    assert done.since == "1"
    assert messages(done) == ["3", "2"]
    assert world.marker == "3"


async def test_a_marker_that_stands_right_is_not_written() -> None:
    world = World(marker="3")
    branch = follow(world)
    assert messages(await sync(branch)) == []
    assert world.moves == []
    world.line.append("4")
    assert messages(await sync(branch)) == ["4"]
    assert world.moves == ["4"]


async def test_a_marker_stays_while_a_target_is_not_delivered() -> None:
    world = World(marker="1")
    branch = follow(world)
    done = await sync(branch, delivered=False)
    assert (world.moves, done.marker) == ([], "1")
    assert messages(await sync(branch)) == ["3", "2"]


async def test_a_marker_that_names_an_unknown_revision_is_an_initial_sync_and_mended() -> None:
    """Flux v1 delivered nothing until somebody cleared the annotation (#3120)."""
    world = World(marker="gone")
    done = await sync(follow(world))
    assert done.initial
    assert done.notes == (
        "the sync tag flux-sync names gone, which is no commit of the repository: initial sync",
    )
    assert world.marker == "3"


async def test_a_foreign_move_is_said_once_and_repaired_each_time() -> None:
    world = World(marker="3")
    branch = follow(world)
    await sync(branch)
    for times in (1, 2):
        world.marker = "1"
        done = await sync(branch)
        assert world.marker == "3"
        assert len([note for note in done.notes if FOREIGN in note]) == (times == 1)
        assert messages(done) == [], "no commit is reported twice"


async def test_a_marker_that_was_removed_is_set_again() -> None:
    world = World()
    branch = follow(world)
    await sync(branch)
    world.lose_marker()
    done = await sync(branch)
    assert world.marker == "3"
    assert done.since is not None


async def test_a_marker_that_cannot_be_moved_is_a_warning_with_a_remedy() -> None:
    world = World(marker="1", immovable=AccessError("the host lets nobody push", remedy="ask"))
    branch = follow(world)
    done = await sync(branch)
    assert isinstance(done.error, AccessError)
    assert "--git-readonly" in done.error.remedy
    assert done.marker == "1"
    assert messages(done) == ["3", "2"]
    again = await sync(branch)
    assert messages(again) == [], "no commit is reported twice"
    world.immovable = None
    assert (await sync(branch)).marker == "3"


async def test_a_marker_that_cannot_be_read_stops_no_delivery() -> None:
    world = World(marker="1", unreadable=UnreachableError("no answer"))
    branch = follow(world)
    pin = await branch.pin()
    assert pin.commit == "3"
    assert (await branch.finish(pin, delivered=True)).error is not None
    assert world.moves == []
    world.unreadable = None
    done = await sync(branch)
    assert (done.error, world.marker) == (None, "3")


async def test_a_history_that_cannot_be_listed_stops_no_delivery() -> None:
    done = await sync(follow(World(unlisted=UnreachableError("git log failed"))))
    assert (done.commit, done.commits) == ("3", ())


async def test_a_command_that_delivers_once_moves_nothing() -> None:
    world = World(marker="1")
    await sync(follow(world, moves=False))
    assert world.moves == []


async def test_a_long_history_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_COMMITS", 2)
    done = await sync(follow(World()))
    assert messages(done) == ["3", "2"]
    assert done.more


async def test_a_rewritten_branch_is_delivered_and_said_once() -> None:
    world = World(others={"old"}, before="old")
    branch = follow(world)
    pin = await branch.pin()
    assert pin.commit == "3"
    assert pin.notes == (
        "branch main was rewritten: old is no longer in it; its newest commit 3 counts",
    )
    assert (await branch.pin()).notes == ()


async def test_an_outage_is_said_and_no_push_is_tried() -> None:
    world = World(outage="from the last good copy (3), because nobody answers")
    branch = follow(world)
    pin = await branch.pin()
    assert pin.notes == ("delivered from the last good copy (3), because nobody answers",)
    await branch.finish(pin, delivered=True)
    assert world.moves == []


async def test_an_unsigned_commit_is_not_delivered_and_named() -> None:
    world = World(marker="1", bad={"3"})
    branch = follow(world, Verification.ALL)
    pin = await branch.pin()
    assert (pin.commit, pin.head) == ("2", "3")
    (note,) = pin.notes
    assert note == (
        "found invalid GPG signature for commit 3 (it is not signed); delivered 2, which comes "
        "before it, and not 3"
    )
    await branch.finish(pin, delivered=True)
    assert world.marker == "2"


async def test_nothing_is_delivered_when_the_first_commit_of_all_is_unsigned() -> None:
    with pytest.raises(IntegrityError, match="found invalid GPG signature for commit 1") as raised:
        await follow(World(bad={"1"}), Verification.ALL).pin()
    assert "sync marker" in raised.value.remedy


async def test_a_marker_on_another_branch_is_no_state_to_fall_back_to() -> None:
    world = World(marker="old", others={"old"}, bad={"1"})
    with pytest.raises(IntegrityError):
        await follow(world, Verification.ALL).pin()


@pytest.mark.parametrize("what", ["tag", "commit"])
async def test_an_unsigned_marker_stops_a_verified_delivery_until_it_is_mended(what: str) -> None:
    world = World(marker="1")
    if what == "tag":
        world.marker_is_signed = False
    else:
        world.bad = {"1"}
    branch = follow(world, Verification.ALL)
    for _ in range(2):
        with pytest.raises(IntegrityError):
            await branch.pin()
    world.marker_is_signed, world.bad = True, set()
    assert (await branch.pin()).commit == "3"


async def test_a_foreign_marker_cannot_hide_an_unsigned_commit() -> None:
    """Whoever can push a tag moves it beyond their unsigned commit: what we know counts."""
    world = World(marker="2")
    branch = follow(world, Verification.ALL)
    await sync(branch)
    world.line += ["evil", "5"]
    world.bad, world.marker = {"evil"}, "5"
    pin = await branch.pin()
    assert pin.commit == "3"


def target(path: str, *, generates: bool = False) -> Target:
    return Target(SOURCE, path, generation=Generation(enabled=generates))


@pytest.mark.parametrize(
    ("targets", "paths"),
    [
        ([target("a"), target("b")], ("a", "b")),
        ([target("a"), target("b", generates=True)], ()),
        ([target("a"), target("")], ()),
    ],
)
def test_with_a_generator_the_whole_repository_counts(
    targets: Sequence[Target], paths: tuple[str, ...]
) -> None:
    assert watched(targets) == paths


async def test_only_commits_that_touch_a_path_are_listed() -> None:
    world = World()
    await sync(follow(world, paths=["a"]))
    assert world.asked == [("a",)]
