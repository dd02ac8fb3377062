"""A list's item → its path element: by its keys where the list has keys, else by its value."""

from __future__ import annotations

from flux_secret.embedded.merge.fields import Element, by_keys, by_value
from flux_secret.embedded.merge.schema import ListType
from flux_secret.embedded.tree import Json


class TypedError(Exception):
    """A value that does not fit its type; `problems` are (path, what is wrong)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        lines = [f"{path}: {message}" if path else message for path, message in problems]
        super().__init__(lines[0] if len(lines) == 1 else "\n  ".join(["errors:", *lines]))


def element_of(type_: ListType, item: Json) -> Element:
    """Give the item's path element; raise `ValueError` (typed/helpers.go)."""
    return _by_keys(type_, item) if type_.keys else _by_value(item)


def _by_keys(type_: ListType, item: Json) -> Element:
    if item is None:
        raise ValueError("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise ValueError("associative list with keys may not have non-map elements")  # noqa: TRY004 - one error for all that is wrong with an item
    found: dict[str, Json] = {}
    shape = type_.element.atom.map
    for key in type_.keys:
        if key in item:
            found[key] = item[key]
        elif shape and key in shape.members and shape.members[key].default is not None:
            found[key] = shape.members[key].default
    if not found:
        names = " ".join(f'"{key}"' for key in type_.keys)
        raise ValueError(
            f"associative list with keys has an element that omits all key fields [{names}] "
            "(and doesn't have default values for any key fields)"
        )
    return by_keys(found)


def _by_value(item: Json) -> Element:
    if isinstance(item, dict):
        raise ValueError("associative list without keys has an element that's a map type")  # noqa: TRY004 - the same
    if isinstance(item, list):
        raise ValueError("not supported: associative list with lists as elements")  # noqa: TRY004 - the same
    if item is None:
        raise ValueError("associative list without keys has an element that's an explicit null")
    return by_value(item)
