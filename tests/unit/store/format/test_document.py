"""An entry's text → its parts, as gopass 1.16 reads it (facts: gopass §3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import KeyNotFoundError
from flux_secret.model.names import SecretPath
from flux_secret.model.reference import Lookup, Part
from flux_secret.store.format.document import Format, SecretDocument
from simulators.yaml_ends import IS_NONE, STAYS_YAML

PATH = SecretPath.parse("apps/demo")


def part(text: bytes, part: Part, key: str = "") -> bytes:
    return SecretDocument.parse(text).part(Lookup(PATH, part, key))


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (b"secret", b"secret\n"),
        (b"secret\n", b"secret\n"),
        (b"a\r\nb: c\r\n", b"a\nb: c\n"),
        (b"\n\n", b"\n\n"),
        (b"\xff\x00\xfe", b"\xff\x00\xfe\n"),
        (b"  spaced  \n", b"  spaced  \n"),
        (b"pw\n---\nb: 1\na: x\n", b"pw\n---\na: x\nb: 1\n"),
        (b"pw\nbody\n---\na: [1, 2]\n", b"pw\nbody\n---\na:\n    - 1\n    - 2\n"),
        (b"pw\n---\nnot a mapping\n", b"pw\n---\nnot a mapping\n"),
        (b"pw\n---\na: 1\na: 2\n", b"pw\n---\na: 1\na: 2\n"),
        (b"---\na: yes\n", b'\n---\na: "yes"\n'),
        (b"pw\n---foo: bar\n", b"pw\n---\n'---foo': bar\n"),
        (b"pw\n--- {a: b}\n", b"pw\n---\na: b\n"),
        (b"pw\n-----BEGIN X-----\na: b\n", b"pw\n-----BEGIN X-----\na: b\n"),
        (b"pw\n---\na10: 1\na2: 1\n9: 1\n1b: 1\n", b'pw\n---\n1b: 1\n"9": 1\na2: 1\na10: 1\n'),
        (b'pw\n---\na: "x\\n\\ty"\nb: "\\t"\n', b'pw\n---\na: |-\n    x\n    \ty\nb: "\\t"\n'),
        (b"pw\n---\nm: {10: x, b: w, 9: z}\n", b"pw\n---\nm:\n    9: z\n    10: x\n    b: w\n"),
        (b"pw\n---\nl:\n- a: 1\n  b: []\n", b"pw\n---\nl:\n    - a: 1\n      b: []\n"),
        ("pw\n---\na: \U0001f600\n".encode(), b'pw\n---\na: "\\U0001F600"\n'),
        (b"GOPASS-SECRET-1.0\nPassword: pw\nUser: me", b"pw\nuser: me\n"),
    ],
)
def test_the_whole_is_what_gopass_would_print(text: bytes, whole: bytes) -> None:
    assert part(text, Part.WHOLE) == whole


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        (b"pw\nuser: demo\n", "user", b"demo"),
        (b"pw\nuser:  demo \n", "user", b" demo "),
        (b"pw\nuser: a\nuser: b\n", "user", b"a\nb"),
        (b"pw\nurl: https://x: y\n", "url", b"https://x: y"),
        (b"pw\n---\nport: 0123\n", "port", b"83"),
        (b"pw\n---\non: off\n", "on", b"off"),
        (b"pw\n---\nlist: [1, a, true]\n", "list", b"[1 a true]"),
        (b"pw\n---\nmap: {b: 1, a: x}\n", "map", b"map[a:x b:1]"),
        (b"pw\n---\nnone: ~\n", "none", b"<nil>"),
        (b"pw\n---\nday: 2001-01-23\n", "day", b"2001-01-23 00:00:00 +0000 UTC"),
        (b"pw\n---\nday: 2001-1-3t1:2:3.50+02:00\n", "day", b"2001-01-03 01:02:03.5 +0200 +0200"),
        (b"pw\n---\nm: {10: x, 9: y}\n", "m", b"map[9:y 10:x]"),
        (b"pw\n---\nday: 2001-02-30\n", "day", b"2001-02-30"),
        (b"pw\n---\nn: 12345678.0\n", "n", b"1.2345678e+07"),
        (b"pw\n---\nn: 123456.0\n", "n", b"123456"),
        (b"pw\n---\nn: 18446744073709551616\n", "n", b"1.8446744073709552e+19"),
        (b"pw\n---\nn: +9223372036854775808\n", "n", b"9.223372036854776e+18"),
        (b"pw\n---\nn: -0.0\n", "n", b"-0"),
        (b"pw\n---\nn: -.inf\n", "n", b"-Inf"),
        (b"pw\n---\nn: .nan\n", "n", b"NaN"),
        (b"pw\n---\nn: 1e999\n", "n", b"1e999"),
        (b"pw\n---\n1_0: a\n", "1_0", b"a"),
        (b"pw\n---\na: &x 1\nb: *x\n", "b", b"1"),
        (b"pw\n---\n<<: [{z: 1}, {z: 2, a: 3}]\na: b\n", "z", b"1"),
        (b"pw\n---\na:\tb\t# c\n", "a", b"b"),
        (b"pw\n---\na: !!float 5\nb: !foo 5\n", "b", b"5"),
        (b"pw\n---\na: !!binary //4=\n", "a", b"\xff\xfe"),
        (b"pw\n\xe2\x80\x83user\xc2\xa0: a\n", "user", b"a"),
        (b"GOPASS-SECRET-1.0\nPassword: pw\nUser: me\n\nbody\n", "user", b"me"),
    ],
)
def test_a_key_is_what_gopass_would_print(text: bytes, key: str, value: bytes) -> None:
    assert part(text, Part.KEY, key) == value


BOMB = b"pw\n---\na0: &a0 [x, x]\n" + b"".join(
    b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 40)
)


@pytest.mark.parametrize(
    "text",
    [
        b"pw\n---\nnot a mapping\n",
        b"pw\n---\na: 1\na: 2\n",
        b"pw\n---\na: !!int x\n",
        b"pw\n---\na: !!binary x\n",
        b"pw\n---\n<<: 1\n",
        b"pw\n---\n[a]: b\n",
        b"pw\n---\na: {[b]: c}\n",
        b"pw\n---\na: \xff\n",
        b"pw\n---\na: " + b"[" * 100 + b"]" * 100 + b"\n",
        b"pw\n---\na: &x [*x]\n",
        BOMB,
    ],
    ids=range(11),
)
def test_what_is_no_mapping_for_gopass_is_no_yaml(text: bytes) -> None:
    document = SecretDocument.parse(text)
    assert (document.format, document.text, document.yaml) == (Format.AKV, text, None)


@pytest.mark.parametrize(
    ("text", "is_read_as"),
    [
        (b"pw\n", Format.AKV),
        (b"pw\n---\na: b\n", Format.YAML),
        (b"pw\n---", Format.YAML),
        (b"GOPASS-SECRET-1.0\nPassword: pw\n", Format.MIME),
        (b"\nContent-Transfer-Encoding: Base64\nAP8K\n", Format.FILE),
    ],
)
def test_a_document_knows_how_it_was_read(text: bytes, is_read_as: Format) -> None:
    assert SecretDocument.parse(text).format is is_read_as


def test_values_are_told_apart_by_type_too() -> None:
    def typed(value: str) -> str:
        yaml = SecretDocument.parse(f"pw\n---\na: {value}\n".encode()).yaml
        assert yaml is not None
        return yaml.typed()["a"]

    values = ["1", "'1'", "1.0", "true", "'true'", "~", "2001-01-01", "[1]", "['1']", "{1: 2}"]
    assert len({typed(value) for value in values}) == len(values)
    assert typed("{a: 1, b: 2}") == typed("{b: 2, a: 1}")


def test_a_missing_key_names_the_keys_there_are_but_no_value() -> None:
    with pytest.raises(KeyNotFoundError, match="its keys: pass, user") as caught:
        part(b"pw\nuser: demo\npass: hunter2\n", Part.KEY, "User")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "password"),
    [(b"pw\nx\n", b"pw"), (b" pw \n", b" pw "), (b" pw \n---\na: 1\n", b"pw"), (b"pw\r\nx", b"pw")],
)
def test_the_password_is_the_first_line(text: bytes, password: bytes) -> None:
    assert part(text, Part.PASSWORD) == password


def test_no_password_is_an_error_that_says_so() -> None:
    with pytest.raises(KeyNotFoundError, match="no password"):
        part(b"\nuser: demo\n", Part.PASSWORD)


def test_a_binary_entry_is_decoded_byte_for_byte() -> None:
    text = (
        b'\nContent-Disposition: attachment; filename="x"\n'
        b"Content-Transfer-Encoding: Base64\nAP8K\n"
    )
    assert part(text, Part.BINARY) == b"\x00\xff\n"


def test_a_binary_entry_that_is_no_base64_is_refused_without_its_text() -> None:
    with pytest.raises(KeyNotFoundError) as caught:
        part(b"\nContent-Transfer-Encoding: Base64\nhunter2!!\n", Part.BINARY)
    assert "hunter2" not in str(caught.value)


@given(st.binary(max_size=300))
def test_every_byte_string_is_some_document(text: bytes) -> None:
    document = SecretDocument.parse(text)
    assert isinstance(document.text, bytes)
    assert "text" not in repr(document)


@given(st.binary(max_size=200).filter(lambda text: b"---" not in text and b"\r" not in text))
def test_what_is_not_yaml_keeps_every_byte(text: bytes) -> None:
    if text.startswith(b"GOPASS-SECRET-1.0"):
        return
    assert SecretDocument.parse(text).text in {text, text + b"\n"}


@pytest.mark.parametrize("text", STAYS_YAML, ids=repr)
def test_what_lies_further_behind_the_first_document_is_not_read(text: bytes) -> None:
    document = SecretDocument.parse(text)
    assert (document.format, document.keys) == (Format.YAML, {"a": b"b"})


@pytest.mark.parametrize("text", IS_NONE, ids=repr)
def test_a_first_document_with_no_yaml_just_behind_it_is_none(text: bytes) -> None:
    document = SecretDocument.parse(text)
    assert document.format is Format.AKV
    assert document.text.startswith(text)
