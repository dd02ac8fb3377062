"""Entries' texts as people, programs and accidents write them, for property tests."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

KEYS: Final = ["user", "url", "a:b", "port", "Ü", "k", "---x", "x y", "<<", "~", "0123"]
_VALUES: Final = [
    b"",
    b"x",
    b" x ",
    b"0123",
    b"a: b",
    b"yes",
    b"# c",
    b"'",
    b'"',
    b"[1",
    b"\xc3\xbc",
]
_LINES: Final = [
    b"body", b"", b"  ", b"k:v", b"-----BEGIN X-----", b"abc=", b"\x00\xff\xfe", b"\r", b"- x",
    b"otpauth://totp/x?secret=JBSWY3DP", b"# comment", b": empty", b"x" * 70_000,
]  # fmt: skip
_YAML: Final = [
    b"user: demo # c", b"url: 'https://x'", b'port: "1"', b"port: 0123", b"k: [1, 2]", b"k: {a: b}",
    b"k: &x 1", b"u: *x", b"x y:", b"x y: |\n  one\n  two\n", b"k: >-\n  one\n\n  two", b"# c",
    b"a:b: c", b"\"a:b\": 'c'", b"url: one\n  two", b"t: 2001-01-23", b"<<: {m: 1}", b"...", b"---",
    b"k:\n- 1\n- 2", b"m:\n    n: o", b"\tx", b"n: ~", b"k: !!str 5", b"", b"user:\tx",
]  # fmt: skip


def _joined(lines: list[bytes], newline: bytes, *, is_ended: bool) -> bytes:
    text = newline.join(lines)
    return text + newline if is_ended and lines else text


_keyed = st.builds(
    lambda indent, key, colon, value: indent + key.encode() + colon + value,
    st.sampled_from([b"", b" ", b"\xc2\xa0"]),
    st.sampled_from(KEYS),
    st.sampled_from([b": ", b" : ", b":  ", b":"]),
    st.sampled_from(_VALUES),
)
_newlines = st.sampled_from([b"\n", b"\n", b"\r\n"])
plain = st.builds(
    _joined,
    st.lists(st.one_of(_keyed, _keyed, st.sampled_from(_LINES), st.binary(max_size=5)), max_size=6),
    _newlines,
    is_ended=st.booleans(),
)
yaml = st.builds(
    lambda head, lines, newline, is_ended: head + _joined(lines, newline, is_ended=is_ended),
    st.sampled_from(
        [b"pw\n---\n", b"---\n", b"pw\nbody\n---\n", b"pw\r\n---\r\n", b"pw\n--- # c\n"]
    ),
    st.lists(st.sampled_from(_YAML), max_size=6),
    _newlines,
    st.booleans(),
)
mime = st.just(b"GOPASS-SECRET-1.0\nPassword: pw\nUser: me\n\nbody\n")
files = st.just(b"\nContent-Transfer-Encoding: Base64\nAP8K\n")
texts = st.one_of(plain, plain, yaml, yaml, st.binary(max_size=60), mime, files)
keys = st.one_of(st.sampled_from(KEYS), st.text(max_size=6))
values = st.one_of(
    st.sampled_from(_VALUES), st.binary(max_size=12), st.text(max_size=9).map(str.encode)
)
