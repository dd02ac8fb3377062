"""One YAML document that people write for us → texts, numbers, lists and mappings, strictly.

A key that stands twice would be lost in silence, and an alias can make a small file large: both are
refused. Keys and everything that is neither a whole number, true, false nor null are texts.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from flux_secret.errors import ConfigurationError
from flux_secret.model.fields import bad

MAX_DEPTH: Final = 32  # levels; libyaml's own composer has no limit, and ends the process
_TAG: Final = "tag:yaml.org,2002:"
_TRUE: Final = frozenset({"true", "yes", "on"})
_DIGITS: Final = 18  # of a number that is one


class _TooDeepError(Exception):
    """More than `MAX_DEPTH` levels."""


class _Loader(yaml.CSafeLoader):
    _depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, _index: object) -> None:
        """Go down one level."""
        del current_node
        self._depth += 1
        if self._depth > MAX_DEPTH + 1:
            raise _TooDeepError

    def ascend_resolver(self) -> None:
        """Come up one level."""
        self._depth -= 1


def parse_document(untrusted: bytes, where: str, *, max_bytes: int) -> object:
    """Read the one document of a file; raise `ConfigurationError` naming place and line."""
    if len(untrusted) > max_bytes:
        raise bad(f"{where} is larger than {max_bytes} bytes", "make it shorter")
    try:
        loader = _Loader(untrusted.decode("utf-8-sig"))
    except (UnicodeDecodeError, yaml.YAMLError):
        raise bad(
            f"{where} is not UTF-8, or has characters that YAML does not allow", "save it as UTF-8"
        ) from None
    try:
        root = loader.get_single_node()
    except _TooDeepError:
        raise bad(
            f"{where} has more than {MAX_DEPTH} levels", "it needs no more than five"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be read"
        line = f", line {mark.line + 1}" if mark else ""
        raise bad(f"{where}{line} is no YAML: {problem}", "mend that line") from None
    finally:
        loader.dispose()
    return None if root is None else _value(root, where, set())


def _value(node: yaml.Node, where: str, seen: set[int]) -> Any:  # noqa: ANN401 -- any tree
    if id(node) in seen:
        raise _at(node, where, "an alias (*) stands here", "write it out where it is needed")
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, where, seen) for item in node.value]
    tree: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _at(key, where, "a field's name is no text", "write it in quotes")
        if key.value in tree:
            raise _at(key, where, f"{key.value[:80]!a} stands twice", "remove one of them")
        tree[key.value] = _value(value, where, seen)
    return tree


def _scalar(node: yaml.ScalarNode) -> str | int | bool | None:
    text: str = node.value
    kind = node.tag.removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in _TRUE
    digits = text.removeprefix("-")
    if kind == "int" and digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS:
        return int(text)
    return text


def _at(node: yaml.Node, where: str, problem: str, remedy: str) -> ConfigurationError:
    return bad(f"{where}, line {node.start_mark.line + 1}: {problem}", remedy)
