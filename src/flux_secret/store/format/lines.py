"""The lines of an AKV entry → the same lines with one of them changed.

Lines end at LF. A CR before it belongs to the ending, as for gopass, and stays (facts: gopass
§3.1). Nothing here knows a limit for the length of a line: gopass loses what follows one of more
than 64 KiB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from flux_secret.store.format.document import trimmed

SEPARATOR: Final = b": "
_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+")
_ENDING: Final = re.compile(rb"\r?\n?\Z")


def split_lines(text: bytes) -> list[bytes]:
    """Split into lines that keep their endings."""
    return _LINE.findall(text)


def with_first_line(text: bytes, content: bytes) -> bytes:
    """Replace the first line, but not its ending."""
    lines = split_lines(text) or [b"\n"]
    return b"".join([content + _ending(lines[0]), *lines[1:]])


def with_value(text: bytes, key: bytes, value: bytes) -> bytes:
    """Replace the value in the first line of that key; without one, append a line."""
    lines = split_lines(text)
    for at, start in _keyed(lines, key):
        lines[at] = lines[at][:start] + value + _ending(lines[at])
        return b"".join(lines)
    return with_lines(text or b"\n", key + SEPARATOR + value)


def without_key(text: bytes, key: bytes) -> bytes:
    """Take every line of that key away."""
    lines = split_lines(text)
    gone = {at for at, _ in _keyed(lines, key)}
    return b"".join(line for at, line in enumerate(lines) if at not in gone)


def with_lines(text: bytes, more: bytes) -> bytes:
    """Append lines; one that had no ending before gets one, so that none are glued together."""
    newline = newline_of(text)
    return ended(text, newline) + ended(more, newline)


def newline_of(text: bytes) -> bytes:
    """Give the ending of the last line that has one."""
    at = max(text.rfind(b"\n"), 0)
    return b"\r\n" if text[:at].endswith(b"\r") else b"\n"


def ended(text: bytes, newline: bytes = b"\n") -> bytes:
    """End the last line, if there is one and it has no end."""
    if not text or text.endswith(b"\n"):
        return text
    return text + (b"\n" if text.endswith(b"\r") else newline)


def _keyed(lines: list[bytes], key: bytes) -> Iterator[tuple[int, int]]:
    """Give each line of that key: its number, and where its value starts. The first is none."""
    for at, line in enumerate(lines[1:], start=1):
        name, separator, _ = line.removesuffix(_ending(line)).partition(SEPARATOR)
        if separator and trimmed(name) == key:
            yield at, len(name) + len(separator)


def _ending(line: bytes) -> bytes:
    match = _ENDING.search(line)
    return match[0] if match else b""
