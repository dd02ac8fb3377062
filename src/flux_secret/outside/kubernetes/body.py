"""Bytes from the API server or a kubeconfig → a JSON tree, read by type and never by hope."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from flux_secret.errors import UnreachableError

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


def parse(untrusted: bytes) -> Mapping[str, Json]:
    """Give the object; raise `UnreachableError` when it is none.

    The error has neither cause nor context: a `JSONDecodeError` carries the whole document.
    """
    try:
        tree = json.loads(untrusted)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise UnreachableError(
            "the API server's answer is not a JSON object",
            remedy="check that the address is an API server's and that no proxy answers for it",
        )
    return tree


def encoded(tree: Json) -> bytes:
    """Give JSON, the same bytes for the same tree."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def mapping(tree: Json, *path: str) -> Mapping[str, Json]:
    """Give the object at `path`; an empty one where there is none."""
    found = _at(tree, path)
    return found if isinstance(found, Mapping) else {}


def items(tree: Json, *path: str) -> Iterator[Mapping[str, Json]]:
    """Give the objects of the list at `path`; nothing where there is none."""
    found = _at(tree, path)
    if isinstance(found, Sequence) and not isinstance(found, str):
        yield from (item for item in found if isinstance(item, Mapping))


def text(tree: Json, *path: str) -> str:
    """Give the text at `path`; an empty one where there is none."""
    found = _at(tree, path)
    return found if isinstance(found, str) else ""


def number(tree: Json, *path: str) -> int:
    """Give the whole number at `path`; 0 where there is none, as Go's types do."""
    found = _at(tree, path)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def texts(tree: Json, *path: str) -> tuple[str, ...]:
    """Give the texts of the list at `path`."""
    found = _at(tree, path)
    if not isinstance(found, Sequence) or isinstance(found, str):
        return ()
    return tuple(item for item in found if isinstance(item, str))


def text_map(tree: Json, *path: str) -> Mapping[str, str]:
    """Give the pairs of texts of the object at `path`, as labels and annotations are."""
    found = mapping(tree, *path).items()
    return {name: value for name, value in found if isinstance(value, str)}


def names(untrusted: bytes) -> frozenset[str]:
    """Give the names of all fields of a JSON document, at any depth; none when it is not one."""
    try:
        return frozenset(_names(json.loads(untrusted)))
    except (ValueError, RecursionError):
        return frozenset()


def _names(tree: Json) -> Iterator[str]:
    if isinstance(tree, Mapping):
        yield from tree
        tree = tuple(tree.values())
    if isinstance(tree, Sequence) and not isinstance(tree, str):
        for below in tree:
            yield from _names(below)


def _at(tree: Json, path: Sequence[str]) -> Json:
    for name in path:
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(name)
    return tree
