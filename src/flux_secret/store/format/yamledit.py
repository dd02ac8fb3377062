"""The text of a YAML entry → the same text with one scalar of a top-level key changed.

Comments, order, anchors and further documents stay, byte for byte: gopass loses them all (facts:
gopass §3.2). libyaml's marks say where a value stands. What they do not say well enough is
refused; the caller compares what the result is read as.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NoReturn

import yaml

from flux_secret.errors import EntryFormatError
from flux_secret.store.format.document import trimmed, yaml_start
from flux_secret.store.format.lines import ended, newline_of, with_first_line
from flux_secret.store.format.yamlbody import compose, dump, dump_scalar, is_yaml, top_level

BY_HAND: Final = "change it by hand, with `edit`"
_BLANK: Final = " \t\r\n"


@dataclass(frozen=True, slots=True)
class YamlText:
    """An entry's text, cut where its YAML begins; it holds values, so it has no readable `repr`."""

    head: bytes = field(repr=False)
    body: str = field(repr=False)
    root: yaml.Node | None = field(repr=False)

    @classmethod
    def parse(cls, text: bytes) -> YamlText:
        """Cut the text of a YAML entry; refuse one with a document behind that is none."""
        start = yaml_start(text) or 0
        body = text[start:].decode()
        if not is_yaml(body):
            _refuse("a document behind its first one is no YAML")
        root = compose(body)
        is_nothing = root is not None and root.start_mark.index == root.end_mark.index
        return cls(text[:start], body, None if is_nothing else root)

    def joined(self, start: int, end: int, replacement: str) -> bytes:
        """Give the text with a part of its YAML replaced."""
        return self.head + (self.body[:start] + replacement + self.body[end:]).encode()

    def node(self, key: str) -> tuple[yaml.Node, yaml.Node] | None:
        """Find a key and its value; keys that stand in a merged mapping are not found."""
        pairs = top_level(self.root)
        return next(((name, value) for name, value in pairs if name.value == key), None)

    def source(self, node: yaml.Node) -> str:
        """Give the text of a node."""
        return self.body[node.start_mark.index : node.end_mark.index]


def with_password(text: bytes, password: bytes) -> bytes:
    """Replace the first line; where it is the marker, put one before it."""
    first, _, _ = text.partition(b"\n")
    if trimmed(first) == b"---":
        return password + newline_of(first + b"\n") + text
    return with_first_line(text, password)


def with_lines(text: bytes, more: bytes) -> bytes:
    """Append lines to what stands before the YAML."""
    start = yaml_start(text) or 0
    first, _, _ = text.partition(b"\n")
    if trimmed(first) == b"---":
        return b"\n" + ended(more) + text
    return text[:start] + ended(more) + text[start:]


def with_value(text: bytes, key: str, value: str) -> bytes:
    """Replace the value of a top-level key, or append the key to the first document."""
    entry = YamlText.parse(text)
    found = entry.node(key)
    if found is None:
        return _with_new(entry, key, value)
    node = _checked(entry, key, *found)
    if node.style in {"|", ">"}:
        return _with_block(entry, key, node, value)
    written = dump_scalar(value, node.style or None)
    return _spliced(entry, node, written)


def with_source(text: bytes, key: str, source: str) -> bytes:
    """Replace a top-level scalar by the text of another, which keeps its type."""
    entry = YamlText.parse(text)
    found = entry.node(key)
    if found is None:
        return _appended(entry, dump({key: ""}).decode().removesuffix('""\n') + source + "\n")
    node = _checked(entry, key, *found)
    if node.style in {"|", ">"}:
        _refuse(f"the value of {key!r} is a block of lines")
    return _spliced(entry, node, source)


def source_of(text: bytes, key: str) -> str | None:
    """Give the text of a top-level scalar, if it may stand elsewhere as it is."""
    entry = YamlText.parse(text)
    found = entry.node(key)
    if found is None:
        return None
    source = entry.source(_checked(entry, key, *found))
    return None if "\n" in source else source


def without_key(text: bytes, key: str) -> bytes:
    """Take the lines of a top-level scalar away, with a comment that stands behind it."""
    entry = YamlText.parse(text)
    found = entry.node(key)
    if found is None:
        _refuse(f"{key!r} comes from a merged mapping")
    name, node = found[0], _checked(entry, key, *found)
    start = entry.body.rfind("\n", 0, name.start_mark.index) + 1
    end = node.start_mark.index + len(entry.source(node).rstrip(_BLANK))
    behind, newline, _ = entry.body[end:].partition("\n")
    if entry.body[start : name.start_mark.index].strip(" ") or behind.strip(_BLANK)[:1] not in {
        "",
        "#",
    }:
        _refuse(f"{key!r} does not stand on lines of its own")
    return entry.joined(start, end + len(behind) + len(newline), "")


def _spliced(entry: YamlText, node: yaml.Node, written: str) -> bytes:
    start, end = node.start_mark.index, node.end_mark.index
    return entry.joined(start, end, written if start < end else f" {written}")


def _with_block(entry: YamlText, key: str, node: yaml.Node, value: str) -> bytes:
    """Replace a block of lines; what follows its last line stays, blank lines included."""
    source = entry.source(node)
    if source.partition("\n")[0].strip(_BLANK).strip("|>+-0123456789"):
        _refuse(f"the value of {key!r} is a block of lines with a comment")
    tail = source[len(source.rstrip(_BLANK)) :].lstrip(" \t")
    is_at_margin = entry.root is not None and entry.root.start_mark.column == 0
    as_block = "\n" in value and not value.endswith("\n\n") and is_at_margin
    written = dump_scalar(value, "|" if as_block else None)
    written = written.replace("\n", _newline(entry))
    return entry.joined(node.start_mark.index, node.end_mark.index, written + tail)


def _with_new(entry: YamlText, key: str, value: str) -> bytes:
    column = entry.root.start_mark.column if entry.root is not None else 0
    if column and "\n" in value:
        written = dump({key: ""}).decode().removesuffix('""\n') + dump_scalar(value, '"') + "\n"
    else:
        written = dump({key: value}).decode()
    return _appended(entry, written)


def _appended(entry: YamlText, written: str) -> bytes:
    """Put lines behind the last key of the first document."""
    root, newline = entry.root, _newline(entry)
    if root is None and any(line[:3] in {"---", "..."} for line in entry.body.splitlines()[1:]):
        _refuse("its first document is empty, and not the last one")
    if root is not None and not isinstance(root, yaml.MappingNode):
        _refuse("it says null where keys would stand")
    if root is not None and root.flow_style:
        _refuse("its keys stand in braces")
    at = root.end_mark.index if root is not None else len(entry.body)
    written = " " * (root.start_mark.column if root is not None else 0) + written
    before = entry.body[:at]
    gap = "" if not before or before.endswith("\n") else newline
    return entry.joined(at, at, gap + written.replace("\n", newline))


def _newline(entry: YamlText) -> str:
    return newline_of(entry.head).decode()


def _checked(entry: YamlText, key: str, name: yaml.Node, node: yaml.Node) -> yaml.ScalarNode:
    """Give the value's scalar; refuse one that does not stand alone where its marks say."""
    if isinstance(entry.root, yaml.MappingNode) and entry.root.flow_style:
        _refuse("its keys stand in braces")
    if node.start_mark.index < name.end_mark.index:
        _refuse(f"the value of {key!r} is an alias")
    if not isinstance(node, yaml.ScalarNode):
        _refuse(f"the value of {key!r} is a list or a mapping")
    if entry.source(node)[:1] in {"&", "!"}:
        _refuse(f"the value of {key!r} has an anchor or a tag")
    return node


def _refuse(reason: str) -> NoReturn:
    raise EntryFormatError(f"the YAML of this entry is not changed: {reason}", remedy=BY_HAND)
