"""What is asked of all lists from another process is answered as if it was asked here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from flux_secret.apply.inventory import Entry, Inventory, TargetId
from flux_secret.apply.lists import AskedLists, answered
from flux_secret.errors import BugError, FluxSecretError, UnreachableError
from flux_secret.model.names import ObjectKey
from flux_secret.outside.workers.messages import packed, unpacked

KEY = ObjectKey("", "Secret", "demo", "s")
ENTRY = Entry(KEY, "uid", digest="d")
MINE, THEIRS = TargetId("url", "main", "mine"), TargetId("url", "main", "theirs")


@dataclass
class Lists:
    """Notes what it is asked."""

    asked: list[object] = field(default_factory=list)
    failure: FluxSecretError | None = None

    def _note(self, *asked: object) -> None:
        self.asked.append(asked)
        if self.failure is not None:
            raise self.failure

    async def others(
        self, target: TargetId, keys: Iterable[ObjectKey]
    ) -> Mapping[ObjectKey, TargetId]:
        self._note("others", target, frozenset(keys))
        return {KEY: THEIRS}

    async def reserve(
        self, target: TargetId, keys: Iterable[ObjectKey]
    ) -> Mapping[ObjectKey, TargetId]:
        self._note("reserve", target, frozenset(keys))
        return {}

    async def write(
        self, inventory: Inventory, entries: Mapping[ObjectKey, Entry], revision: str
    ) -> Inventory:
        self._note("write", inventory, entries, revision)
        return replace(inventory, entries=entries, revision=revision)

    async def claim(
        self, inventory: Inventory, entries: Mapping[ObjectKey, Entry], revision: str
    ) -> Inventory:
        self._note("claim", inventory, entries, revision)
        return replace(inventory, entries=entries, revision=revision)

    async def check(self, inventory: Inventory, touched: ObjectKey | None = None) -> None:
        self._note("check", inventory, touched)


def asked_of(lists: Lists) -> AskedLists:
    async def ask(question: object) -> Any:  # noqa: ANN401 -- as an `Ask` does
        return unpacked(packed(await answered(lists, unpacked(packed(question)))))

    return AskedLists(ask)


async def test_each_question_and_its_answer_cross_as_they_are() -> None:
    lists = Lists()
    asked, inventory = asked_of(lists), Inventory(MINE, "flux")
    written = replace(inventory, entries={KEY: ENTRY}, revision="r")
    assert await asked.others(MINE, [KEY]) == {KEY: THEIRS}
    assert await asked.reserve(MINE, [KEY]) == {}
    assert await asked.write(inventory, {KEY: ENTRY}, "r") == written
    assert await asked.claim(inventory, {KEY: ENTRY}, "r") == written
    await asked.check(inventory, KEY)
    assert lists.asked == [
        ("others", MINE, frozenset({KEY})),
        ("reserve", MINE, frozenset({KEY})),
        ("write", inventory, {KEY: ENTRY}, "r"),
        ("claim", inventory, {KEY: ENTRY}, "r"),
        ("check", inventory, KEY),
    ]


async def test_a_list_that_is_the_old_one_is_not_asked_to_be_written() -> None:
    lists, inventory = Lists(), Inventory(MINE, "flux", {KEY: ENTRY})
    assert await asked_of(lists).write(inventory, {KEY: ENTRY}, "r") is inventory
    assert lists.asked == []


async def test_what_answering_raises_is_raised() -> None:
    lists = Lists(failure=UnreachableError("another flux-secret wrote it"))
    with pytest.raises(UnreachableError, match="another"):
        await asked_of(lists).claim(Inventory(MINE, "flux"), {}, "r")


async def test_what_is_no_question_is_a_bug() -> None:
    with pytest.raises(BugError, match="nobody answers ObjectKey"):
        await answered(Lists(), KEY)
