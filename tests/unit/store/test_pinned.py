"""Stores that one process pins and another opens: the same answers, the same notes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flux_secret.model.delivery import Read, StoreRevision
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.target import Source, Target
from flux_secret.outside.objects import DamagedRepositoryError
from flux_secret.outside.workers.messages import packed, unpacked
from flux_secret.store.crypto.age import AgeDecryptor
from flux_secret.store.crypto.ageidentities import Identities
from flux_secret.store.interface import Decryptors
from flux_secret.store.pinned import OpenedPins
from flux_secret.store.stores import Mirrors, Stores
from unit.store.test_reader import APPS, COMMIT, FakeCommit, FakeDecryptor, whole

TARGET = Target(Source(GitUrl.parse("file:///ops"), "main"), "demo", frozenset({APPS}))
PLACE = Path("/mirrors/apps.git")
DECRYPTORS = Decryptors(FakeDecryptor(), AgeDecryptor(Identities()))


@dataclass
class Mirror:
    """A mirror whose host does not answer."""

    path: Path = PLACE
    commit: str = COMMIT
    outage: str = "from the last good copy"
    condemned: int = 0

    async def fetch(self, _branch: str | None) -> Mirror:
        return self

    def condemn(self) -> None:
        self.condemned += 1


@dataclass
class Places:
    """The bare repositories."""

    opened: list[tuple[Path, str]] = field(default_factory=list)

    def open(self, repository: Path, commit: str) -> FakeCommit:
        self.opened.append((repository, commit))
        return FakeCommit({"demo/db.gpg": b"ENC:pw\n"})


async def test_what_is_pinned_here_is_opened_elsewhere_and_answers_the_same() -> None:
    places, mirror = Places(), Mirror()
    stores = Stores(Mirrors(lambda _name: mirror), places.open, DECRYPTORS)
    async with stores.pins(TARGET) as pins:
        there = Places()
        opened = OpenedPins(unpacked(packed(pins)), there.open, DECRYPTORS)
        reads: list[Read] = []
        async with opened.reader(TARGET, reads) as reader:
            assert (await reader.read(whole("apps/demo/db"))).reveal() == b"pw\n"
            assert reader.revisions == pins.revisions == {APPS: StoreRevision(COMMIT)}
            assert list(reader.notes) == ["store apps is read from the last good copy"]
    assert there.opened == [(PLACE, COMMIT)]
    assert [(read.store, read.commit, read.blob) for read in reads] == [
        (APPS, COMMIT, "demo/db.gpg")
    ]
    assert mirror.condemned == 0


async def test_a_store_that_a_target_may_not_read_is_not_pinned_for_it() -> None:
    mirrors = {APPS: Mirror(), StoreName("other"): Mirror()}
    stores = Stores(Mirrors(mirrors.__getitem__), Places().open, DECRYPTORS)
    async with stores.pins(TARGET) as pins:
        assert list(pins.stores) == [APPS]


async def test_damage_that_is_found_elsewhere_condemns_the_mirror() -> None:
    mirror = Mirror()
    stores = Stores(Mirrors(lambda _name: mirror), Places().open, DECRYPTORS)
    with pytest.raises(DamagedRepositoryError):
        async with stores.pins(TARGET):
            raise DamagedRepositoryError("object abc is missing")  # as its worker said
    assert mirror.condemned == 1
