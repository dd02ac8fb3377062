"""Decrypted bytes → a secret's parts, parsed as gopass 1.16 parses them (facts: gopass §3).

Three formats are tried in gopass's order, the first that fits wins:

1. MIME, written by gopass 1.10: the first line is `GOPASS-SECRET-1.0`.
2. YAML: a line that starts with `---` after the first one, and a mapping behind it.
3. AKV, everything else: the first line is the password, `key: value` lines, and a body.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from flux_secret.errors import KeyNotFoundError
from flux_secret.model.reference import Lookup, Part
from flux_secret.store.format.yamlbody import YamlBody, YamlBodyError

_MIME_MARK: Final = b"GOPASS-SECRET-1.0"
_HEADER: Final = re.compile(rb"([!-9;-~]+):[ \t]*(.*)")


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
        encodings = {
            name: self.keys[name]
            for name in ("Content-Transfer-Encoding", "content-transfer-encoding")
            if name in self.keys
        }
        if not any(value.strip().lower() == b"base64" for value in encodings.values()):
            return self.text
        try:
            return base64.b64decode(self.body.translate(None, b"\r\n"), validate=True)
        except binascii.Error:
            raise KeyNotFoundError(
                f"{lookup.path} says it is base64, and is not",
                remedy="write it again with `gopass fscopy FILE ENTRY`",
            ) from None


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
            keys.setdefault(name.strip().decode(errors="surrogateescape"), []).append(value)
        else:
            body.append(line + b"\n")
    is_clean = text.endswith(b"\n") and b"\r" not in text
    return SecretDocument(
        text=text if is_clean else b"".join(line + b"\n" for line in lines) or b"\n",
        password=lines[0] if lines else b"",
        keys={name: b"\n".join(values) for name, values in keys.items()},
        body=b"".join(body),
    )


def _yaml(text: bytes) -> SecretDocument | None:
    if b"---" not in text:  # most entries: nothing to look for
        return None
    first, newline, rest = text.partition(b"\n")
    if not newline:
        return None
    if first.strip() == b"---":
        password, before, yaml = b"", b"", rest
    else:
        password = first.strip()
        marker = re.search(rb"^---.*(?:\n|\Z)", rest, re.MULTILINE)
        if marker is None:
            return None
        before, yaml = rest[: marker.start()], rest[marker.end() :]
    try:
        mapping = YamlBody.parse(yaml)
    except YamlBodyError:
        return None
    head = password + (b"\n" + before if before or mapping.is_empty is False else b"")
    if mapping.is_empty:
        whole = password + (b"\n" + before if before else b"")
    else:
        whole = head + (b"" if head.endswith(b"\n") else b"\n") + b"---\n" + mapping.dump()
    return SecretDocument(whole, password, mapping.rendered(), before)


def _mime(text: bytes) -> SecretDocument | None:
    mark, newline, rest = text.partition(b"\n")
    if not newline or mark.strip() != _MIME_MARK:
        return None
    head, _, body = rest.replace(b"\r\n", b"\n").partition(b"\n\n")
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
    akv = _akv(password + b"\n" + b"".join(lines) + body)
    return SecretDocument(akv.text, akv.password, akv.keys, akv.body)
