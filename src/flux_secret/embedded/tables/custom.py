"""`additionalPrinterColumns` → columns; the JSON paths that kubebuilder writes are understood."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from flux_secret.embedded.tables.duration import since
from flux_secret.embedded.tables.table import AGE, Cell, Column
from flux_secret.embedded.tree import Json, Tree, text

_STEP: Final = re.compile(
    r"\.(?P<name>[^.\[\]\\]+(?:\\\.[^.\[\]\\]+)*)"
    r"|\[(?P<index>\d+|\*)\]"
    r"|\[\?\(@\.(?P<key>\w+)\s*==\s*[\"'](?P<value>[^\"']*)[\"']\)\]"
    r"|\['(?P<quoted>[^']+)'\]"
)


def custom_columns(printed: Sequence[Tree]) -> list[Column]:
    """Give the columns after the name; age where a definition names none."""
    if not printed:
        return [AGE]
    return [
        Column(
            name=text(one, "name"),
            cell=_cell(text(one, "jsonPath"), text(one, "type")),
            type=text(one, "type"),
            wide=bool(one.get("priority")),
            description=text(one, "description"),
            format=text(one, "format"),
        )
        for one in printed
    ]


def _cell(path: str, type_: str) -> Cell:
    def cell(tree: Tree) -> Json:
        found = next(at(tree, path), None)
        if type_ == "date":
            return since(found) if isinstance(found, str) else None
        return str(found).lower() if isinstance(found, bool) else found

    return cell


def at(value: Json, path: str) -> Iterator[Json]:
    """Give what is at a JSON path."""
    path = path.strip("{}")
    if not path:
        yield value
        return
    found = _STEP.match(path)
    if not found:
        return
    for inner in _step(value, found):
        yield from at(inner, path[found.end() :])


def _step(value: Json, found: re.Match[str]) -> Iterator[Json]:
    name = (found["name"] or found["quoted"] or "").replace("\\.", ".")
    if name:
        if isinstance(value, dict) and name in value:
            yield value[name]
    elif not isinstance(value, list):
        return
    elif found["key"]:
        yield from (one for one in value if text(one, found["key"]) == found["value"])
    elif found["index"] == "*":
        yield from value
    elif int(found["index"]) < len(value):
        yield value[int(found["index"])]
