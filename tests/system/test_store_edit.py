"""What we wrote into an entry the real gopass 1.16 reads, and it finds the rest unchanged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from flux_secret.errors import AccessError
from flux_secret.store.format.document import Format, SecretDocument
from flux_secret.store.format.edit import (
    append,
    remove_key,
    set_key,
    set_password,
    to_binary,
)
from simulators import texts
from simulators.gopass import PlainStore

LONG = b"pw\nuser: a\n" + b"x" * 70_000 + b"\nurl: b\n"
COMMENTS = b"pw\n---\n# for the demo\nuser: a # me\nb: &x 1\nc: *x\n---\nd: e\n"


def agreed(store: PlainStore, text: bytes) -> None:
    """Compare all parts of a text with what gopass makes of it."""
    ours = SecretDocument.parse(text)
    assert store.show(text) == (0, ours.text)
    if ours.password:
        assert store.show(text, "", "-o") == (0, ours.password)
    for key, value in ours.keys.items():
        if key and value and not key.startswith("-"):  # an option; an empty key is the whole
            assert store.show(text, key) == (0, value), key


@settings(max_examples=120)
@given(texts.texts, texts.keys, texts.values)
def test_gopass_reads_every_part_of_an_edited_entry(
    plain_store: PlainStore, text: bytes, key: str, value: bytes
) -> None:
    try:
        result = set_key(text, key, value)
    except AccessError:
        return
    if value and "\0" not in key:
        agreed(plain_store, result)


@given(texts.texts, texts.values)
def test_gopass_reads_a_new_password_and_what_stands_behind_it(
    plain_store: PlainStore, text: bytes, password: bytes
) -> None:
    try:
        agreed(plain_store, append(set_password(text, password), b"more: lines\n"))
    except AccessError:
        return


@pytest.mark.parametrize(
    ("text", "key", "is_kept_by_gopass"),
    [
        (b"pw\nuser: a\nbody\n", "user", True),
        (LONG, "user", False),
        (b"pw\na:b: c\n", "a:b", False),
        (b"pw\n  user : a\n", "user", False),
        (b"pw\r\nuser: a\r\nurl: b\r\n", "user", False),
        (COMMENTS, "user", False),
    ],
    ids=["plain", "64 KiB", "colon", "indented", "CRLF", "YAML"],
)
def test_what_gopass_loses_in_an_insert_stays_with_us(
    plain_store: PlainStore, text: bytes, key: str, *, is_kept_by_gopass: bool
) -> None:
    ours = set_key(text, key, b"new")
    plain_store.put(text)
    code, _ = plain_store.run("insert", "entry", key, stdin=b"new")
    assert code == (3 if ":" in key else 0)  # gopass takes `a:b` for a key and a value
    assert (plain_store.text() == ours) == is_kept_by_gopass
    agreed(plain_store, ours)
    assert plain_store.show(ours, key) == (0, b"new")


def test_gopass_glues_lines_where_we_end_them(plain_store: PlainStore) -> None:
    plain_store.put(append(b"pw\nuser: a", b"url: b"))
    assert plain_store.run("show", "entry", "user") == (0, b"a")
    assert plain_store.run("show", "entry", "url") == (0, b"b")


@pytest.mark.parametrize("text", [b"pw\nuser: a\nuser: b\nbody\n", b"pw\n---\nuser: a\nz: 1\n"])
def test_gopass_misses_a_removed_key_only(plain_store: PlainStore, text: bytes) -> None:
    result = remove_key(text, "user")
    agreed(plain_store, result)
    assert plain_store.show(result, "user")[0] != 0


@pytest.mark.parametrize("data", [b"\0\xff\n", b"text\n", bytes(range(256)) * 300])
def test_a_file_is_written_and_read_as_gopass_does(plain_store: PlainStore, data: bytes) -> None:
    assert plain_store.run("cat", "entry", stdin=data)[0] == 0
    assert to_binary(data) == plain_store.text()
    assert SecretDocument.parse(plain_store.text()).format is Format.FILE
    assert plain_store.run("cat", "entry") == (0, data)
