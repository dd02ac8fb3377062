"""A document's tree → typed fields; everything wrong names the field, and what would be right.

What an API server has admitted passes: its schema says the same. A settings file has only this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.model.duration import parse_duration

T = TypeVar("T")
MAX_TEXT: Final = 2048  # characters
MAX_ITEMS: Final = 1000
_DNS: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class Fields:
    """The fields of one mapping; `where` is its place, as `App demo: spec.source`."""

    def __init__(self, untrusted: object, where: str, known: Sequence[str]) -> None:
        """Begin; raise `ConfigurationError` for what is no mapping, or has an unknown field."""
        if not isinstance(untrusted, Mapping):
            raise bad(f"{where} is no mapping", f"it has the fields {', '.join(known)}")
        unknown = sorted(str(name) for name in untrusted if name not in known)
        if unknown:
            raise bad(
                f"{where} has an unknown field {unknown[0][:80]!a}", f"it knows {', '.join(known)}"
            )
        self._tree = untrusted
        self._where = where

    def place(self, name: str) -> str:
        """Give a field's place, for people."""
        return f"{self._where}.{name}"

    def has(self, name: str) -> bool:
        """Whether the field is there, and not null."""
        return self._tree.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """Give a text; without a default it must be there."""
        given = self._tree.get(name)
        if given is None and default is not None:
            return default
        if not isinstance(given, str) or not given or len(given) > MAX_TEXT:
            raise bad(
                f"{self.place(name)} is no text", "write one, in quotes where YAML needs them"
            )
        return given

    def name(self, name: str, default: str | None = None) -> str:
        """Give the name of an object."""
        given = self.text(name, default)
        if given and not _DNS.fullmatch(given):
            raise bad(
                f"{self.place(name)} is {given[:80]!a}, which is no object's name",
                "use lower case letters, digits, '-' and '.'",
            )
        return given

    def flag(self, name: str, *, default: bool) -> bool:
        """Give true or false."""
        given = self._tree.get(name, default)
        if not isinstance(given, bool):
            raise bad(f"{self.place(name)} is neither true nor false", "write true or false")
        return given

    def seconds(self, name: str, default: float) -> float:
        """Give a duration (`90s`, `5m`, `1h`) in seconds."""
        return self.read(name, parse_duration, default)

    def texts(self, name: str) -> tuple[str, ...]:
        """Give a list of texts; empty where there is none."""
        return tuple(self._texts(name))

    def items(self, name: str) -> Sequence[object]:
        """Give a list; empty where there is none."""
        given = self._tree.get(name) or []
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > MAX_ITEMS:
            raise bad(f"{self.place(name)} is no list", f"write a list of at most {MAX_ITEMS}")
        return given

    def mapping(self, name: str) -> Mapping[str, str]:
        """Give names and texts."""
        given = self._tree.get(name) or {}
        if not isinstance(given, Mapping) or not all(
            isinstance(key, str) and isinstance(value, str) for key, value in given.items()
        ):
            raise bad(
                f"{self.place(name)} is not names and texts", "quote what is a number to YAML"
            )
        return dict(given)

    def within(self, name: str, known: Sequence[str]) -> Fields:
        """Give the fields of a mapping below; all missing where there is none."""
        return Fields(self._tree.get(name) or {}, self.place(name), known)

    def raw(self, name: str) -> object:
        """Give what stands there, for a reader of its own."""
        return self._tree.get(name)

    def one_of(self, name: str, known: Sequence[str], default: str) -> str:
        """Give one of some words."""
        given = self._tree.get(name, default)
        if given not in known:
            raise bad(f"{self.place(name)} is {str(given)[:80]!a}", f"write {' or '.join(known)}")
        return str(given)

    def read(self, name: str, parse: Callable[[str], T], default: T | None = None) -> T:
        """Parse a text; what is wrong with it names the field."""
        if not self.has(name) and default is not None:
            return default
        try:
            return parse(self.text(name))
        except FluxSecretError as error:
            if error.what.startswith(self._where):
                raise
            raise bad(f"{self.place(name)}: {error.what}", error.remedy) from None

    def _texts(self, name: str) -> Iterator[str]:
        for item in self.items(name):
            if not isinstance(item, str) or not item or len(item) > MAX_TEXT:
                raise bad(f"{self.place(name)} holds something that is no text", "write texts")
            yield item


def bad(what: str, remedy: str) -> ConfigurationError:
    """Say what is wrong with a document."""
    return ConfigurationError(what, remedy=remedy)
