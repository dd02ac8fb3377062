"""Whatever an entry holds, an edit changes its one thing and no other byte, or refuses."""

from __future__ import annotations

from hypothesis import example, given, settings

from flux_secret.errors import AccessError
from flux_secret.store.format.document import Format, SecretDocument
from flux_secret.store.format.edit import (
    append,
    remove_key,
    set_key,
    set_password,
)
from flux_secret.store.format.lines import split_lines
from flux_secret.store.format.yamledit import YamlText
from simulators import texts


def alike(left: bytes, right: bytes) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(left), len(right)))


def replaced(before: bytes, after: bytes) -> bytes:
    """Give what stood where the two texts differ, without what begins and ends alike."""
    start = alike(before, after)
    end = alike(before[start:][::-1], after[start:][::-1])
    return before[start : len(before) - end]


def old_value(text: bytes, key: str) -> bytes:
    """Give the text of a value in YAML."""
    entry = YamlText.parse(text)
    found = entry.node(key)
    return entry.source(found[1]).encode() if found else b""


def others(text: bytes, key: str) -> list[bytes]:
    name = key.encode(errors="surrogateescape")
    return [line for line in split_lines(text)[1:] if name not in line]


@settings(max_examples=300)
@given(texts.texts, texts.keys, texts.values)
@example(b"pw\n---\nn:\nk: |\n  one\n", "k", b"x")
def test_no_byte_is_changed_by_an_edit_of_another_key(text: bytes, key: str, value: bytes) -> None:
    before = SecretDocument.parse(text)
    try:
        result = set_key(text, key, value)
    except AccessError:
        return
    after = SecretDocument.parse(result)
    assert {**after.keys, key: b""} == {**before.keys, key: b""}
    assert (after.password, after.body) == (before.password, before.body)
    gone = replaced(text, result)
    if before.format is Format.YAML:
        assert after.keys[key] == value
        assert gone in old_value(text, key)
    else:
        assert after.keys[key].partition(b"\n")[0] == value
        assert gone in before.keys.get(key, b"").partition(b"\n")[0]


@given(texts.texts, texts.values)
def test_a_new_password_leaves_every_other_line(text: bytes, password: bytes) -> None:
    try:
        result = set_password(text, password)
    except AccessError:
        return
    kept = split_lines(text)[1:]
    assert split_lines(result)[-len(kept) :] == kept or not kept
    assert SecretDocument.parse(result).password == password


@given(texts.texts, texts.keys)
def test_a_removed_key_leaves_every_other_line(text: bytes, key: str) -> None:
    try:
        result = remove_key(text, key)
    except AccessError:
        return
    assert key not in SecretDocument.parse(result).keys
    if SecretDocument.parse(text).format is Format.AKV:
        assert others(result, key) == others(text, key)


@given(texts.texts, texts.values)
def test_what_is_appended_changes_nothing_before_it(text: bytes, more: bytes) -> None:
    try:
        result = append(text, more)
    except AccessError:
        return
    if SecretDocument.parse(text).format is Format.AKV:
        assert result.startswith(text)
