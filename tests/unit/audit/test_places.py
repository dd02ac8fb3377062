"""A place is read as a stream that ends, whatever lies there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_secret.audit import places
from flux_secret.audit.line import MAX_LINE_BYTES
from flux_secret.audit.places import place_at
from flux_secret.audit.verify import verify
from flux_secret.errors import ConfigurationError
from simulators.chains import Chain

_NAME = "000000000001.jsonl"


def _folder(root: Path) -> Path:
    return Chain().reads(3).write(root)


def test_what_has_no_end_is_no_record(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (Path("/dev/zero"), pipe):
        with pytest.raises(ConfigurationError, match="holds no record: it is no regular file"):
            place_at(path)


def test_a_file_of_a_writer_that_leads_to_a_device_is_refused_by_name(tmp_path: Path) -> None:
    file = _folder(tmp_path) / "000000000005.jsonl"
    file.symlink_to("/dev/zero")
    with pytest.raises(ConfigurationError, match=f"{file.name}: it is no regular file"):
        verify([place_at(tmp_path)], None)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_that_is_too_long_is_one_fault_and_what_follows_has_its_number(
    tmp_path: Path, end: bytes
) -> None:
    file = _folder(tmp_path) / _NAME
    whole = file.read_bytes()
    file.write_bytes(whole + b"x" * (3 * MAX_LINE_BYTES) + end + (whole if end else b""))
    numbers = [line.number for line in place_at(tmp_path).lines()]
    assert numbers == list(range(1, 10 if end else 6))
    (fault,) = [fault for _, fault in verify([place_at(tmp_path)], None).faults]
    assert (fault.name, fault.place.line) == ("edited", 5)
    assert fault.says.startswith(f"the line is longer than {MAX_LINE_BYTES} bytes")


def test_a_line_without_an_end_is_not_read_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MAX_BLOB", 4 * MAX_LINE_BYTES)
    file = _folder(tmp_path) / _NAME
    with file.open("ab") as opened:
        opened.truncate(10**12)  # of zeros, without a block on the disk
    with pytest.raises(ConfigurationError, match=f"line 5 of {file} is longer than"):
        verify([place_at(tmp_path)], None)


def test_each_writers_lines_are_found_in_a_file_of_many_without_reading_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each replica's pod may have had a chain of its own: writers times lines is too many."""
    export = tmp_path / "export.jsonl"
    names = [f"agent-{number:012x}" for number in range(30)]
    lines = [b'{"n":%d,"writer":"%s"}\n' % (n, one.encode()) for n in range(3) for one in names]
    export.write_bytes(b"".join([*lines, b"no line", b"x" * (MAX_LINE_BYTES + 9), b"\n", lines[0]]))
    place, read = place_at(export), list[Path]()
    whole = [*place.lines()]
    numbered = places._numbered

    def counted(path: Path) -> Iterator[tuple[int, int, bytes]]:
        read.append(path)
        return numbered(path)

    monkeypatch.setattr(places, "_numbered", counted)
    for one in dict.fromkeys(line.writer for line in whole):
        assert [*place.lines({one})] == [line for line in whole if line.writer == one]
    assert place.writers() == names
    assert len(read) == 1
    assert not [*place.lines({"nobody"})]
    assert [*place.lines(names)] == whole
