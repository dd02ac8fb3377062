"""Two people's edits of one entry → one text with both, or what they disagree about.

1. Each side is a set of fields: the password, every key, the body. A field that one side changed
   takes that side's value; one that both changed in different ways is a conflict, and so is one
   that one side changed and the other removed. Bodies are merged by lines, as git does.
2. A text is made: by merging lines, which keeps the comments, order and blanks of both; else from
   one side, with the other's changes put in one by one (`edit`).
3. It counts only if it is read as exactly the fields of step 1. Otherwise there is a conflict:
   nobody's edit is ever lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final, TypeAlias

from flux_secret.errors import AccessError, EntryFormatError
from flux_secret.store.format import yamledit
from flux_secret.store.format.document import Format, SecretDocument
from flux_secret.store.format.edit import remove_key, set_key, set_password
from flux_secret.store.format.lines import split_lines

PASSWORD: Final = "password"  # noqa: S105 -- the name of a field
BODY: Final = "body"
WHOLE: Final = "the whole text"
_KEY: Final = "key "
_MAX_LINES: Final = 2_000  # more are not merged by lines: comparing them takes quadratic time

_Fields: TypeAlias = dict[str, bytes]
_Hunk: TypeAlias = tuple[int, int, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Merged:
    """The text with both edits."""

    text: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Conflict:
    """What both sides changed, each in its own way."""

    fields: tuple[str, ...]
    """Names and never values: `password`, `body`, `key NAME` or `the whole text`."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One text and how it is read."""

    text: bytes = field(repr=False)
    document: SecretDocument = field(repr=False)
    fields: _Fields = field(repr=False)

    @classmethod
    def parse(cls, text: bytes) -> _Side:
        document = SecretDocument.parse(text)
        fields = {PASSWORD: document.password, BODY: document.body}
        # a YAML number and the text of its digits are two values
        typed = document.yaml.typed() if document.yaml else {}
        for key, value in document.keys.items():
            fields[_KEY + key] = typed[key].encode(errors="surrogatepass") if typed else value
        return cls(text, document, fields)

    def changes(self, base: _Side) -> set[str]:
        names = self.fields.keys() | base.fields.keys()
        return {name for name in names if self.fields.get(name) != base.fields.get(name)}


def merge(base: bytes | None, ours: bytes, theirs: bytes) -> Merged | Conflict:
    """Merge two texts that come from `base`; without one, both people added the entry."""
    if ours in {theirs, base}:
        return Merged(theirs)
    if base == theirs:
        return Merged(ours)
    one, other = _Side.parse(ours), _Side.parse(theirs)
    origin = _Side.parse(base or b"")
    formats = {side.document.format for side in (one, other, *([] if base is None else [origin]))}
    if formats not in ({Format.AKV}, {Format.YAML}):
        return Conflict((WHOLE,))
    wanted, conflicts = _merged_fields(origin, one, other)
    if conflicts:
        return Conflict(tuple(sorted(conflicts)))
    for make in _ways(origin, one, other, is_new=base is None):
        try:
            made = make()
        except AccessError:  # this way is closed
            continue
        if made is not None and _is(made, one.document.format, wanted):
            return Merged(made)
    return Conflict(tuple(sorted(one.changes(other))) or (WHOLE,))


def _is(text: bytes, format_: Format, wanted: _Fields) -> bool:
    side = _Side.parse(text)
    return side.document.format is format_ and side.fields == wanted


def _merged_fields(base: _Side, ours: _Side, theirs: _Side) -> tuple[_Fields, set[str]]:
    """Give each field's merged value, and the names of those that have none."""
    merged: _Fields = {}
    conflicts = set()
    for name in base.fields.keys() | ours.fields.keys() | theirs.fields.keys():
        old, one, other = (side.fields.get(name) for side in (base, ours, theirs))
        is_disputed = one != other and old not in {one, other}
        if not is_disputed:
            value = other if one == old else one
        elif name == BODY:
            value = _merged_lines(*(side.fields[name] for side in (base, ours, theirs)))
        else:
            value = None
        if value is not None:
            merged[name] = value
        elif is_disputed:
            conflicts.add(name)
    return merged, conflicts


def _ways(
    base: _Side, ours: _Side, theirs: _Side, *, is_new: bool
) -> Iterator[Callable[[], bytes | None]]:
    """Give the ways to make a text, the one that keeps most of both sides first."""
    if not is_new:
        yield lambda: _merged_lines(base.text, ours.text, theirs.text)
    if is_new and ours.document.format is Format.YAML:
        return  # what stands around the keys has no origin to compare with
    yield lambda: _put_into(ours, base, theirs)
    yield lambda: _put_into(theirs, base, ours)


def _put_into(start: _Side, base: _Side, changed: _Side) -> bytes | None:
    """Put one side's changes into the other's text."""
    names = sorted(changed.changes(base) - {BODY})
    if changed.document.format is Format.YAML:
        # comments and the like are no fields: where more than fields changed, it would be lost
        again = _replayed(base.text, changed, names)
        if Counter(split_lines(again)) != Counter(split_lines(changed.text)):
            return None
    differing = [name for name in names if start.fields.get(name) != changed.fields.get(name)]
    return _replayed(start.text, changed, differing)


def _replayed(text: bytes, changed: _Side, names: list[str]) -> bytes:
    for name in names:
        key = name.removeprefix(_KEY)
        if name == PASSWORD:
            text = set_password(text, changed.document.password)
        elif name not in changed.fields:
            text = remove_key(text, key)
        elif changed.document.format is Format.YAML:
            text = _with_yaml(text, changed, key)
        else:
            text = _with_lines(text, key, changed.document.keys[key])
    return text


def _with_yaml(text: bytes, changed: _Side, key: str) -> bytes:
    source = yamledit.source_of(changed.text, key)
    if source is not None:
        return yamledit.with_source(text, key, source)
    return set_key(text, key, changed.document.keys[key])


def _with_lines(text: bytes, key: str, values: bytes) -> bytes:
    present = SecretDocument.parse(text).keys.get(key, b"")
    if b"\n" in values or b"\n" in present:
        raise EntryFormatError(f"{key!r} stands in several lines", remedy=yamledit.BY_HAND)
    return set_key(text, key, values)


def _merged_lines(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Merge as git does: changes that neither overlap nor touch; otherwise give None."""
    lines = split_lines(base)
    sides = [split_lines(side) for side in (ours, theirs)]
    if max(map(len, (lines, *sides))) > _MAX_LINES:
        return None
    hunks = sorted({hunk for side in sides for hunk in _hunks(lines, side)})
    if any(later[0] <= earlier[1] for earlier, later in pairwise(hunks)):
        return None
    merged: list[bytes] = []
    at = 0
    for start, end, replacement in hunks:
        merged += [*lines[at:start], *replacement]
        at = end
    return b"".join([*merged, *lines[at:]])


def _hunks(base: list[bytes], side: list[bytes]) -> Iterator[_Hunk]:
    matcher = SequenceMatcher(None, base, side, autojunk=False)
    for tag, start, end, first, last in matcher.get_opcodes():
        if tag != "equal":
            yield start, end, tuple(side[first:last])
