"""Decrypted bytes → a secret's parts, parsed as gopass 1.16 parses them (facts: gopass §3).

Three formats are tried in gopass's order, the first that fits wins:

1. MIME, written by gopass 1.10: the first line is `GOPASS-SECRET-1.0`.
2. YAML: a line that starts with `---`, with a mapping from there on.
3. AKV, everything else: the first line is the password, `key: value` lines, and a body.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from flux_secret.errors import KeyNotFoundError
from flux_secret.model.reference import Lookup, Part
from flux_secret.store.format.yamlbody import YamlBody
from flux_secret.store.format.yamlscalars import YamlBodyError

_MIME_MARK: Final = b"GOPASS-SECRET-1.0"
_MARKER: Final = b"---"
_BLANKS: Final = (  # what Go's TrimSpace trims; Python's strip() takes U+001C to U+001F, too
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_HEADER: Final = re.compile(rb"([!-9;-~]+):[ \t]*(.*)")


class Format(Enum):
    """How an entry's text is to be read."""

    AKV = "key-value"
    YAML = "YAML"
    MIME = "MIME"
    """Of gopass 1.10; gopass turns it into AKV when it writes."""
    FILE = "file"
    """AKV whose body is the base64 of a file that `gopass cat` or `fscopy` put there."""


@dataclass(frozen=True, slots=True)
class SecretDocument:
    """One entry's text; its fields hold values, so it has no readable `repr`."""

    text: bytes = field(repr=False)
    """The whole, as `gopass show` prints it."""
    password: bytes = field(repr=False)
    """The first line, without its line break."""
    keys: Mapping[str, bytes] = field(repr=False)
    """Key → its values joined by line breaks, as `gopass show ENTRY KEY` prints them."""
    body: bytes = field(repr=False)
    """What is neither password nor key."""
    format: Format = Format.AKV
    yaml: YamlBody | None = field(default=None, repr=False)
    """The mapping of a YAML entry."""

    @classmethod
    def parse(cls, text: bytes) -> SecretDocument:
        """Parse; every byte string is some document."""
        return _mime(text) or _yaml(text) or _akv(text)

    def part(self, lookup: Lookup) -> bytes:
        """Give the part asked for; raise `KeyNotFoundError` when the entry has none of that."""
        match lookup.part:
            case Part.WHOLE | Part.RAW:
                return self.text
            case Part.BINARY:
                return self._binary(lookup)
            case Part.PASSWORD:
                if not self.password:
                    raise KeyNotFoundError(
                        f"{lookup.path} has an empty first line, so it has no password",
                        remedy="read the whole entry, or one of its keys",
                    )
                return self.password
            case Part.KEY:
                if lookup.key not in self.keys:
                    names = ", ".join(sorted(self.keys)) or "none"
                    raise KeyNotFoundError(
                        f"{lookup.path} has no key {lookup.key!r}; its keys: {names}",
                        remedy="mend the name, or add the line with `gopass edit`",
                    )
                return self.keys[lookup.key]

    def _binary(self, lookup: Lookup) -> bytes:
        if not _is_base64(self.keys):
            return self.text
        try:
            return base64.b64decode(self.body.translate(None, b"\r\n"), validate=True)
        except binascii.Error:
            raise KeyNotFoundError(
                f"{lookup.path} says it is base64, and is not",
                remedy="write it again with `gopass fscopy FILE ENTRY`",
            ) from None


def trimmed(text: bytes) -> bytes:
    """Trim as Go's `TrimSpace` does."""
    decoded = text.decode(errors="surrogateescape").strip(_BLANKS)
    return decoded.encode(errors="surrogateescape")


def _lines(text: bytes) -> list[bytes]:
    """Split as Go's line scanner does: at LF, a CR before it dropped, no empty last line."""
    lines = text.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [line.removesuffix(b"\r") for line in lines]


def _akv(text: bytes) -> SecretDocument:
    lines = _lines(text)
    keys: dict[str, list[bytes]] = {}
    body = []
    for line in lines[1:]:
        name, separator, value = line.partition(b": ")
        if separator:
            keys.setdefault(trimmed(name).decode(errors="surrogateescape"), []).append(value)
        else:
            body.append(line + b"\n")
    is_clean = text.endswith(b"\n") and b"\r" not in text
    joined = {name: b"\n".join(values) for name, values in keys.items()}
    return SecretDocument(
        text=text if is_clean else b"".join(line + b"\n" for line in lines) or b"\n",
        password=lines[0] if lines else b"",
        keys=joined,
        body=b"".join(body),
        format=Format.FILE if _is_base64(joined) else Format.AKV,
    )


def _is_base64(keys: Mapping[str, bytes]) -> bool:
    return any(
        trimmed(keys[name].partition(b"\n")[0]).lower() == b"base64"
        for name in ("Content-Transfer-Encoding", "content-transfer-encoding")
        if name in keys
    )


def yaml_start(text: bytes) -> int | None:
    """Give where the YAML of an entry begins, if there is a place where it could.

    That is the line with the marker, for gopass hands it to its YAML parser, too: a `---foo: bar`
    is a key. Only a marker in the first line is taken away.
    """
    first, newline, rest = text.partition(b"\n")
    if not newline:
        return None
    if trimmed(first) == _MARKER:
        return len(first) + 1
    if rest.startswith(_MARKER):
        return len(first) + 1
    at = rest.find(b"\n" + _MARKER)
    return None if at < 0 else len(first) + 1 + at + 1


def _yaml(text: bytes) -> SecretDocument | None:
    start = yaml_start(text)
    if start is None:  # most entries: nothing to look for
        return None
    first, _, rest = text[:start].partition(b"\n")
    try:
        mapping = YamlBody.parse(text[start:])
    except YamlBodyError:
        return None
    password = b"" if trimmed(first) == _MARKER else trimmed(first)
    whole = password + (b"\n" + rest if rest else b"")
    if not mapping.is_empty:
        whole += (b"" if rest.endswith(b"\n") else b"\n") + b"---\n" + mapping.dump()
    return SecretDocument(whole, password, mapping.rendered(), rest, Format.YAML, mapping)


def _mime(text: bytes) -> SecretDocument | None:
    mark, newline, rest = text.partition(b"\n")
    if not newline or trimmed(mark) != _MIME_MARK:
        return None
    head, _, body = rest.replace(b"\r\n", b"\n").partition(b"\n\n")
    head = head.removesuffix(b"\n")  # where the headers are all there is
    headers: dict[str, list[bytes]] = {}
    last = ""
    for line in head.split(b"\n"):
        if line[:1] in {b" ", b"\t"} and last:
            headers[last][-1] += b" " + line.strip()
            continue
        match = _HEADER.fullmatch(line)
        if match is None:
            return None
        last = match[1].decode().lower()
        headers.setdefault(last, []).append(match[2].strip())
    password = b"\n".join(headers.pop("password", [b""])[:1])
    lines = [
        name.encode() + b": " + value + b"\n" for name in sorted(headers) for value in headers[name]
    ]
    whole = password + b"\n" + b"".join(lines) + body
    return replace(_akv(whole), text=whole, format=Format.MIME)
