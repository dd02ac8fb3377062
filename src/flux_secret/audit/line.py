"""Fields → one line of the record and its hash; a line → its fields, or why it is none.

A line is an object of JSON in the form of RFC 8785 (JCS), of which it uses a part: names are ASCII,
numbers are integers below 2**53, and there is no null and no fraction. So names are sorted, nothing
stands between the marks, and text is UTF-8 with only what JSON must escape escaped.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from flux_secret.errors import BugError
from flux_secret.model.record import Detail, Note

VERSION: Final = 1
FORMAT: Final = f"flux-secret record v{VERSION}"
NO_HASH: Final = "0" * 64
"""What the first record of a chain has for the hash of the one before it."""
MAX_LINE_BYTES: Final = 1024 * 1024
MAX_TEXT: Final = 8192  # characters; longer ones are cut, and say so
_MAX_NUMBER: Final = 2**53 - 1
_MAX_LIST: Final = 65_536  # characters of a list's items; those behind them are counted
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
_HASH: Final = re.compile(r"[0-9a-f]{64}\Z")
_KIND: Final = re.compile(r"[a-z][a-z-]{0,31}\Z")
WRITER: Final = re.compile(r"[a-z0-9.@_-]{1,80}\Z")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z\Z")
_FIELDS: Final = frozenset(
    {"about", "details", "hash", "kind", "prev", "seq", "time", "v", "writer"}
)
_HEAD_FIELDS: Final = frozenset({"about", "details"})
_REST: Final = re.compile(  # of a line, from its hash on
    rb',"hash":"([0-9a-f]{64})","kind":"([a-z][a-z-]{0,31})","prev":"([0-9a-f]{64})"'
    rb',"seq":([1-9][0-9]{0,15}),"time":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}'
    rb'\.[0-9]{3}Z)","v":1,"writer":"([a-z0-9.@_-]{1,80})"\}'
)
_HASH_MEMBER: Final = b',"hash":"'
_KIND_MEMBER: Final = b',"kind":"'
_HASH_BYTES: Final = len(_HASH_MEMBER) + 64 + 1
_decode = json.JSONDecoder().decode
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode

Value = str | int | bool | list[str]


class BadLineError(Exception):
    """A line that is no record; says why, for people."""


class Record(NamedTuple):
    """One interaction, as a link of a chain."""

    seq: int
    """1, 2, 3 … in its chain."""
    time: str
    """RFC 3339, UTC, milliseconds."""
    writer: str
    kind: str
    about: str
    details: Mapping[str, Value]
    prev: str
    """The hash of the record before."""
    hash: str


def settled(note: Note) -> Note:
    """Give a note with what stands in its line: no empty fields, and no endless ones.

    Raises `BugError` for what cannot stand there, so that it spoils no other note of its group.
    """
    details = {
        name: said
        for name, value in note.details.items()
        if (said := _said(name, value)) is not None
    }
    about = _text(note.about)
    size = len(_encode([about, details]).encode())
    if size > MAX_LINE_BYTES // 2:
        raise BugError(f"a record of {size} bytes is longer than a line may be")
    return Note(note.kind, about, details)


def line_of(note: Note, *, seq: int, time: str, writer: str, prev: str) -> tuple[bytes, str]:
    """Give the line of a settled note, with its line break, and its hash."""
    fields = {
        "about": note.about,
        "details": note.details,
        "kind": note.kind,
        "prev": prev,
        "seq": seq,
        "time": time,
        "v": VERSION,
        "writer": writer,
    }
    hashed = _encode(fields).encode()
    digest = hashlib.sha256(hashed).hexdigest()
    # nothing behind `kind` can hold these bytes, so it is the last place where they stand
    at = hashed.rindex(_KIND_MEMBER)
    return b'%s%s%s"%s\n' % (hashed[:at], _HASH_MEMBER, digest.encode(), hashed[at:]), digest


def parse(untrusted: bytes) -> Record:
    """Read a line, without its line break; raise `BadLineError`."""
    return _quickly(untrusted) or _thoroughly(untrusted)


def _quickly(untrusted: bytes) -> Record | None:
    """Read a line that is as we write it, in half the time; None leaves it to `_thoroughly`.

    What stands from the last `,"hash":"` on can be written in one way only; the rest is short.
    """
    at = untrusted.rfind(_HASH_MEMBER)
    found = _REST.fullmatch(untrusted, at) if 0 < at < len(untrusted) < MAX_LINE_BYTES else None
    head = _head(untrusted[:at] + b"}") if found else None
    if found is None or head is None:
        return None
    digest, kind, prev, seq, time, writer = map(bytes.decode, found.groups())
    hashed = hashlib.sha256(untrusted[:at])
    hashed.update(untrusted[at + _HASH_BYTES :])
    if hashed.hexdigest() != digest or int(seq) > _MAX_NUMBER:
        return None
    return Record(int(seq), time, writer, kind, *head, prev, digest)


def _head(untrusted: bytes) -> tuple[str, Mapping[str, Value]] | None:
    """Read what stands before a line's hash, if it is as we write it."""
    try:
        head = _decode(untrusted.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(head, dict) or head.keys() != _HEAD_FIELDS:
        return None
    about, details = head["about"], head["details"]
    is_typed = isinstance(about, str) and _are_details(details)
    is_canonical = is_typed and _encode(head).encode(errors="replace") == untrusted
    return (about, details) if is_canonical else None


def _thoroughly(untrusted: bytes) -> Record:
    """Read a line, and say what is wrong with it."""
    if len(untrusted) >= MAX_LINE_BYTES:
        raise BadLineError(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        fields = json.loads(untrusted)
    except (ValueError, RecursionError):
        raise BadLineError("the line is no JSON") from None
    if not isinstance(fields, dict) or fields.keys() != _FIELDS:
        raise BadLineError("the line has not the fields of a record")
    if type(fields["v"]) is not int or fields["v"] != VERSION:
        raise BadLineError(f"the line is of another version than {VERSION}")
    if not _is_typed(fields):
        raise BadLineError("a field of the line is not what it has to be")
    if _encode(fields).encode(errors="replace") != untrusted:
        raise BadLineError("the line is not written in the one way that counts (RFC 8785)")
    if hash_of(untrusted) != fields["hash"]:
        raise BadLineError("the line was edited: its hash is another")
    del fields["v"]
    return Record(**fields)


def number_in(record: Record, name: str) -> int | None:
    """Give the number in a detail; `true`, which Python takes for 1, is none, and a text is not."""
    found = record.details.get(name)
    return found if type(found) is int else None


def hash_of(line: bytes) -> str:
    """Give the hash of a record whose line is in the one form."""
    at = line.rindex(_HASH_MEMBER)
    return hashlib.sha256(line[:at] + line[at + _HASH_BYTES :]).hexdigest()


def hash_in(line: bytes) -> str:
    """Give the hash that a verified line names."""
    at = line.rindex(_HASH_MEMBER) + len(_HASH_MEMBER)
    return line[at : at + 64].decode()


def _is_typed(fields: Mapping[str, object]) -> bool:
    texts = {"about": None, "hash": _HASH, "prev": _HASH, "kind": _KIND, "time": _TIME}
    for name, pattern in {**texts, "writer": WRITER}.items():
        text = fields[name]
        if not isinstance(text, str) or (pattern is not None and not pattern.match(text)):
            return False
    seq = fields["seq"]
    is_number = type(seq) is int and 1 <= seq <= _MAX_NUMBER
    return is_number and _are_details(fields["details"])


def _are_details(details: object) -> bool:
    if not isinstance(details, dict):
        return False
    return all(_NAME.match(name) and _is_value(value) for name, value in details.items())


def _is_value(value: object) -> bool:
    if isinstance(value, str):
        return True
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, int):
        return abs(value) <= _MAX_NUMBER
    return False


def _said(name: str, value: Detail) -> Value | None:
    """Give what stands in the line; None for what is left out."""
    if not _NAME.match(name):
        raise BugError(f"a record cannot have a field {name!a}")
    if value is None or (not isinstance(value, int) and not value):
        return None
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        if abs(value) > _MAX_NUMBER:
            return str(value)
        return value
    if isinstance(value, Sequence):
        return list(_items([_text(item) for item in value]))
    raise BugError(f"a record's field {name} holds a {type(value).__name__}")


def _items(items: list[str]) -> Iterator[str]:
    size = 0
    for at, item in enumerate(items):
        size += len(item)
        if size > _MAX_LIST:
            yield f"… and {len(items) - at} more"
            return
        yield item


def _text(text: str) -> str:
    r"""Give text that is UTF-8 and not too long; a byte that was none is written `\udc80`."""
    if not isinstance(text, str):  # a `Plaintext`, say, which mypy has not seen
        raise BugError(f"a record's text is a {type(text).__name__}")
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}… ({len(text)} characters)"
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()
