"""Who looks after Apps that left the settings file, and when nobody may."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from flux_secret.errors import HeldError, ObjectError, UnreachableError
from flux_secret.model.app import App, AppName, Removal
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey
from flux_secret.model.target import Source, Target
from flux_secret.reconcile.departures import Departures, Left

HELD = HeldError("the removal is held", remedy="--confirm cafe", token="cafe")
SOURCE = Source(GitUrl.parse("ssh://g@h/o"), "main")


def app(name: str, **more: object) -> App:
    target = Target(SOURCE, name, app=f"dev/{name}", service_account="dev:team")
    return App(AppName("dev", name), (target,), **more)  # type: ignore[arg-type]


@dataclass
class Lists:
    """What is listed, and what was retired."""

    retired: list[tuple[str, bool, str]] = field(default_factory=list)
    asked: list[Collection[str]] = field(default_factory=list)
    is_gone: bool = False
    stays: bool = False

    async def departed(self, known: Collection[str]) -> Sequence[tuple[str, HeldError]]:
        self.asked.append(known)
        if self.is_gone:
            raise UnreachableError("gone")
        return [("dev/a", HELD)] if "dev/a" not in known else []

    async def retire(self, app: str, *, prune: bool, account: str = "") -> ChangeSet:
        self.retired.append((app, prune, account))
        if self.stays:
            raise ObjectError("1 object could not be removed")
        return ChangeSet([Change(ObjectKey("", "Secret", "dev", "s"), Action.DELETED)])


def departures(
    lists: Lists,
    *,
    known: Collection[str] | None = (),
    leads: bool = True,
    left: Left | None = None,
) -> Departures:
    async def names() -> Collection[str] | None:
        return known

    return Departures(lists, names, lambda: leads, left or Left())


async def test_only_the_leader_looks_and_only_when_every_app_is_known() -> None:
    lists = Lists()
    assert await departures(lists, leads=False).confirmed(["cafe"]) == ()
    assert await departures(lists, known=None).confirmed(["cafe"]) == ()
    assert lists.asked == []
    lists.is_gone = True
    assert await departures(lists).confirmed(["cafe"]) == ()
    assert lists.retired == []


async def test_without_its_token_it_is_held_and_with_it_removed() -> None:
    lists = Lists()
    (held,) = await departures(lists).confirmed(["beef"])
    assert (held.exit_code, held.error) == (4, "the removal is held (--confirm cafe)")
    assert lists.retired == []
    (done,) = await departures(lists).confirmed(["cafe"])
    assert (done.exit_code, done.targets[0].removed) == (0, True)
    assert lists.retired == [("dev/a", True, "")]
    assert not await departures(lists, known=["dev/a"]).confirmed(["cafe"])


async def test_what_stays_is_told() -> None:
    (done,) = await departures(Lists(stays=True)).confirmed(["cafe"])
    assert "could not be removed" in done.error
    assert done.exit_code == ObjectError.exit_code


async def test_what_it_said_at_the_end_counts_until_it_comes_back() -> None:
    lists, left = Lists(), Left()
    assert left.note([app("a"), app("b")], [app("b")]) == [app("a")]
    await departures(lists, left=left).confirmed(["cafe"])
    assert lists.retired == [("dev/a", True, "dev:team")], "in the name of its account"
    left.note([app("a", removal=Removal.ORPHAN)], [])
    await departures(lists, left=left).confirmed([])
    assert lists.retired[1:] == [("dev/a", False, "dev:team")]
    left.note([], [app("a")])
    await departures(lists, left=left).confirmed([])
    assert len(lists.retired) == 2
