"""A value → the forms in which somebody else's message may show it: shells, encoders, servers.

A part of a value, or another encoding, cannot be known.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

_WRAP_COLUMNS: Final = (76, 64)  # base64's own, and PEM's
_WRAPPED_LINE: Final = 16  # characters; the last line of wrapped base64 may be shorter
_SHELLS: Final = re.compile(r"([^\w@%+=:,./-])")  # what a shell would read: quoted with backslashes


def encodings(value: bytes) -> Iterator[bytes]:
    """Give the value itself, in base64, in hexadecimal, in percent escapes, and quoted."""
    yield value
    yield value.hex().encode()
    yield value.hex().upper().encode()
    for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = alphabet(value)
        yield encoded
        yield encoded.rstrip(b"=")
        for columns in _WRAP_COLUMNS:
            lines = [encoded[i : i + columns] for i in range(0, len(encoded), columns)]
            yield from (line for line in lines if len(line) >= _WRAPPED_LINE)
    text = value.decode(errors="surrogateescape")
    for quoted in (
        text.replace("'", "'\\''"),
        text.replace("'", "'\"'\"'"),
        json.dumps(text, ensure_ascii=False)[1:-1],
        json.dumps(text)[1:-1],
        _SHELLS.sub(r"\\\1", text),
    ):
        yield quoted.encode(errors="surrogateescape")
    yield quote(value, safe="").encode()
    yield quote(value).encode()
    yield quote_plus(value).encode()


def base64_inside(value: bytes) -> Iterator[bytes]:
    """Give the part of the value's base64 that no neighbour can change, for each of 3 offsets."""
    for offset, tainted in enumerate((0, 2, 3)):
        text = base64.b64encode(bytes(offset) + value).rstrip(b"=")
        yield text[tainted : len(text) - bool((offset + len(value)) % 3)]
