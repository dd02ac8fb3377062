"""What a line of `audit log` shows of a record."""

from __future__ import annotations

import pytest

from flux_secret.audit.line import NO_HASH, line_of, parse
from flux_secret.audit.selecting import shown_details
from flux_secret.model.record import Detail, Kind, Note

IDS = [f"{number:040x}" for number in range(1, 6)]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("demo", "x=demo"),
        ("two words", 'x="two words"'),
        (7, "x=7"),
        (IDS[0], "x=000000000000"),
        (["f" * 40, "a" * 40], f"x={'f' * 12},{'a' * 12}"),
        (["f" * 40] * 5, f"x={','.join(['f' * 12] * 3)},2_more"),
        (["f" * 40, "main"], f'x="[\\"{"f" * 40}\\", \\"main\\"]"'),
    ],
)
def test_ids_are_cut_and_of_many_the_first_are_shown(value: Detail, said: str) -> None:
    note = Note(Kind.READ, "apps/db", {"x": value})
    line, _ = line_of(note, seq=1, time="2026-03-01T08:00:00.000Z", writer="a", prev=NO_HASH)
    assert shown_details(parse(line.rstrip(b"\n"))) == said
