"""Entry names ⇄ pseudonyms: the same name has the same one, and who has the key gets it back.

A pseudonym is `~` and, in base64url, a tag and the name under a stream of bytes: the tag is an
HMAC-SHA256 of the name (16 bytes), the stream is made of HMACs of the tag and a counter. So it is
the deterministic encryption of RFC 5297 (SIV) with HMAC in both places. Names are filled up to 16
bytes, so a pseudonym says how long a name is only in steps.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from flux_secret.errors import KeyFileError
from flux_secret.model.record import Detail, Kind, Note, Recorder

MARK: Final = "~"
LEAST_KEY: Final = 16
"""Bytes."""
MAX_KEY: Final = 4096
_TAG: Final = 16
_STEP: Final = 16
_TOKEN: Final = re.compile(r"~[A-Za-z0-9_-]{43,}")
_WORD: Final = re.compile(r"[^\s,;:()'\"`]+")
_NAMED: Final = frozenset({"entry", "entries", "path", "paths", "prefix"})
_ABOUT_ENTRIES: Final = frozenset({
    Kind.READ, Kind.REFUSED, Kind.APPROVAL, Kind.HELD, Kind.OWNERS, Kind.RECIPIENTS, Kind.REWIND,
    Kind.STORE,
})  # fmt: skip
_REMEMBERED: Final = 100_000  # names that are looked for in what is said of failures


class Pseudonyms:
    """A key, and what it makes of names."""

    def __init__(self, key: bytes) -> None:
        """Raise `KeyFileError` when it is too short to hide anything."""
        if not LEAST_KEY <= len(key) <= MAX_KEY:
            raise KeyFileError(
                f"the key for pseudonyms has {len(key)} bytes, not {LEAST_KEY} to {MAX_KEY}",
                remedy="make one: head -c 32 /dev/urandom > FILE; chmod 600 FILE",
            )
        self._tag_key = _mac(key, b"flux-secret record v1 pseudonym tag")
        self._stream_key = _mac(key, b"flux-secret record v1 pseudonym stream")

    def hide(self, name: str) -> str:
        """Give a name's pseudonym."""
        plain = name.encode(errors="backslashreplace")
        plain += b"\0" * (-len(plain) % _STEP)
        tag = _mac(self._tag_key, plain)[:_TAG]
        hidden = tag + self._mixed(tag, plain)
        return MARK + base64.urlsafe_b64encode(hidden).rstrip(b"=").decode()

    def show(self, pseudonym: str) -> str | None:
        """Give the name; None for what is no pseudonym under this key."""
        text = pseudonym.removeprefix(MARK)
        try:
            hidden = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (ValueError, binascii.Error):
            return None
        tag, plain = hidden[:_TAG], self._mixed(hidden[:_TAG], hidden[_TAG:])
        if not hmac.compare_digest(tag, _mac(self._tag_key, plain)[:_TAG]):
            return None
        return plain.rstrip(b"\0").decode(errors="replace")

    def shown(self, text: str) -> str:
        """Give a text with every name in the place of its pseudonym."""
        return _TOKEN.sub(lambda found: self.show(found[0]) or found[0], text)

    def _mixed(self, tag: bytes, data: bytes) -> bytes:
        stream = b"".join(
            _mac(self._stream_key, tag + at.to_bytes(4, "big"))
            for at in range((len(data) + 31) // 32)
        )
        return bytes(one ^ other for one, other in zip(data, stream, strict=False))


class Hiding:
    """A recorder that hides the names of entries before they are recorded."""

    def __init__(self, recorder: Recorder, pseudonyms: Pseudonyms) -> None:
        self._recorder = recorder
        self._pseudonyms = pseudonyms
        self._known: dict[str, str] = {}

    async def write(self, notes: Sequence[Note]) -> None:
        """Record them under pseudonyms; raise `RecordError`."""
        await self._recorder.write([self.hidden(note) for note in notes])

    def hidden(self, note: Note) -> Note:
        """Give the note with pseudonyms."""
        is_entry = note.kind in _ABOUT_ENTRIES
        about = self._name(note.about) if is_entry else self._text(note.about)
        return Note(note.kind, about, dict(self._details(note.details)))

    def _details(self, details: Mapping[str, Detail]) -> Iterator[tuple[str, Detail]]:
        for name, value in details.items():
            hide = self._name if name in _NAMED else self._text
            if isinstance(value, str):
                yield name, hide(value) if value else value
            elif isinstance(value, int) or value is None:
                yield name, value
            else:
                yield name, [hide(item) for item in value]

    def _name(self, name: str) -> str:
        known = self._known.get(name)
        if known is None:
            known = self._pseudonyms.hide(name)
            if len(self._known) < _REMEMBERED:
                self._known[name] = known
        return known

    def _text(self, text: str) -> str:
        """Hide the names that were hidden before, wherever a text has them."""
        return _WORD.sub(lambda word: self._known.get(word[0], word[0]), text)


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")
