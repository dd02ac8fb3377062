"""No cell of a table is run by the spreadsheet, or obeyed by the terminal, that shows it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.audit.exporting import csv_head, csv_line
from flux_secret.audit.line import Record, parse
from flux_secret.model.record import Detail, Kind
from simulators.chains import Chain


def _record(about: str, **details: Detail) -> Record:
    return parse(Chain().add(Kind.READ, about, **details).lines[1].rstrip(b"\n"))


def _row(record: Record) -> dict[str, str]:
    (row,) = csv.DictReader(io.StringIO(f"{csv_head()}\r\n{csv_line(record)}\r\n", newline=""))
    return row


@pytest.mark.parametrize(
    ("about", "cell"),
    [
        ("apps/demo", "apps/demo"),
        ("=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1+1", "'  =1+1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\t=1+1", r"\t=1+1"),
        ("\r\n=1+1", r"\r\n=1+1"),
        ('a","=1+1', 'a","=1+1'),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("\x9b31mred", r"\x9b31mred"),
        ("a\u202eb", r"a\u202eb"),
        ("ключ/päth", "ключ/päth"),
    ],
)
def test_what_a_cell_says_of_words_that_somebody_chose(about: str, cell: str) -> None:
    row = _row(_record(about, app=about, person=about, error=about))
    assert [row[name] for name in ("about", "app", "person", "error")] == [cell] * 4


@given(about=st.text(), error=st.text(min_size=1), more=st.text(min_size=1))
def test_a_record_is_one_line_without_a_control_character(
    about: str, error: str, more: str
) -> None:
    record = _record(about, error=error, more=more)
    line = csv_line(record)
    assert line.isprintable()
    row = _row(record)
    assert row["hash"] == record.hash
    for cell in row.values():
        assert not cell.lstrip().startswith(("=", "+", "-", "@"))
