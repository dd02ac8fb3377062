"""Several places and chains → one order, in which each record is once, whatever clocks did."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from flux_secret.audit.line import NO_HASH, line_of
from flux_secret.audit.places import Line
from flux_secret.audit.selecting import Found
from flux_secret.model.record import Kind, Note


@dataclass
class Copy:
    """A place with one writer's records, of these seconds; the first has the number `since`."""

    seconds: Sequence[int]
    writer: str = "agent-000000000001"
    since: int = 1
    about: str = "apps/db"
    name: str = "here"
    is_whole: bool = True
    follows: bool = False

    folder: str = ""

    def writers(self) -> Sequence[str]:
        return [self.folder or self.writer]

    def lines(self, writers: Collection[str] | None = None) -> Iterator[Line]:
        assert writers == {self.folder or self.writer}
        for seq, second in enumerate(self.seconds, self.since):
            time, note = f"2026-03-01T08:00:{second:02}.000Z", Note(Kind.READ, self.about)
            line, _ = line_of(note, seq=seq, time=time, writer=self.writer, prev=NO_HASH)
            yield Line(self.writer, "file", seq, line)


def shown(*places: Copy) -> list[tuple[str, int]]:
    return [(record.writer[:1], record.seq) for record, _ in Found(places)]


def test_a_clock_that_went_back_makes_no_record_twice_and_moves_none() -> None:
    times = [10, 20, 5, 6, 30]
    assert shown(Copy(times), Copy(times)) == [("a", seq) for seq in range(1, 6)]
    newer = Copy(times[2:], since=3)  # a volume that kept less than the branch
    assert shown(Copy(times[:4]), newer) == [("a", seq) for seq in range(1, 6)]
    assert shown(newer, Copy(times[:4])) == [("a", seq) for seq in range(1, 6)]


def test_writers_are_merged_by_time_as_far_as_their_clocks_go_on() -> None:
    other = Copy([7, 25], writer="bob@x-000000000002")
    assert shown(Copy([10, 20, 5, 30]), other) == [
        ("b", 1), ("a", 1), ("a", 2), ("a", 3), ("b", 2), ("a", 4),
    ]  # fmt: skip


def test_of_a_fork_both_are_shown() -> None:
    fork = Copy([1, 2], about="apps/other")
    assert shown(Copy([1, 2]), fork, Copy([1, 2])) == [("a", 1), ("a", 1), ("a", 2), ("a", 2)]


def test_records_in_another_writers_folder_are_shown_as_they_are() -> None:
    moved = Copy([1, 2], about="apps/other", folder="x-000000000003")
    assert shown(Copy([1, 2]), moved) == [("a", 1), ("a", 1), ("a", 2), ("a", 2)]
