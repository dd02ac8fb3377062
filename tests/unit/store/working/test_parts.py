"""What counts as an entry's value, and what is kept of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.model.plaintext import Plaintext
from flux_secret.store.working.parts import MAX_KEYS, SIZE, Parts

KEY = b"k" * 32


def parts(text: bytes) -> Parts:
    return Parts.of(Plaintext(text), KEY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"pw", b"pw\n"),
        (b"pw\n", b"pw\nuser: joe\nnote: anything\n"),
        (b"pw\nuser: a\n", b"pw\n---\nuser: b\n"),
        (b"pw\r\nuser: a\r\n", b"pw\nuser: a\n"),
        (b"GOPASS-SECRET-1.0\nPassword: pw\nUser: a\n\nbody\n", b"pw\nuser: a\nbody\n"),
        (b"\ntoken: x\r\n", b"\ntoken: x\n"),
        (b"c2VjcmV0Cg==\nuser: a\n", b"c2VjcmV0Cg==\nuser: b\n"),
        (b"{x9!\nuser: a\n", b"{x9!\nuser: b\n"),
    ],
)
def test_what_is_no_other_value(old: bytes, new: bytes) -> None:
    assert parts(old).value == parts(new).value


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"one\n", b"two\n"),
        (b"one\nuser: a\n", b"two\nuser: a\n"),
        (b"\ntoken: x\n", b"\ntoken: y\n"),
        (b"-----BEGIN PRIVATE KEY-----\nAA\n", b"-----BEGIN PRIVATE KEY-----\nBB\n"),
        (b'{\n  "key": 1\n}\n', b'{\n  "key": 2\n}\n'),
        (b"[default]\naws_secret = a\n", b"[default]\naws_secret = b\n"),
        (b"apiVersion: v1\ntoken: a\n", b"apiVersion: v1\ntoken: b\n"),
        (b"USER=joe\nPASSWORD=a\n", b"USER=joe\nPASSWORD=b\n"),
        (b"export A=1\nexport B=1\n", b"export A=1\nexport B=2\n"),
        (b"# made by hand\nx: 1\n", b"# made by hand\nx: 2\n"),
        (b"---\ntoken: a\n", b"---\ntoken: b\n"),
        (b"\xff\x00\n\x01", b"\xff\x01\n\x01"),
    ],
)
def test_what_is_another_value(old: bytes, new: bytes) -> None:
    assert parts(old).value != parts(new).value


def test_a_single_line_that_looks_like_a_file_is_a_password() -> None:
    assert parts(b"note: x\n").password
    assert parts(b"-----BEGIN KEY-----\n").password


def test_a_password_is_not_taken_for_a_whole_text_or_a_key() -> None:
    one = parts(b"pw\nkey: pw\n")
    assert len({one.password, one.whole, *one.keys.values()}) == 3


def test_nothing_in_common_under_another_key() -> None:
    assert Parts.of(Plaintext(b"pw\n"), b"q" * 32).record != parts(b"pw\n").record


@given(st.binary(max_size=200))
def test_what_is_remembered_compares_as_what_was_read(text: bytes) -> None:
    fresh = parts(text)
    known = Parts.remembered(fresh.record)
    assert known is not None
    assert (known.whole, known.password, known.value) == (fresh.whole, fresh.password, fresh.value)
    assert set(known.keys.values()) == set(fresh.keys.values())


def test_names_of_keys_are_not_remembered() -> None:
    known = Parts.remembered(parts(b"pw\nmaster-token: x\n").record)
    assert known is not None
    assert all("token" not in name for name in known.keys)


@given(st.binary(max_size=SIZE * 5))
def test_any_bytes_are_a_record_or_none(record: bytes) -> None:
    known = Parts.remembered(record)
    assert (known is None) == (len(record) % SIZE != 0 or len(record) < 2 * SIZE)


def test_a_record_has_a_longest_length() -> None:
    text = b"pw\n" + b"".join(b"k%d: v\n" % number for number in range(MAX_KEYS + 50))
    assert len(parts(text).record) == SIZE * (MAX_KEYS + 2)
    assert Parts.remembered(bytes(SIZE * (MAX_KEYS + 3))) is None
