"""An entry's text → its parts, as gopass 1.16 reads it (facts: gopass §3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import KeyNotFoundError
from flux_secret.model.names import SecretPath
from flux_secret.model.reference import Lookup, Part
from flux_secret.store.format.document import SecretDocument

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
        (b"GOPASS-SECRET-1.0\nPassword: pw\nUser: me\n\nbody\n", "user", b"me"),
    ],
)
def test_a_key_is_what_gopass_would_print(text: bytes, key: str, value: bytes) -> None:
    assert part(text, Part.KEY, key) == value


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
