"""What a command complained of → text that may be shown: values that were read become `***`.

Masked are the value, its lines, what stands after a key, and the forms that shells and encoders
give them: base64 (also wrapped, also without the final newline), hexadecimal, percent escapes,
quoted for a shell or for JSON. A part of a value, or another encoding, cannot be known: so what is
shown is short.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from flux_secret.model.plaintext import MASK, Plaintext

MIN_MASKED: Final = 3  # bytes; shorter values would mask half of every message
MAX_SHOWN: Final = 2000  # characters, the last ones
_WRAP_COLUMNS: Final = (76, 64)  # base64's own, and PEM's
_TRACED: Final = re.compile(rb"^\++ .*\n?", re.MULTILINE)
_WRAPPED_LINE: Final = 16  # characters; the last line of wrapped base64 may be shorter


def masked(text: bytes, values: Iterable[Plaintext]) -> str:
    """Give the end of `text`, printable, without any of `values`."""
    forms = {form for value in values for form in _forms(value.reveal())}
    # longest first: a short form inside a long one would leave the rest of it
    for form in sorted(forms, key=lambda form: (-len(form), form)):
        text = text.replace(form, MASK.encode())
    shown = text.decode(errors="replace").strip()[-MAX_SHOWN:]
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in shown)


def untraced(text: bytes) -> bytes:
    """Leave out what a shell prints under `set -x`: every value on its way, also in parts."""
    return _TRACED.sub(b"", text)


def _forms(value: bytes) -> Iterator[bytes]:
    lines = value.splitlines()
    fields = (line.partition(b": ")[2] for line in lines)  # `user: …`, as entries have them
    for part in {value, value.strip(), value.rstrip(b"\n") + b"\n", *lines, *fields}:
        for form in _encoded(part):
            if len(form) >= MIN_MASKED:
                yield form


def _encoded(part: bytes) -> Iterator[bytes]:
    yield part
    yield part.hex().encode()
    yield part.hex().upper().encode()
    for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = alphabet(part)
        yield encoded
        yield encoded.rstrip(b"=")
        for columns in _WRAP_COLUMNS:
            lines = [encoded[i : i + columns] for i in range(0, len(encoded), columns)]
            yield from (line for line in lines if len(line) >= _WRAPPED_LINE)
    text = part.decode(errors="surrogateescape")
    for quoted in (
        text.replace("'", "'\\''"),
        text.replace("'", "'\"'\"'"),
        json.dumps(text, ensure_ascii=False)[1:-1],
        json.dumps(text)[1:-1],
        re.sub(r"([^\w@%+=:,./-])", r"\\\1", text),
    ):
        yield quoted.encode(errors="surrogateescape")
    yield quote(part, safe="").encode()
    yield quote(part).encode()
    yield quote_plus(part).encode()
