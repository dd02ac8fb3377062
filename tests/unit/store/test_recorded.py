"""No unrecorded read: what is given is on the record before, and what cannot be is not given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from flux_secret.errors import AccessError, EntryNotFoundError, RecordError
from flux_secret.model.delivery import Read
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import SecretPath, StoreName
from flux_secret.model.record import Kind, Note
from flux_secret.model.reference import Lookup, Part
from flux_secret.model.target import Source, Target
from flux_secret.store.crypto.age import AgeDecryptor
from flux_secret.store.crypto.ageidentities import Identities
from flux_secret.store.interface import Decryptors
from flux_secret.store.reader import PinnedStores
from flux_secret.store.recorded import Reads
from flux_secret.store.tree import StoreTree
from simulators.record import ListedRecord
from unit.store.test_reader import COMMIT, FakeCommit, FakeDecryptor

KEY = FakeDecryptor.key_ids[0]


def pinned(record: ListedRecord, files: Mapping[str, bytes]) -> tuple[PinnedStores, list[Read]]:
    apps = StoreName.parse("apps")
    target = Target(Source(GitUrl.parse("file:///ops"), "main"), "demo", frozenset({apps}))
    reads: list[Read] = []
    keys = Decryptors(FakeDecryptor(), AgeDecryptor(Identities()))
    trees = {apps: StoreTree(FakeCommit(files))}
    return PinnedStores(target, trees, keys, Reads(reads, record)), reads


def whole(name: str) -> Lookup:
    return Lookup(SecretPath.parse(name))


def abouts(notes: Sequence[Note]) -> list[tuple[str, str]]:
    return [(note.kind.value, note.about) for note in notes]


async def test_a_read_is_on_the_record_with_where_it_came_from_and_who_asked() -> None:
    record = ListedRecord()
    reader, _ = pinned(record, {"demo/db.gpg": b"ENC:pw\n"})
    await reader.read(whole("apps/demo/db"), "secret.yaml, line 3")
    assert record.notes == [
        Note(Kind.KEY, KEY, {"store": "apps", "reason": "it opened entries"}),
        Note(
            Kind.READ,
            "apps/demo/db",
            {
                "store": "apps",
                "commit": COMMIT,
                "blob": "demo/db.gpg",
                "reason": "secret.yaml, line 3",
            },
        ),
    ]
    assert "pw" not in repr(record.notes)


async def test_what_is_recorded_already_is_not_asked_twice_whatever_part_is_wanted() -> None:
    record = ListedRecord()
    reader, reads = pinned(record, {"a.gpg": b"ENC:x\nuser: u", "b.gpg": b"ENC:y"})
    await reader.read(whole("apps/a"))
    await reader.read(Lookup(SecretPath.parse("apps/a"), Part.PASSWORD))
    await reader.read(whole("apps/b"))
    kinds = [("key", KEY), ("read", "apps/a"), ("read", "apps/b")]
    assert abouts(record.notes) == kinds
    assert len(reads) == 3


async def test_a_read_that_cannot_be_recorded_gives_nothing_and_poisons_the_delivery() -> None:
    record = ListedRecord(full=True)
    reader, reads = pinned(record, {"a.gpg": b"ENC:x"})
    with pytest.raises(RecordError) as refused:
        await reader.read(whole("apps/a"))
    assert reader.refusal is refused.value
    assert reader.handed_out == ()
    assert [read.error for read in reads] == [refused.value]
    record.full = False
    await reader.read(
        whole("apps/a")
    )  # a script asks again: it is answered, and poisoned all the same
    assert abouts(record.notes) == [("key", KEY), ("read", "apps/a")]
    assert reader.refusal is refused.value


async def test_a_refused_read_is_on_the_record_with_the_reason() -> None:
    record = ListedRecord()
    reader, _ = pinned(record, {"a.gpg": b"ENC:x", "b.gpg": b"broken"})
    with pytest.raises(EntryNotFoundError) as missing:
        await reader.read(whole("apps/c"), "a script")
    with pytest.raises(AccessError):
        await reader.read(whole("apps/b"))
    with pytest.raises(AccessError):
        await reader.read(whole("other/x"))
    assert abouts(record.notes) == [
        ("refused", "apps/c"),
        ("refused", "apps/b"),
        ("refused", "other/x"),
    ]
    said = record.notes[0].details
    assert (said["error"], said["reason"]) == (missing.value.what, "a script")
    assert [note.details["blob"] for note in record.notes] == ["", "b.gpg", ""]


async def test_a_refusal_that_cannot_be_recorded_is_a_refusal_still() -> None:
    reader, _ = pinned(ListedRecord(full=True), {})
    with pytest.raises(RecordError):
        await reader.read(whole("apps/c"))
    assert isinstance(reader.refusal, EntryNotFoundError)


async def test_a_thousand_foreseen_reads_are_one_write() -> None:
    record = ListedRecord()
    names = [f"e{number}" for number in range(1000)]
    reader, reads = pinned(record, {f"{name}.gpg": b"ENC:v" for name in names})
    await reader.foresee([(whole(f"apps/{name}"), f"line {name}") for name in names])
    assert record.writes == 1
    assert reads == []
    assert reader.handed_out == ()
    for name in names:
        await reader.read(whole(f"apps/{name}"))
    assert record.writes == 1
    assert [note.about for note in record.of(Kind.READ)] == [f"apps/{name}" for name in names]
    assert len(reads) == 1000


async def test_what_is_foreseen_and_cannot_be_read_is_recorded_when_it_is_asked() -> None:
    record = ListedRecord()
    reader, _ = pinned(record, {"a.gpg": b"ENC:x", "b.gpg": b"broken"})
    await reader.foresee([(whole("apps/b"), ""), (whole("apps/c"), ""), (whole("apps/a"), "")])
    assert abouts(record.notes) == [("key", KEY), ("read", "apps/a")]
    assert reader.refusal is None
    with pytest.raises(AccessError):
        await reader.read(whole("apps/b"))
    assert abouts(record.notes[2:]) == [("refused", "apps/b")]


async def test_nothing_foreseen_writes_nothing() -> None:
    record = ListedRecord()
    reader, _ = pinned(record, {})
    await reader.foresee([])
    assert record.writes == 0


async def test_what_is_foreseen_and_cannot_be_recorded_poisons_the_delivery() -> None:
    reader, _ = pinned(ListedRecord(full=True), {"a.gpg": b"ENC:x"})
    with pytest.raises(RecordError) as refused:
        await reader.foresee([(whole("apps/a"), "")])
    assert reader.refusal is refused.value
