"""A record's line has one form; any other is refused, and says why."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.audit import line as lines
from flux_secret.audit.line import NO_HASH, BadLineError, hash_in, line_of, parse, settled
from flux_secret.errors import BugError
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.record import Detail, Kind, Note

_TIME = "2026-11-29T19:00:00.000Z"


def _line(about: str = "apps/demo", **details: Detail) -> tuple[bytes, str]:
    note = settled(Note(Kind.READ, about, details))
    return line_of(note, seq=1, time=_TIME, writer="agent-0", prev=NO_HASH)


def test_a_line_is_what_the_format_says() -> None:
    line, digest = _line(app="demo", blob=None, reason="")
    hashed = (
        '{"about":"apps/demo","details":{"app":"demo"},"kind":"read","prev":"' + NO_HASH + '",'
        '"seq":1,"time":"2026-11-29T19:00:00.000Z","v":1,"writer":"agent-0"}'
    ).encode()
    assert digest == hashlib.sha256(hashed).hexdigest()
    assert json.loads(line) == {**json.loads(hashed), "hash": digest}
    assert list(json.loads(line)) == sorted(json.loads(line))
    assert line.endswith(b"\n")
    assert hash_in(line) == digest


@given(
    about=st.text(),
    details=st.dictionaries(
        st.sampled_from(["app", "hash", "kind", "prev", "seq"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=5),
    ),
)
def test_whatever_is_recorded_can_be_read(about: str, details: dict[str, Detail]) -> None:
    line, digest = _line(about, **details)
    assert line.count(b"\n") == 1
    record = parse(line[:-1])
    assert record.hash == digest == hash_in(line)
    note = Note(Kind(record.kind), record.about, record.details)
    again, _ = line_of(
        note, seq=record.seq, time=record.time, writer=record.writer, prev=record.prev
    )
    assert again == line


@given(st.binary())
def test_any_bytes_are_a_record_or_say_why_not(untrusted: bytes) -> None:
    with pytest.raises(BadLineError):
        parse(untrusted)


@given(at=st.integers(0, 10_000), to=st.integers(0, 255))
def test_no_byte_can_be_changed(at: int, to: int) -> None:
    line = bytearray(_line("päth", app="demo", count=3)[0][:-1])
    at %= len(line)
    if line[at] == to:
        return
    line[at] = to
    with pytest.raises(BadLineError):
        parse(bytes(line))


@given(
    about=st.text(),
    details=st.dictionaries(
        st.sampled_from(["app", "hash", "kind", "prev", "seq"]), st.text() | st.integers()
    ),
    change=st.sampled_from(["", " ", "\\u0041", '"', "}", "hash", ',"hash":"', "0"]),
    at=st.integers(0, 600),
)
def test_the_quick_way_and_the_thorough_way_agree(
    about: str, details: dict[str, Detail], change: str, at: int
) -> None:
    text = _line(about, **details)[0][:-1].decode()
    at %= len(text)
    changed = text[:at] + change + text[at:]
    body = re.sub(r',"hash":"[0-9a-f]{64}"(?=,"kind":"read","prev")', "", changed)
    digest = hashlib.sha256(body.encode()).hexdigest()
    forged = body.replace(',"kind":"read","prev"', f',"hash":"{digest}","kind":"read","prev"')
    for candidate in (text.encode(), changed.encode(), forged.encode()):
        try:
            thorough = lines._thoroughly(candidate)
        except BadLineError:
            thorough = None
        assert lines._quickly(candidate) == thorough


def _hashed(text: str) -> bytes:
    """Give a line that its writer, with another program, has hashed as it stands."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return text.replace(',"kind"', f',"hash":"{digest}","kind"').encode()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"seq":1', '"seq":1.0', "is not what it has to be"),
        ('"seq":1', '"seq":true', "is not what it has to be"),
        ('"seq":1', '"seq": 1', "in the one way"),
        ('"seq":1', '"seq":0', "is not what it has to be"),
        ('"seq":1', '"seq":' + "9" * 5000, "is no JSON"),
        ('"seq":1', '"seq":9,"seq":1', "in the one way"),
        ('"app":"demo"', '"app":null', "is not what it has to be"),
        ('"app":"demo"', '"app":0.5', "is not what it has to be"),
        ('"app":"demo"', '"app":{"b":1}', "is not what it has to be"),
        ('"app":"demo"', '"app":"d\\u0065mo"', "in the one way"),
        ('"app":"demo"', '"app":"\\udc80"', "in the one way"),
        ('"v":1', '"v":2', "another version"),
        ('"writer":"agent-0"', '"writer":"../x"', "is not what it has to be"),
        ('"writer":"agent-0"', '"writer":"agent-0","x":1', "not the fields"),
        ('"about":"apps/demo"', '"about":' + "[" * 100_000, "is no JSON"),
    ],
)
def test_a_line_in_another_form_is_refused_although_its_hash_is_right(
    old: str, new: str, said: str
) -> None:
    line, digest = _line(app="demo")
    text = line[:-1].decode().replace(f'"hash":"{digest}",', "")
    assert old in text
    assert parse(_hashed(text)).seq == 1
    with pytest.raises(BadLineError, match=said):
        parse(_hashed(text.replace(old, new, 1)))


def test_bytes_that_are_no_text_are_written_so_that_all_can_read_them() -> None:
    line, _ = _line("caf\udce9")
    assert parse(line[:-1]).about == "caf\\udce9"


def test_long_text_and_long_lists_are_cut_and_say_so() -> None:
    line, _ = _line("x" * 10_000, readers=["r" * 100] * 1000)
    record = parse(line[:-1])
    assert record.about.endswith("x… (10000 characters)")
    readers = record.details["readers"]
    assert isinstance(readers, list)
    assert readers[-1] == "… and 345 more"


@pytest.mark.parametrize("value", [Plaintext(b"s3cret"), 0.5, [Plaintext(b"s3cret")], {"a": "b"}])
def test_what_may_not_stand_in_a_line_is_refused_without_being_shown(value: object) -> None:
    with pytest.raises(BugError) as refused:
        _line(app=value)  # type: ignore[arg-type]
    assert "s3cret" not in refused.value.what


def test_a_line_that_nobody_could_read_is_refused() -> None:
    with pytest.raises(BugError, match="longer than a line may be"):
        _line(**{f"f{number}": "\x01" * 8000 for number in range(20)})
