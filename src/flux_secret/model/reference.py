"""What a manifest or a script asks of a store: `ref+gopass://…` and look-ups."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote

from flux_secret.errors import SecretRefError, UsageError
from flux_secret.model.names import SecretPath

SCHEME: Final = "ref+gopass://"


class Part(enum.Enum):
    """Which part of an entry is wanted."""

    WHOLE = "whole"
    """The whole text, as `gopass PATH` prints it."""
    PASSWORD = "password"  # noqa: S105 -- a word of the domain, not a value
    """The first line, as `gopass show -o PATH` prints it."""
    KEY = "key"
    """The values of one key, as `gopass show PATH KEY` prints them."""
    BINARY = "binary"
    """The decoded attachment, as `gopass cat PATH` prints it."""
    RAW = "raw"
    """The decrypted bytes as they are, as `gopass show -n PATH` prints them."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question to a store: an entry, the part wanted, and the key's name for `Part.KEY`."""

    path: SecretPath
    part: Part = Part.WHOLE
    key: str = ""

    def __str__(self) -> str:
        if self.part is Part.KEY:
            return f"{self.path} key {self.key!r}"
        return str(self.path) if self.part is Part.WHOLE else f"{self.path} ({self.part.value})"


class Encoding(enum.Enum):
    """How the text of an entry stands for the bytes that the Secret shall hold."""

    TEXT = "text"
    BASE64 = "base64"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A manifest's question for a secret (design decision 4)."""

    lookup: Lookup
    encoding: Encoding = Encoding.TEXT

    @classmethod
    def parse(cls, text: str) -> SecretRef:
        """Read `ref+gopass://apps/demo/db?encoding=base64#password`.

        No fragment: the whole entry; `#password`: its first line; `#NAME`: that key. Percent
        escapes are decoded (RFC 3986 §2.1). Raises `SecretRefError`.
        """
        rest, _, fragment = text.removeprefix(SCHEME).partition("#")
        name, _, query = rest.partition("?")
        if not text.startswith(SCHEME) or "?" in fragment:
            raise SecretRefError(
                f"{text[:120]!r} is not a secret reference",
                remedy=f"write {SCHEME}STORE/ENTRY?encoding=base64#KEY, the key last",
            )
        try:
            path = SecretPath.parse(unquote(name, errors="strict"))
        except (UsageError, UnicodeDecodeError) as error:
            raise SecretRefError(
                f"{text[:120]!r} names no entry", remedy=f"write {SCHEME}STORE/ENTRY"
            ) from error
        encoding = _encoding(text, query)
        if encoding is Encoding.BINARY and not fragment:
            return cls(Lookup(path, Part.BINARY), encoding)
        key = unquote(fragment)
        part = {"": Part.WHOLE, "password": Part.PASSWORD}.get(key, Part.KEY)
        return cls(Lookup(path, part, key if part is Part.KEY else ""), encoding)


def _encoding(text: str, query: str) -> Encoding:
    fields = parse_qsl(query, keep_blank_values=True)
    if not fields:
        return Encoding.TEXT
    try:
        ((name, value),) = fields
        if name == "encoding":
            return Encoding(value)
    except ValueError:
        pass
    raise SecretRefError(
        f"{text[:120]!r} has an unknown option",
        remedy="the only option is ?encoding=text, base64 or binary",
    )
