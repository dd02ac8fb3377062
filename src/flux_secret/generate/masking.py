"""What a command complained of → text that may be shown: values that were read become `***`.

Masked are the value, its lines, what stands after a key, and the forms that shells and encoders
give them: base64 (also wrapped, also without the final newline), hexadecimal, percent escapes,
quoted for a shell or for JSON. A part of a value, or another encoding, cannot be known: so what is
shown is short.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from flux_secret.model.plaintext import MASK, Plaintext
from flux_secret.model.shown import encodings

MIN_MASKED: Final = 3  # bytes; shorter values would mask half of every message
MAX_SHOWN: Final = 2000  # characters, the last ones
_TRACED: Final = re.compile(rb"^\++ .*\n?", re.MULTILINE)


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
    # `user: …`, as entries have them; `USER=…`, as files do that generators read
    fields = [line.partition(by)[2] for line in lines for by in (b": ", b"=")]
    bare = [field.strip(b"\"'") for field in fields]
    for part in {value, value.strip(), value.rstrip(b"\n") + b"\n", *lines, *fields, *bare}:
        for form in encodings(part):
            if len(form) >= MIN_MASKED:
                yield form
