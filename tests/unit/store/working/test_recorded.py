"""What is decrypted for a person is on their record before: entry, store, blob and commit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flux_secret.errors import DecryptError, EntryNotFoundError, RecordError
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.record import Detail, Note
from flux_secret.outside.workfolder import WorkFolder
from flux_secret.store.interface import Layout
from flux_secret.store.tree import GPG
from flux_secret.store.working.recorded import MAX_VERSIONS, Sealed, notes
from flux_secret.store.working.store import WorkingStore

HEAD = "c" * 40
NO_OTHER: Mapping[str, Sequence[str]] = {"entries": []}


@dataclass
class Events:
    """A recorder and a person's keys, and what they did in which order."""

    done: list[str] = field(default_factory=list)
    written: list[Note] = field(default_factory=list)
    fails: bool = False
    layout: Layout = GPG

    async def write(self, notes: Sequence[Note]) -> None:
        """Note it, or refuse."""
        if self.fails:
            raise RecordError("the disk is full")
        self.done += [f"record {note.about}" for note in notes]
        self.written += notes

    async def decrypt_all(self, messages: Sequence[bytes]) -> list[Plaintext | DecryptError]:
        """Give the same back."""
        self.done += [f"decrypt {message.decode()}" for message in messages]
        return [Plaintext(message) for message in messages]


@dataclass
class Clone:
    """A repository whose commit has these files."""

    files: Mapping[str, bytes]

    async def head(self) -> str:
        return HEAD

    def at(self, commit: str) -> Any:  # noqa: ANN401 -- itself, as its only commit
        assert commit == HEAD
        return self

    def entry(self, path: str) -> Any:  # noqa: ANN401 -- what has a blob
        data = self.files.get(path)
        return None if data is None else Sealed(path, blob(data))


def blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()  # noqa: S324 -- git's


def store(
    place: Path, events: Events, committed: Mapping[str, bytes] | None = None, name: str = "apps"
) -> WorkingStore:
    for entry in ("a", "b"):
        (place / f"{entry}.gpg").write_bytes(entry.encode())
    clone: Any = None if committed is None else Clone(committed)
    crypto: Any = events
    return WorkingStore(name, WorkFolder(place), clone, crypto, events)


def details(events: Events) -> dict[str, Mapping[str, Detail]]:
    return {note.about: note.details for note in events.written}


async def test_each_entry_is_recorded_before_any_is_decrypted(tmp_path: Path) -> None:
    events = Events()
    one = store(tmp_path, events, {"a.gpg": b"a", "b.gpg": b"before"})
    texts = await one.read_all(["a", "b"])
    assert [text.reveal() for text in texts if isinstance(text, Plaintext)] == [b"a", b"b"]
    assert events.done == ["record apps/a", "record apps/b", "decrypt a", "decrypt b"]
    assert details(events) == {
        "apps/a": {"store": "apps", "commit": HEAD, "blob": blob(b"a"), **NO_OTHER},
        "apps/b": {
            "store": "apps",
            "commit": "",
            "blob": blob(b"b"),
            **NO_OTHER,
        },  # changed, not committed
    }


async def test_a_folder_without_git_has_no_commit_and_the_root_store_is_named_by_its_folder(
    tmp_path: Path,
) -> None:
    events = Events()
    await store(tmp_path, events, name="").read("a")
    assert details(events) == {
        "a": {"store": str(tmp_path), "commit": "", "blob": blob(b"a"), **NO_OTHER}
    }


async def test_what_cannot_be_recorded_is_not_decrypted(tmp_path: Path) -> None:
    events = Events(fails=True)
    with pytest.raises(RecordError):
        await store(tmp_path, events).read("a")
    assert events.done == []


async def test_an_entry_that_is_not_there_is_nothing_to_record_of(tmp_path: Path) -> None:
    events = Events()
    with pytest.raises(EntryNotFoundError):
        await store(tmp_path, events).read_all(["a", "c"])
    assert await store(tmp_path, events).open_all([]) == []
    assert events.done == []


def test_many_versions_of_an_entry_are_one_line_that_names_each() -> None:
    versions = [Sealed("db", f"b{at}", f"c{at}", ("old", f"copy{at}")) for at in range(3)]
    (one, other) = notes([*versions, Sealed("api", "x", "c2"), *versions], "apps", "apps/{}".format)
    assert (one.about, other.about) == ("apps/db", "apps/api")
    assert one.details == {
        "store": "apps", "versions": 3, "commits": ["c0", "c1", "c2"], "blobs": ["b0", "b1", "b2"],
        "entries": ["apps/copy0", "apps/copy1", "apps/copy2", "apps/old"],
    }  # fmt: skip
    assert other.details == {"store": "apps", "commit": "c2", "blob": "x", **NO_OTHER}


def test_a_line_names_no_more_versions_than_fit() -> None:
    each = [Sealed("db", f"{at:040}", f"{at:040}") for at in range(MAX_VERSIONS + 1)]
    first, last = notes(each, "apps")
    assert first.details["versions"] == MAX_VERSIONS
    for name in ("blobs", "commits"):
        assert len(str(first.details[name])) < 65_536
    assert last.details["blob"] == each[-1].blob
