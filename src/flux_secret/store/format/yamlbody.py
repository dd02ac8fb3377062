"""The YAML part of an entry → its keys as gopass prints them, and the text it would write back.

gopass uses yaml.v3: `yes` and `on` stay text, `0123` is octal, dates are timestamps; values are
printed with Go's `%v` (facts: gopass §3.2).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

_MAX_DEPTH: Final = 64


class YamlBodyError(ValueError):
    """This text is no mapping that gopass would take for YAML; it is read as AKV instead."""


class _Loader(yaml.SafeLoader):
    """yaml.v3's scalars; duplicate keys and aliases are errors, so that AKV is tried."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- PyYAML's own class attribute

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 -- PyYAML's signature
        names = [key.value for key, _ in node.value]
        if len(set(map(str, names))) != len(names):
            raise YamlBodyError("duplicate key")
        return super().construct_mapping(node, deep=deep)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise YamlBodyError("alias")
        return super().compose_node(parent, index)


def _go_int(text: str) -> int:
    plain = text.replace("_", "")
    sign = -1 if plain.startswith("-") else 1
    digits = plain.lstrip("+-")
    if re.fullmatch(r"0[0-7]+", digits):
        return sign * int(digits, 8)
    return sign * int(digits, 0)


_RESOLVERS: Final = (  # tag, whole text, first letters; in yaml.v3's order
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (
        "int",
        r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)",
        list("-+0123456789"),
    ),
    (
        "float",
        (
            r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
        list("-+0123456789."),
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (
        "timestamp",
        (
            r"\d{4}-\d{1,2}-\d{1,2}(?:(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d(?:\.\d*)?"
            r"(?:\s*(?:Z|[-+]\d\d?(?::?\d\d)?))?)?"
        ),
        list("0123456789"),
    ),
)
for _name, _pattern, _letters in _RESOLVERS:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(rf"(?:{_pattern})\Z"), _letters
    )
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: _go_int(str(node.value)))


class _Dumper(yaml.SafeDumper):
    """yaml.v3's layout: 4 blanks, lists indented, no folding, double quotes."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002 -- PyYAML's signature
        del indentless
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if "\n" in text:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    resolved = _Loader("").resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # untyped in types-PyYAML
    ambiguous = resolved != "tag:yaml.org,2002:str" or text.lower() in _OLD_BOOLEANS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if ambiguous else None)


_OLD_BOOLEANS: Final = frozenset({"y", "n", "yes", "no", "on", "off"})  # yaml.v3 quotes them
_Dumper.add_representer(str, _text)
_Dumper.add_representer(
    dt.date,
    lambda dumper, day: dumper.represent_scalar(
        "tag:yaml.org,2002:timestamp", f"{day.isoformat()}T00:00:00Z"
    ),
)


@dataclass(frozen=True, slots=True)
class YamlBody:
    """A parsed mapping; it holds values, so it has no readable `repr`."""

    _mapping: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, text: bytes) -> YamlBody:
        """Parse the first document; raise `YamlBodyError` when it is no mapping."""
        try:
            loaded = next(iter(yaml.load_all(text.decode(), Loader=_Loader)), None)
        except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
            raise YamlBodyError("not YAML") from None
        if loaded is None:
            loaded = {}
        if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
            raise YamlBodyError("no mapping")
        return cls(loaded)

    @property
    def is_empty(self) -> bool:
        """Whether there is no key."""
        return not self._mapping

    def rendered(self) -> dict[str, bytes]:
        """Give each top-level value as Go's `%v` prints it."""
        return {key: _go(value, 0).encode() for key, value in self._mapping.items()}

    def dump(self) -> bytes:
        """Give the text that gopass would write: sorted keys, 4 blanks."""
        text = yaml.dump(
            dict(self._mapping), Dumper=_Dumper, sort_keys=True, indent=4, allow_unicode=True,
            width=float("inf"), default_flow_style=False,
        )  # fmt: skip
        return str(text).encode()


def _go(value: object, depth: int) -> str:  # noqa: PLR0911 -- one line a Go type
    """Print as Go's `%v` does."""
    if depth > _MAX_DEPTH:
        return "…"
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            return _go_float(value)
        case dt.datetime():
            return f"{value.isoformat(sep=' ')} +0000 UTC"
        case dt.date():
            return f"{value.isoformat()} 00:00:00 +0000 UTC"
        case dict():
            pairs = sorted((str(key), _go(inner, depth + 1)) for key, inner in value.items())
            return f"map[{' '.join(f'{key}:{inner}' for key, inner in pairs)}]"
        case list():
            return f"[{' '.join(_go(inner, depth + 1) for inner in value)}]"
        case _:
            return str(value)


def _go_float(value: float) -> str:
    """Print as Go's `%v` does: %g with the shortest digits, exponents of two digits."""
    if value != value:  # noqa: PLR0124 -- NaN is the one value that differs from itself
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value).removesuffix(".0")
    if "e" not in text and abs(value) >= 1e21:  # noqa: PLR2004 -- Go's %v switches at 21 digits
        text = f"{value:e}"
    return text
