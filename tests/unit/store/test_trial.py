"""One entry of a store is tried: one that is meant for us where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from flux_secret.errors import AccessError, DecryptError, EmptyValueError, FluxSecretError
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup, Part
from flux_secret.store import trial as module
from flux_secret.store.crypto.packets import HIDDEN
from flux_secret.store.trial import Trial, trial

OURS, THEIRS = "AAAA", "BBBB"


@dataclass
class FakeReader:
    """Entries and the keys that each is encrypted to; None where its link is broken."""

    of: Mapping[str, Sequence[str] | None]
    failure: FluxSecretError | None = None
    read_: list[Lookup] = field(default_factory=list)

    async def entries(self, prefix: str) -> Sequence[SecretPath]:
        assert prefix == ""
        return [SecretPath.parse(name) for name in self.of]

    def recipients(self, path: SecretPath) -> Sequence[str]:
        found = self.of[str(path)]
        if found is None:
            raise AccessError("the link leads in circles")
        return found

    async def read(self, lookup: Lookup, reason: str = "") -> Plaintext:
        del reason
        self.read_.append(lookup)
        if self.failure:
            raise self.failure
        return Plaintext(b"hunter2")


def path(name: str) -> SecretPath:
    return SecretPath.parse(name)


async def test_the_first_entry_that_is_meant_for_us_is_tried() -> None:
    reader = FakeReader({"a/x": [THEIRS], "a/y": None, "a/z": [THEIRS, OURS], "b": [OURS]})
    found = await trial(reader, {OURS, "CCCC"})
    assert found == Trial(4, 4, path("a/z"), [OURS], [path("a/x"), path("a/y")])
    assert reader.read_ == [Lookup(path("a/z"), Part.RAW)]
    assert "hunter2" not in repr(found)


async def test_a_hidden_recipient_may_be_us() -> None:
    found = await trial(FakeReader({"a": [HIDDEN], "b": [OURS]}), {OURS})
    assert (found.opened, found.keys, found.others) == (path("a"), [], [])


async def test_where_none_is_meant_for_us_the_first_says_why_it_does_not_open() -> None:
    reader = FakeReader({"a": [THEIRS], "b": [THEIRS]}, DecryptError("it is not encrypted to us"))
    with pytest.raises(DecryptError):
        await trial(reader, {OURS})
    assert reader.read_ == [Lookup(path("a"), Part.RAW)]


async def test_an_empty_store_has_nothing_to_try_and_an_empty_entry_opens() -> None:
    assert await trial(FakeReader({}), {OURS}) == Trial(0)
    found = await trial(FakeReader({"a": [OURS]}, EmptyValueError("empty")), {OURS})
    assert found.opened == path("a")


async def test_a_large_store_is_not_looked_at_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENTRIES", 2)
    found = await trial(FakeReader({"a": [THEIRS], "b": [OURS], "c": [OURS]}), {OURS})
    assert (found.entries, found.looked_at, found.opened) == (3, 2, path("b"))
