"""The record → moments of one entry: reads by name or ciphertext, and what was written then."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from flux_secret.audit.line import NO_HASH, line_of
from flux_secret.audit.places import Line
from flux_secret.audit.selecting import Found
from flux_secret.audit.timeline import Moments
from flux_secret.model.record import Detail, Kind, Note

BLOB = "b" * 40


@dataclass
class Chains:
    """A place with the chains of some writers."""

    notes: Sequence[tuple[str, Note]]
    name: str = "here"
    is_whole: bool = True
    follows: bool = False
    broken: bytes = b""
    _seen: list[str] = field(default_factory=list)

    def writers(self) -> Sequence[str]:
        return sorted({writer for writer, _ in self.notes})

    def lines(self, writers: Collection[str] | None = None) -> Iterator[Line]:
        for number, (writer, note) in enumerate(self.notes, 1):
            if writers is None or writer in writers:
                time = f"2026-03-01T08:00:{number:02}.000Z"
                line, _ = line_of(note, seq=number, time=time, writer=writer, prev=NO_HASH)
                yield Line(writer, "file", number, line)
        if self.broken:
            yield Line("a", "file", 0, self.broken)


def note(kind: Kind, about: str, **details: Detail) -> Note:
    return Note(kind, about, details)


def moments(*notes: tuple[str, Note], broken: bytes = b"") -> tuple[list[str], Found]:
    found = Found([Chains(notes, broken=broken)])
    told = Moments(found, {"apps/db", "apps/old"}, {BLOB})
    return [f"{one.what} {one.who} {one.says}".strip() for one in told], found


def test_an_entry_is_known_by_each_of_its_names_and_by_its_ciphertext() -> None:
    said, _ = moments(
        ("agent", note(Kind.READ, "apps/db", app="dev/demo", reason="a script")),
        ("agent", note(Kind.READ, "apps/old", app="dev/demo")),
        ("agent", note(Kind.READ, "team/db", app="dev/other", blob=BLOB)),
        ("agent", note(Kind.READ, "apps/db2", app="dev/no", blob="c" * 40)),
        ("bob", note(Kind.READ, "team/old", person="Bob", blobs=["c" * 40, BLOB])),
        ("bob", note(Kind.READ, "team/new", person="Bob", blobs=["c" * 40, "d" * 40])),
        ("ann", note(Kind.STORE, "apps", entries=["apps/x", "apps/db"], person="Ann",
                     command="store mv")),
        ("agent", note(Kind.REFUSED, "apps/db", app="dev/no", error="it may not")),
    )  # fmt: skip
    assert said == [
        "read dev/demo a script", "read dev/demo", "read dev/other", "read Bob",
        "store Ann store mv",
        "refused dev/no it may not",
    ]  # fmt: skip


def test_secrets_that_a_delivery_wrote_after_it_read_the_entry_are_shown() -> None:
    secret, other = "secret/db in dev", "deployment.apps/x in dev"
    said, _ = moments(
        ("a", note(Kind.DELIVERED, secret, delivery="1", resourceVersion="6")),
        ("a", note(Kind.READ, "apps/db", delivery="1", app="dev/demo")),
        ("a", note(Kind.DELIVERED, other, delivery="1", app="dev/demo")),
        ("a", note(Kind.DELIVERED, secret, delivery="1", app="dev/demo", resourceVersion="7")),
        ("a", note(Kind.DELIVERED, secret, delivery="2", app="dev/demo")),
        ("b", note(Kind.DELIVERED, secret, delivery="1", app="dev/other")),
    )
    assert said == [
        "read dev/demo", "delivered dev/demo secret/db in dev, resourceVersion 7",
    ]  # fmt: skip


def test_what_the_record_says_of_itself_is_left_out_and_broken_lines_are_counted() -> None:
    said, found = moments(
        ("a", note(Kind.SIGNATURE, "apps/db")),
        ("a", note(Kind.READ, "apps/db", delivery="1")),
        broken=b"no record\n",
    )
    assert said == ["read a"]
    assert found.unreadable == 1
