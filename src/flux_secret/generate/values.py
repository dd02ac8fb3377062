"""YAML nodes of one object → its values, as `kubectl apply` would send them (design decision 6)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

import yaml

from flux_secret.errors import ManifestError
from flux_secret.generate import scalars, yamltree
from flux_secret.generate.yamltree import MAX_DEPTH, PLAIN, line_of, wrapped_base64
from flux_secret.model.manifest import Origin, Value
from flux_secret.model.plaintext import Plaintext

MAX_NODES: Final = 1_000_000  # values of one stream, aliases counted each time they are used
MAX_CHARACTERS: Final = 64 * 1024 * 1024  # of those values together
_TAG: Final = "tag:yaml.org,2002:"
_OWN_GROUPS: Final = frozenset({"", "apps", "batch", "autoscaling", "policy", "extensions"})
_SECRET_VALUES: Final = frozenset({("data",), ("stringData",)})
_SHOWN_KEY: Final = re.compile(r"[\w./-]{1,63}\Z")
_WRAPPED: Final = re.compile(r"(?:[A-Za-z0-9+/]{76}[ \n])+[A-Za-z0-9+/]{1,76}={0,2}\n?\Z")

Path = tuple[str, ...]


def is_built_in(group: str) -> bool:
    """Whether an API group is Kubernetes' own, so that its fields are known."""
    return group in _OWN_GROUPS or group.endswith(".k8s.io")


@dataclass(slots=True)
class Budget:
    """What one stream may still grow to: aliases make much of little."""

    nodes: int = MAX_NODES
    characters: int = MAX_CHARACTERS


class Builder:
    """Builds the values of one object."""

    def __init__(self, kind: str, group: str, origin: Origin, budget: Budget) -> None:
        self.origin = origin
        self._is_secret = kind == "Secret" and group == ""
        self._is_config = kind == "ConfigMap" and group == ""
        self._is_built_in = is_built_in(group)
        self._budget = budget

    def mapping(self, node: yaml.MappingNode) -> dict[str, Value]:
        """Build the object itself; keys are always strings, and stand once."""
        return self._mapping(node, (), 1)

    def _mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> dict[str, Value]:
        self._spend(node, depth)
        built: dict[str, Value] = {}
        merged: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, "a key is not a single value")
            key = key_node.value
            if key == "<<" and not key_node.style:
                merged = {**self._merged(value_node, path, depth), **merged}
                continue
            if key in built:
                raise self._error(key_node, f"the key {_shown(path, key)} stands twice")
            built[key] = self._value(value_node, (*path, key), depth)
        return {**merged, **built}

    def _merged(self, node: yaml.Node, path: Path, depth: int) -> dict[str, Value]:
        """Expand `<<` (YAML 1.1 merge keys); the first of several wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Value] = {}
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                raise self._error(node, "`<<` merges something that is no mapping")
            merged = {**self._mapping(source, path, depth + 1), **merged}
        return merged

    def _value(self, node: yaml.Node, path: Path, depth: int) -> Value:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth + 1)
        if isinstance(node, yaml.SequenceNode):
            self._spend(node, depth + 1)
            return [self._value(item, (*path, "[]"), depth + 1) for item in node.value]
        if isinstance(node, yaml.ScalarNode):
            self._spend(node, depth, len(node.value))
            return self._scalar(node, path)
        raise self._error(node, "a value is neither a mapping, a list nor a scalar")

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Value:
        plain = node.tag == PLAIN
        if plain and scalars.is_null(node.value):
            return None
        if self._is_secret and path[:-1] in _SECRET_VALUES:
            return self._secret(node, path)
        if plain and not self._is_text(path):
            try:
                return scalars.plain(node.value)
            except ValueError:
                raise self._error(node, "a number is infinite or none") from None
        return self._tagged(node)

    def _secret(self, node: yaml.ScalarNode, path: Path) -> Plaintext | None:
        value = self._tagged(node)
        if value is None:
            return None
        if path[0] == "data" and _WRAPPED.match(node.value):
            raise wrapped_base64(f"{self._where(node)}, {_shown(path[:-1], path[-1])}")
        return Plaintext((value if isinstance(value, str) else str(node.value)).encode())

    def _is_text(self, path: Path) -> bool:
        """Whether the API wants text here, so that `on` or `0400` keeps its letters."""
        if self._is_config and path[:-1] == ("data",):
            return True
        if path[-3:-1] in {("metadata", "labels"), ("metadata", "annotations")}:
            return self._is_built_in or len(path) == 3  # noqa: PLR2004 -- the object's own metadata
        return self._is_built_in and path[-3:] == ("env", "[]", "value")

    def _tagged(self, node: yaml.ScalarNode) -> bool | int | float | str | None:
        """Give a quoted scalar, or one with a tag of its own (`!!str`, `!!binary`, …)."""
        match node.tag.removeprefix(_TAG):
            case "str" | "timestamp" | yamltree.PLAIN:
                return str(node.value)
            case "int" | "float" | "bool" | "null" as wanted:
                return self._of_type(node, wanted)
            case "binary":
                try:
                    return base64.b64decode("".join(node.value.split()), validate=True).decode()
                except (binascii.Error, ValueError):
                    raise self._error(node, "a !!binary value is not base64 of text") from None
            case _:
                raise self._error(node, "a value has a tag that Kubernetes does not know")

    def _of_type(self, node: yaml.ScalarNode, wanted: str) -> bool | int | float | None:
        try:
            value = scalars.plain(str(node.value))
        except ValueError:
            value = ""
        fits = {
            "int": isinstance(value, int) and not isinstance(value, bool),
            "float": isinstance(value, int | float) and not isinstance(value, bool),
            "bool": isinstance(value, bool),
            "null": value is None,
        }
        if isinstance(value, str) or not fits[wanted]:
            raise self._error(node, f"a value is no {wanted}, as its tag says")
        return value

    def _spend(self, node: yaml.Node, depth: int, characters: int = 0) -> None:
        budget = self._budget
        budget.nodes -= 1
        budget.characters -= characters
        if depth > MAX_DEPTH:
            raise self._error(node, f"more than {MAX_DEPTH} levels, aliases (*) and `<<` followed")
        if budget.nodes < 0 or budget.characters < 0:
            raise self._error(
                node,
                f"more than {MAX_NODES} values or {MAX_CHARACTERS} characters, aliases (*) written "
                "out",
            )

    def _where(self, node: yaml.Node) -> str:
        return f"{self.origin.source}: document {self.origin.document}, line {line_of(node)}"

    def _error(self, node: yaml.Node, problem: str) -> ManifestError:
        return ManifestError(f"{self._where(node)}: {problem}", remedy="mend that line")


def _shown(path: Path, key: str) -> str:
    """Name a key, unless it may be a value that went astray."""
    return repr(".".join((*path, key))) if _SHOWN_KEY.match(key) else "here"
