"""Request bytes → a tree: JSON, or YAML as the API server reads it."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import yaml

from flux_secret.embedded.status import bad_request
from flux_secret.embedded.tree import Json, Tree


class Duplicates(list[str]):
    """The keys that stood twice in one object: an error only where strictness is asked for."""


def read(untrusted: bytes, duplicates: Duplicates | None = None) -> Json:
    """Read JSON, else YAML; raise `StatusError` 400."""
    doubled = Duplicates() if duplicates is None else duplicates
    try:
        return json.loads(untrusted, object_pairs_hook=lambda pairs: _object(pairs, doubled))
    except (ValueError, RecursionError):
        doubled.clear()
    return read_yaml(untrusted, doubled)


def read_json(untrusted: bytes, duplicates: Duplicates | None = None) -> Json:
    """Read JSON only; raise `StatusError` 400, without an excerpt of what was sent."""
    doubled = Duplicates() if duplicates is None else duplicates
    try:
        return json.loads(untrusted, object_pairs_hook=lambda pairs: _object(pairs, doubled))
    except (ValueError, RecursionError) as error:
        raise bad_request("error decoding JSON: it cannot be parsed") from error


def read_yaml(untrusted: bytes, duplicates: Duplicates) -> Json:
    """Read one YAML document; raise `StatusError` 400."""
    try:
        loader = _Loader(untrusted)
        loader.duplicates = duplicates
        return loader.get_single_data()
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise bad_request(f"error decoding YAML: {_place(error)}") from error


def read_object(untrusted: bytes, duplicates: Duplicates | None = None) -> Tree:
    """Read an object; raise `StatusError` 400 for anything else."""
    tree = read(untrusted, duplicates)
    if not isinstance(tree, dict):
        raise bad_request("the body of the request is not an object")
    return tree


def _place(error: Exception) -> str:
    """Name the line only: an excerpt could hold a secret."""
    mark = getattr(error, "problem_mark", None)
    return f"yaml: line {mark.line + 1}: it cannot be parsed" if mark else "it cannot be parsed"


def _object(pairs: list[tuple[str, Json]], duplicates: Duplicates) -> Tree:
    tree: Tree = {}
    for key, value in pairs:
        if key in tree:
            duplicates.append(key)
        tree[key] = value
    return tree


class _Loader(yaml.SafeLoader):
    """YAML without dates and times, mapping keys as text (sigs.k8s.io/yaml)."""

    duplicates: Duplicates

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: ANN401, ARG002, FBT001, FBT002 - PyYAML's signature
        self.flatten_mapping(node)
        tree: Tree = {}
        for key_node, value_node in node.value:
            key = _key(self.construct_object(key_node, deep=True))
            if key in tree:
                self.duplicates.append(key)
            tree[key] = self.construct_object(value_node, deep=True)
        return tree

    def construct_tree(self, node: Any) -> Any:  # noqa: ANN401 - PyYAML's signature
        """Build a mapping at once: `construct_yaml_map` would first give an empty one."""
        return self.construct_mapping(node, deep=True)


def _key(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


_FLOAT: Final = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":float"))
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_tree)
