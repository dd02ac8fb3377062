"""One thing of an entry changes, every other byte stays, or nothing is done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flux_secret.errors import EntryFormatError, KeyNotFoundError
from flux_secret.model.names import SecretPath
from flux_secret.model.reference import Lookup, Part
from flux_secret.store.format import yamledit
from flux_secret.store.format.document import Format, SecretDocument
from flux_secret.store.format.edit import (
    append,
    convert_mime,
    remove_key,
    set_key,
    set_password,
    to_binary,
)

LONG = b"x" * 70_000
YAML = b"""pw
body
---
# what it is for
b: 1 # one
a: 'x'
l: [1]
d: |
  q
  r

# another
e: &x z
f: *x
n:
m: # nothing yet
---
o: p
"""
MIME = b"GOPASS-SECRET-1.0\nPassword: pw\nUser: me\n\nbody"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (b"", b"new\n"),
        (b"pw", b"new"),
        (b"pw\n", b"new\n"),
        (b"pw\r\nuser: x\r\n", b"new\r\nuser: x\r\n"),
        (b"user: x\nuser: y\n", b"new\nuser: y\n"),
        (b"pw\n" + LONG + b"\n\x00\xff", b"new\n" + LONG + b"\n\x00\xff"),
        (b"pw \n---\na: b # c\n", b"new\n---\na: b # c\n"),
        (b"---\na: b\n", b"new\n---\na: b\n"),
        (b"---\r\na: b\r\n", b"new\r\n---\r\na: b\r\n"),
    ],
)
def test_a_password_replaces_the_first_line_and_nothing_else(text: bytes, result: bytes) -> None:
    assert set_password(text, b"new") == result


@pytest.mark.parametrize(
    ("text", "key", "result"),
    [
        (b"", "k", b"\nk: new\n"),
        (b"pw", "k", b"pw\nk: new\n"),
        (b"k: pw", "k", b"k: pw\nk: new\n"),
        (b"pw\nk: x", "k", b"pw\nk: new"),
        (b"pw\r\nk: x\r\nbody\r\n", "k", b"pw\r\nk: new\r\nbody\r\n"),
        (b"pw\r\nbody", "k", b"pw\r\nbody\r\nk: new\r\n"),
        (b"pw\nbody\r", "k", b"pw\nbody\r\nk: new\n"),
        (b"pw\n  k :  x \nz", "k", b"pw\n  k : new\nz"),
        (b"pw\na:b: c\n", "a:b", b"pw\na:b: new\n"),
        (b"pw\nk: x: y\n", "k", b"pw\nk: new\n"),
        (b"pw\nK: x\n", "k", b"pw\nK: x\nk: new\n"),
        (b"pw\nk:v\n", "k", b"pw\nk:v\nk: new\n"),
        (b"pw\nk: 1\nbody\nk: 2\n", "k", b"pw\nk: new\nbody\nk: 2\n"),
        (b"pw\n" + LONG + b"\nk: x\n\x00", "k", b"pw\n" + LONG + b"\nk: new\n\x00"),
        (b"pw\n-----BEGIN X-----\nab", "k", b"pw\n-----BEGIN X-----\nab\nk: new\n"),
        (b"pw\n\xc3\xbc: x\n", "ü", "pw\nü: new\n".encode()),
        (b"pw\n\xff: x\n", "\udcff", b"pw\n\xff: new\n"),
    ],
)
def test_a_key_is_changed_in_its_place_or_appended(text: bytes, key: str, result: bytes) -> None:
    assert set_key(text, key, b"new") == result


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("b", "b: 1 # one", "b: new # one"),
        ("a", "a: 'x'", "a: 'new'"),
        ("d", "d: |\n  q\n  r\n", "d: new\n"),
        ("n", "n:\n", "n: new\n"),
        ("m", "m: # nothing yet", "m: new # nothing yet"),
        ("z", "nothing yet\n", "nothing yet\nz: new\n"),
    ],
)
def test_a_yaml_scalar_is_changed_and_comments_order_and_documents_stay(
    key: str, old: str, new: str
) -> None:
    assert YAML.count(old.encode()) == 1
    assert set_key(YAML, key, b"new") == YAML.replace(old.encode(), new.encode())


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (b"pw\n---\n", b"pw\n---\nk: new\n"),
        (b"pw\n---", b"pw\n---\nk: new\n"),
        (b"---\n", b"---\nk: new\n"),
        (b"pw\n--- # c", b"pw\n--- # c\nk: new\n"),
        (b"pw\n---\n  a: b\n", b"pw\n---\n  a: b\n  k: new\n"),
        (b"pw\n---\na: b", b"pw\n---\na: b\nk: new\n"),
        (b"pw\r\n---\r\na: b\r\n", b"pw\r\n---\r\na: b\r\nk: new\r\n"),
        (b"pw\n---\na: b\n...\n---\nx", b"pw\n---\na: b\nk: new\n...\n---\nx"),
        (b"pw\n---\nm: &x {k: 1}\n<<: *x\n", b"pw\n---\nm: &x {k: 1}\n<<: *x\nk: new\n"),
        (b"pw\n---\nk: one\n  two\na: b\n", b"pw\n---\nk: new\na: b\n"),
        (b"pw\n---\n'k':\n  x\n", b"pw\n---\n'k':\n  new\n"),
        (b"pw\n---\nk: |+\n  x\n\n", b"pw\n---\nk: new\n\n"),
    ],
)
def test_a_yaml_key_finds_its_place(text: bytes, result: bytes) -> None:
    assert set_key(text, "k", b"new") == result


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"yes", b'"yes"'),
        (b"0123", b'"0123"'),
        (b"12:30", b'"12:30"'),
        (b"2001-01-01", b'"2001-01-01"'),
        (b"", b'""'),
        (b"~", b'"~"'),
        (b" x ", b"' x '"),
        (b"x: y", b"'x: y'"),
        (b"x # y", b"'x # y'"),
        (b"- x", b"'- x'"),
        (b"one\ntwo", b'"one\\ntwo"'),
        (b"\x00\x07\t", b'"\\0\\a\\t"'),
        ("\U0001f600".encode(), b'"\\U0001F600"'),
        ("ü".encode(), "ü".encode()),
        (b"it's", b"it's"),
    ],
)
def test_a_yaml_value_is_quoted_as_it_must_be(value: bytes, written: bytes) -> None:
    result = set_key(b"pw\n---\nk: 1\nz: 2\n", "k", value)
    assert result == b"pw\n---\nk: " + written + b"\nz: 2\n"


def test_lines_in_yaml_stay_a_block_of_lines() -> None:
    changed = set_key(b"pw\n---\nk: |\n  one\n\nz: 2\n", "k", b"two\n three\n")
    assert changed == b"pw\n---\nk: |\n    two\n     three\n\nz: 2\n"
    added = set_key(b"pw\n---\nz: 2\n", "k", b"one\ntwo")
    assert added == b"pw\n---\nz: 2\nk: |-\n    one\n    two\n"
    assert set_key(b"pw\n---\n z: 2\n", "k", b"1\n2") == b'pw\n---\n z: 2\n k: "1\\n2"\n'


def test_a_yaml_number_stays_a_number_where_nothing_changes() -> None:
    text = b"pw\n---\nport: 0x50\n"
    assert set_key(text, "port", b"80") == text


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        (YAML, "l", "a list or a mapping"),
        (YAML, "e", "an anchor or a tag"),
        (YAML, "f", "an alias"),
        (b"pw\n---\nk: !!str 5\n", "k", "an anchor or a tag"),
        (b"pw\n--- {k: 1}\n", "k", "in braces"),
        (b"pw\n--- {a: 1}\n", "k", "in braces"),
        (b"pw\n---\nk: | # c\n  x\n", "k", "with a comment"),
        (b"pw\n---\n---\na: b\n", "k", "not the last one"),
        (b"pw\n---\n~\n", "k", "null"),
        (b"pw\n---\na: b\n---\nc: {\n", "a", "behind its first one"),
    ],
)
def test_what_cannot_be_spliced_is_refused_with_its_reason(
    text: bytes, key: str, reason: str
) -> None:
    with pytest.raises(EntryFormatError, match=reason) as caught:
        set_key(text, key, b"hunter2")
    assert "edit" in caught.value.remedy
    assert "hunter2" not in f"{caught.value.what}{caught.value.remedy}"


@pytest.mark.parametrize(
    "harmful",
    [
        b"pw\n---\na: new\nport: '1'\n",  # another type
        b"pw\n---\na: new\nport: 2\n",
        b"pw\n---\na: new\n",
        b"pw\n---\na: newer\nport: 1\n",
        b"other\n---\na: new\nport: 1\n",
        b"pw\nbody\n---\na: new\nport: 1\n",
        b"pw\na: new\nport: 1\n",
    ],
)
def test_a_splice_that_changes_anything_else_is_not_given_back(
    monkeypatch: pytest.MonkeyPatch, harmful: bytes
) -> None:
    monkeypatch.setattr(yamledit, "with_value", lambda *_: harmful)
    with pytest.raises(EntryFormatError, match="read otherwise"):
        set_key(b"pw\n---\na: b\nport: 1\n", "a", b"new")


@pytest.mark.parametrize("key", ["", " k", "k ", "\u2003k", "a\nb", "a\rb", "a\0", "a: b", "---k"])
def test_a_key_that_would_be_read_otherwise_is_refused(key: str) -> None:
    with pytest.raises(EntryFormatError, match="cannot be a key"):
        set_key(b"pw\n", key, b"x")


@pytest.mark.parametrize(
    ("text", "password"),
    [
        (b"pw\na: b\n", b"one\ntwo"),
        (b"pw\na: b\n", b"pw\r"),
        (b"pw\na: b\n", b"---"),
        (b"pw\na: b\n", b"GOPASS-SECRET-1.0"),
        (b"pw\n---\na: b\n", b" pw"),
        (b"pw\n---\na: b\n", b"---"),
    ],
)
def test_a_password_that_would_be_read_otherwise_is_refused(text: bytes, password: bytes) -> None:
    with pytest.raises(EntryFormatError):
        set_password(text, password)


@pytest.mark.parametrize("value", [b"one\ntwo", b"one\r"])
def test_a_line_takes_no_value_of_several(value: bytes) -> None:
    with pytest.raises(EntryFormatError, match="one line"):
        set_key(b"pw\n", "k", value)


@pytest.mark.parametrize("value", [b"\xff", "\ud800".encode(errors="surrogatepass")])
def test_yaml_takes_no_value_that_is_no_text(value: bytes) -> None:
    with pytest.raises(EntryFormatError, match="no UTF-8"):
        set_key(b"pw\n---\na: b\n", "a", value)


@pytest.mark.parametrize(
    ("text", "key", "result"),
    [
        (b"pw\nk: 1\nbody\n k : 2\n", "k", b"pw\nbody\n"),
        (b"k: pw\nk: 1", "k", b"k: pw\n"),
        (b"pw\r\na:b: c\r\nz: 1\r\n", "a:b", b"pw\r\nz: 1\r\n"),
        (YAML, "a", YAML.replace(b"a: 'x'\n", b"")),
        (YAML, "b", YAML.replace(b"b: 1 # one\n", b"")),
        (YAML, "d", YAML.replace(b"d: |\n  q\n  r\n", b"")),
        (YAML, "m", YAML.replace(b"m: # nothing yet\n", b"")),
        (b"pw\n---\nk: one\n  two\nz: 1", "k", b"pw\n---\nz: 1"),
        (b"pw\n---\nk: 1", "k", b"pw\n---\n"),
    ],
)
def test_a_key_is_removed_with_its_lines_only(text: bytes, key: str, result: bytes) -> None:
    assert remove_key(text, key) == result


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (YAML, "l"),
        (YAML, "e"),
        (b"pw\n---\n? k\n: v\n", "k"),
        (b"pw\n---\n{k: v}\n", "k"),
        (b"pw\n---\n<<: {k: 1}\n", "k"),
        (b"---\nk: v\n---\na: b\n", "k"),
    ],
)
def test_a_key_that_does_not_stand_alone_is_not_removed(text: bytes, key: str) -> None:
    with pytest.raises(EntryFormatError):
        remove_key(text, key)


def test_a_key_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(KeyNotFoundError, match="its keys: a, b") as caught:
        remove_key(b"pw\na: hunter2\nb: x\n", "c")
    assert "hunter2" not in caught.value.what


@pytest.mark.parametrize(
    ("text", "more", "result"),
    [
        (b"", b"pw\nuser: x", b"pw\nuser: x"),
        (b"pw", b"more", b"pw\nmore\n"),
        (b"pw\r\nx", b"more", b"pw\r\nx\r\nmore\r\n"),
        (b"pw\nk: 1\n", b"k: 2\nbody\n", b"pw\nk: 1\nk: 2\nbody\n"),
        (YAML, b"more", YAML.replace(b"body\n", b"body\nmore\n")),
        (b"---\na: b\n", b"more", b"\nmore\n---\na: b\n"),
        (YAML, b"", YAML),
    ],
)
def test_lines_are_appended_and_never_glued(text: bytes, more: bytes, result: bytes) -> None:
    assert append(text, more) == result


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (b"pw\n", b"---\na: b"),
        (YAML, b"---\nx: y"),
        (b"pw\n", b"Content-Transfer-Encoding: base64"),
    ],
)
def test_lines_that_would_change_how_an_entry_is_read_are_refused(text: bytes, more: bytes) -> None:
    with pytest.raises(EntryFormatError, match="read otherwise"):
        append(text, more)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: set_password(text, b"x"),
        lambda text: set_key(text, "user", b"x"),
        lambda text: remove_key(text, "user"),
        lambda text: append(text, b"x"),
    ],
)
@pytest.mark.parametrize(
    "text", [MIME, b"GOPASS-SECRET-1.0\nno header\nuser: x\n", to_binary(b"\0", "x")]
)
def test_mime_and_files_are_never_edited(change: Callable[[bytes], bytes], text: bytes) -> None:
    with pytest.raises(EntryFormatError, match=r"MIME|base64") as caught:
        change(text)
    assert caught.value.remedy


def test_mime_is_converted_on_demand_only() -> None:
    converted = convert_mime(MIME)
    assert converted == b"pw\nuser: me\nbody\n"
    assert set_key(converted, "user", b"x") == b"pw\nuser: x\nbody\n"
    with pytest.raises(EntryFormatError, match="no MIME"):
        convert_mime(converted)


@pytest.mark.parametrize("data", [b"", b"\0\xff\n", bytes(range(256)) * 300])
def test_a_file_comes_back_byte_for_byte(data: bytes) -> None:
    text = to_binary(data, "folder/a b.bin")
    assert text.startswith(
        b'\nContent-Disposition: attachment; filename="a b.bin"\n'
        b"Content-Transfer-Encoding: Base64\n"
    )
    document = SecretDocument.parse(text)
    assert document.format is Format.FILE
    assert document.part(Lookup(SecretPath.parse("apps/x"), Part.BINARY)) == data


def test_a_file_name_of_two_lines_is_refused() -> None:
    with pytest.raises(EntryFormatError, match="line break"):
        to_binary(b"x", "a\nb")
