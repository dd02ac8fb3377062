"""Two edits of one entry become one text that holds both, or a conflict that names the fields."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux_secret.errors import AccessError
from flux_secret.store.format.document import SecretDocument
from flux_secret.store.format.edit import append, remove_key, set_key, set_password
from flux_secret.store.format.merge import Conflict, Merged, merge
from simulators import texts

BASE = b"pw\nuser: a\nurl: b\nbody\n"
YAML = b"pw\n---\n# who\nuser: a\n# where\nurl: b\nport: 1\nl: [1]\n"


def merged(base: bytes | None, ours: bytes, theirs: bytes) -> bytes:
    outcome = merge(base, ours, theirs)
    assert isinstance(outcome, Merged), outcome
    return outcome.text


def conflict(base: bytes | None, ours: bytes, theirs: bytes) -> tuple[str, ...]:
    outcome = merge(base, ours, theirs)
    assert isinstance(outcome, Conflict)
    assert merge(base, theirs, ours) == outcome
    return outcome.fields


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "result"),
    [
        # each its own field
        (BASE, b"new\nuser: a\nurl: b\nbody\n", b"pw\nuser: a\nurl: c\nbody\n",
         b"new\nuser: a\nurl: c\nbody\n"),
        (BASE, b"new\nuser: a\nurl: b\nbody\n", b"pw\nuser: z\nurl: b\nbody\n",
         b"new\nuser: z\nurl: b\nbody\n"),
        (BASE, b"pw\nuser: a\nbody\n", b"pw\nuser: z\nurl: b\nbody\n", b"pw\nuser: z\nbody\n"),
        (BASE, b"pw\nuser: a\nurl: b\nbody\nmore\n", b"new\nuser: a\nurl: b\nbody\n",
         b"new\nuser: a\nurl: b\nbody\nmore\n"),
        # both at the end, where git sees a conflict
        (BASE, BASE + b"one: 1\n", BASE + b"two: 2\n", BASE + b"one: 1\ntwo: 2\n"),
        (BASE, BASE + b"one: 1\n", BASE + b"two: 2", BASE + b"one: 1\ntwo: 2\n"),
        (BASE, BASE + b"one: 1\n", BASE + b"a note\n", BASE + b"a note\none: 1\n"),
        (b"pw", b"pw\nuser: a\n", b"new", b"new\nuser: a\n"),
        # bodies by lines
        (b"pw\n1\n2\n3\n4\n5\n", b"pw\n1!\n2\n3\n4\n5\n", b"pw\n1\n2\n3\n4\n5!\n",
         b"pw\n1!\n2\n3\n4\n5!\n"),
        # the same on both sides
        (BASE, b"new\nuser: z\nurl: b\nbody\n", b"new\nuser: a\nurl: z\nbody\n",
         b"new\nuser: z\nurl: z\nbody\n"),
        # several values of a key, changed by one side
        (b"pw\nk: 1\nk: 2\nz: 1\n", b"pw\nk: 1\nk: 3\nz: 1\n", b"new\nk: 1\nk: 2\nz: 1\n",
         b"new\nk: 1\nk: 3\nz: 1\n"),
        # line ends of one side
        (BASE, BASE.replace(b"\n", b"\r\n"), b"new\nuser: a\nurl: b\nbody\n",
         b"new\r\nuser: a\r\nurl: b\r\nbody\r\n"),
        # YAML keeps comments, types and what only the other side changed
        (YAML, YAML.replace(b": a", b": z"), YAML.replace(b": b", b": y"),
         YAML.replace(b": a", b": z").replace(b": b", b": y")),
        (YAML, YAML.replace(b"port: 1", b"port: 2"), YAML.replace(b"url: b", b"url: c"),
         YAML.replace(b"port: 1", b"port: 2").replace(b"url: b", b"url: c")),
        (YAML, YAML.replace(b"# who", b"# whose"), YAML.replace(b"port: 1", b"port: '1'"),
         YAML.replace(b"# who", b"# whose").replace(b"port: 1", b"port: '1'")),
        (YAML, YAML.replace(b"l: [1]", b"l: [2]"), YAML.replace(b"pw\n", b"new\n"),
         YAML.replace(b"l: [1]", b"l: [2]").replace(b"pw\n", b"new\n")),
        (YAML, YAML.replace(b"user: a", b"user: z"), YAML.replace(b"user: a", b"user: a # c"),
         YAML.replace(b"user: a", b"user: z # c")),
        (YAML, YAML + b"one: 1\n", YAML + b"two: x\n", YAML + b"one: 1\ntwo: x\n"),
        (YAML, YAML + b"one: 1\n", YAML.replace(b"l: [1]", b"l: [2]") + b"two: 2\n",
         YAML.replace(b"l: [1]", b"l: [2]") + b"two: 2\none: 1\n"),
        (YAML, YAML + b"one: 1\n", YAML + b"two: |\n    x\n    y\n",
         YAML + b"one: 1\ntwo: |\n    x\n    y\n"),
        (YAML + b"d: |\n  x\ne: 1\n", YAML + b"d: |\n  x\ne: 2\n", YAML + b"d: y\ne: 1\n",
         YAML + b"d: y\ne: 2\n"),
        # both added the entry
        (None, b"pw\nuser: a\n", b"pw\nurl: b\n", b"pw\nuser: a\nurl: b\n"),
        (None, b"pw\n", b"\nurl: b\n", b"pw\nurl: b\n"),
    ],
)  # fmt: skip
def test_edits_of_different_fields_are_both_in_the_result(
    base: bytes | None, ours: bytes, theirs: bytes, result: bytes
) -> None:
    assert merged(base, ours, theirs) == result
    assert fields(merged(base, theirs, ours)) == fields(result)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "fields"),
    [
        (BASE, b"one" + BASE, b"two" + BASE, ("password",)),
        (BASE, BASE.replace(b": a", b": y"), BASE.replace(b": a", b": z"), ("key user",)),
        (BASE, BASE.replace(b"user: a\n", b""), BASE.replace(b": a", b": z"), ("key user",)),
        (BASE, BASE + b"one: 1\n", BASE + b"one: 2\n", ("key one",)),
        (BASE, b"1" + BASE.replace(b"body", b"x"), b"2" + BASE.replace(b"body", b"y"),
         ("body", "password")),
        (BASE, BASE + b"one\n", BASE + b"two\n", ("body",)),
        (b"pw\nk: 1\nk: 2\n", b"pw\nk: 1\nk: 2\nk: 3\n", b"pw\nk: 0\nk: 2\n", ("key k",)),
        (YAML, YAML.replace(b"port: 1", b"port: 2"), YAML.replace(b"port: 1", b"port: '1'"),
         ("key port",)),
        (YAML, YAML.replace(b"l: [1]", b"l: [2]"), YAML.replace(b"l: [1]", b"l: [3]"), ("key l",)),
        # nothing is disputed, but neither can be put into the other: two lines that touch
        (b"pw\nj: 1\nj: 2\nk: 1\nk: 2\n", b"pw\nj: 1\nj: 3\nk: 1\nk: 2\n",
         b"pw\nj: 1\nj: 2\nk: 0\nk: 2\n", ("key j", "key k")),
        # comments are no fields, and are not lost either
        (YAML, YAML.replace(b"# who", b"# whose"), YAML.replace(b"# who", b"# whom"),
         ("the whole text",)),
        (None, b"one\nuser: a\n", b"two\nuser: a\n", ("password",)),
        (None, b"pw\nuser: a\n", b"pw\nuser: b\n", ("key user",)),
        (None, YAML, YAML.replace(b"port", b"host"), ("key host", "key port")),
        (None, YAML, YAML.replace(b"# who", b"#"), ("the whole text",)),
        (BASE, YAML, BASE + b"one: 1\n", ("the whole text",)),
        (BASE, b"\nContent-Transfer-Encoding: base64\nAP8K\n", BASE + b"z", ("the whole text",)),
        (b"GOPASS-SECRET-1.0\nPassword: pw\n", b"pw\n", b"pw\na: b\n", ("the whole text",)),
    ],
)  # fmt: skip
def test_a_field_that_both_changed_is_a_conflict_that_names_it(
    base: bytes | None, ours: bytes, theirs: bytes, fields: tuple[str, ...]
) -> None:
    assert conflict(base, ours, theirs) == fields


def test_neither_outcome_shows_a_value() -> None:
    assert "hunter2" not in repr(merge(BASE, b"hunter2" + BASE, BASE + b"z: 1\n"))
    assert "hunter2" not in repr(merge(BASE, b"hunter2" + BASE, b"hunter3" + BASE))


def test_very_long_bodies_are_not_merged_by_lines() -> None:
    body = b"x\n" * 3_000
    base = b"pw\n" + body
    assert conflict(base, b"pw\n1\n" + body, base + b"2\n") == ("body",)
    assert merged(base, b"new\n" + body, base + b"2\n") == b"new\n" + body + b"2\n"


def edited(text: bytes, edits: list[tuple[str, str, bytes]]) -> bytes:
    """Make some edits, leaving out those that are refused."""
    for kind, key, value in edits:
        try:
            match kind:
                case "password":
                    text = set_password(text, value)
                case "key":
                    text = set_key(text, key, value)
                case "remove":
                    text = remove_key(text, key)
                case _:
                    text = append(text, value)
        except AccessError:
            continue
    return text


edits = st.lists(
    st.tuples(
        st.sampled_from(["password", "key", "key", "remove", "append"]), texts.keys, texts.values
    ),
    max_size=3,
)


def fields(text: bytes) -> dict[str, bytes]:
    document = SecretDocument.parse(text)
    keys = {f"key {key}": value for key, value in document.keys.items()}
    return {"password": document.password, "body": document.body, **keys}


@given(texts.texts, texts.texts)
def test_what_only_one_side_changed_is_the_result(base: bytes, other: bytes) -> None:
    assert merged(base, other, base) == other
    assert merged(base, base, other) == other
    assert merged(base, other, other) == other
    assert merged(None, other, other) == other


@settings(max_examples=200)
@given(texts.texts, edits, edits)
def test_every_changed_field_of_both_sides_is_in_the_result(
    base: bytes, first: list[tuple[str, str, bytes]], second: list[tuple[str, str, bytes]]
) -> None:
    ours, theirs = edited(base, first), edited(base, second)
    outcome, mirrored = merge(base, ours, theirs), merge(base, theirs, ours)
    if isinstance(outcome, Conflict):
        assert outcome == mirrored
        assert outcome.fields
        return
    assert isinstance(mirrored, Merged)
    result, old = fields(outcome.text), fields(base)
    assert fields(mirrored.text) == result
    for side in (fields(ours), fields(theirs)):
        for name in side.keys() | old.keys():
            if side.get(name) != old.get(name) and name != "body":
                assert result.get(name) == side.get(name)
    bodies = [
        fields(side)["body"] for side in (ours, theirs) if fields(side)["body"] != old["body"]
    ]
    assert len(set(bodies)) != 1 or result["body"] == bodies[0]


@given(texts.texts, texts.texts, texts.texts)
def test_unrelated_texts_never_lose_a_field_either(base: bytes, ours: bytes, theirs: bytes) -> None:
    outcome = merge(base, ours, theirs)
    if isinstance(outcome, Merged):
        result, old = fields(outcome.text), fields(base)
        for side in (fields(ours), fields(theirs)):
            for name, value in side.items():
                if old.get(name) != value and name != "body":
                    assert result[name] == value
