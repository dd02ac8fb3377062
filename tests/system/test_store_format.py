"""What we make of an entry's text is what the real gopass 1.16 makes of it."""

from __future__ import annotations

import pytest

from flux_secret.store.format.document import SecretDocument
from simulators.gopass import PlainStore
from simulators.yaml_ends import IS_NONE, STAYS_YAML

HEAD = b"pw\n---\n"
TEXTS: list[bytes] = [
    # where YAML begins
    b"pw\n---foo: bar\n",
    b"pw\n--- {a: b}\n",
    b"pw\n--- # c\na: b\n",
    b"pw\n---\n---\na: b\n",
    b"---\n---\na: b\n",
    b"pw\n---",
    b"pw\n--",
    b"pw\nx\n---\n",
    b"pw\n---\n\n",
    b"pw\n  ---\na: b\n",
    b"pw\n-----BEGIN X-----\na: b\n",
    b"pw\n-----BEGIN X-----\nVersion: 1\n\nabc\n-----END X-----\n",
    b"pw\r\n---\r\na: b\r\n",
    b"\xc2\xa0pw\xe2\x80\x83\n---\na: b\n",
    b"\xef\xbb\xbfpw\n---\na: b\n",
    # what is in it
    HEAD + b"1: a\n",
    HEAD + b"true: a\n~: b\n0x1F: c\n",
    HEAD + b"a: &x 1\nb: *x\n",
    HEAD + b"q: &x {k: v}\nb:\n  <<: *x\n  z: 1\n",
    HEAD + b"<<: {z: 1, a: c}\na: b\n",
    HEAD + b"<<: 1\na: b\n",
    HEAD + b"a: &x [*x]\n",
    HEAD + b"a:\tb\n",
    HEAD + b"a: b\t# c\n",
    HEAD + b"a: !!str 5\nb: !foo 5\nc: !!float 5\nd: !!binary aGk=\n",
    HEAD + b"a: !!int x\n",
    HEAD + b"a: !!binary x\n",
    HEAD + b"a: 2001-01-23T10:00:00Z\nb: 2001-1-3 10:00:00.50\nc: 2001-01-23t1:2:3+02:00\n",
    HEAD + b"a: 2001-01-23 10:00:00.5 +02:00\nb: 2001-02-30\nc: 2001-01-23T10:00:00\n",
    HEAD + b"a: 1e3\nb: .5\nc: 1_0.5\nd: 0b11\ne: -0x1f\nf: 08\ng: 0o8\nh: 1.\ni: -0o17\n",
    HEAD + b"a: 18446744073709551616\nb: 9223372036854775808\nc: +9223372036854775808\n",
    HEAD + b"a: +1\nb: +.5\nc: 0.0\nd: -0\ne: 1e21\nf: 123456789.0\ng: 1e-7\nh: 1e999\n",
    HEAD + b"a: 123456.0\nb: 1234567.0\nc: 0.0001\nd: 0.00001\ne: -1.5e10\nf: .inf\ng: .nan\n",
    HEAD + b"a: 12:30:45\nb: =\nc: <<\nd: y\ny: d\nOFF: x\n=: z\n",
    HEAD + "a: \U0001f600\nb: x\u2028y\nc: \xe9\n".encode(),
    HEAD + b'"a b": c\n\'q\': "x\\ny\\tz"\n? e\n: f\n',
    HEAD + b"a: {b: [1, {c: d}], e: {}, f: []}\nl:\n- - x\n  - y\n- z: 1\n  w: 2\n",
    HEAD + b"a: |\n  x\n  y\n\nb: >\n  x\n  y\nc: |+\n  x\n\nd: |2-\n    x\n   y\n",
    HEAD + b"a10: 1\na2: 2\na-1: 3\nab: 4\na: 5\nA: 6\na02: 7\n10: 8\n9: 9\n1b: 1\n1-: 2\n",
    HEAD + b"a: {10: x, 9: y}\nb: {true: x, false: y}\nc: {1.5: x, 0.5: y}\n",
    HEAD + b"a: b\n...\nrest\n",
    HEAD + b"a: b\n---\nc: {\n",
    HEAD + b"a: b\n--- x\n",
    *STAYS_YAML,
    *IS_NONE,
    # what is none
    HEAD + b"- a\n",
    HEAD + b"null\n",
    HEAD + b"text\n",
    HEAD + b"# c\n",
    HEAD + b"a: b\n b: c\n",
    HEAD + b"a: @x\n",
    HEAD + b"a: \xff\n",
    HEAD + b"a: \x07\n",
    HEAD + b"a: 1\na: 2\n",
    HEAD + b"[a]: b\n",
    HEAD + b"a: b\n\tc: d\n",
    # not YAML at all
    b"pw\n\xc2\xa0user: a\n\xe2\x80\x83key : b\n\x1cother: c\n",
    b" GOPASS-SECRET-1.0 \nPassword: x\nfoo: bar\n",
    b"GOPASS-SECRET-1.0\nPassword: x\nfoo: bar\n\nbody",
]


@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_an_entry_has_the_parts_that_gopass_finds(plain_store: PlainStore, text: bytes) -> None:
    ours = SecretDocument.parse(text)
    assert plain_store.show(text) == (0, ours.text)
    code, password = plain_store.show(text, "", "-o")
    assert (code, password) == ((0, ours.password) if ours.password else (code, b""))
    for key, value in ours.keys.items():
        assert plain_store.show(text, key) == (0, value), key
