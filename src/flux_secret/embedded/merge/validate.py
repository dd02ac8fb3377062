"""Value + type → nothing, or every place where the value does not fit (typed/validate.go)."""

from __future__ import annotations

from flux_secret.embedded.merge.element import TypedError, element_of
from flux_secret.embedded.merge.fields import by_name, shown
from flux_secret.embedded.merge.schema import ListType, MapType, Type, scalar_problem
from flux_secret.embedded.tree import Json

_Problems = list[tuple[str, str]]


def validate(value: Json, type_: Type, *, duplicates: bool = False) -> None:
    """Raise `TypedError` when the value is not of that type."""
    problems = _value(value, type_, duplicates=duplicates)
    if problems:
        raise TypedError(problems)


def _value(value: Json, type_: Type, *, duplicates: bool) -> _Problems:
    atom = type_.atom.for_value(value)
    if atom.map is not None:
        return _map(value, atom.map, duplicates=duplicates)
    if atom.scalar is not None:
        problem = scalar_problem(atom.scalar, value)
        return [("", problem)] if problem else []
    if atom.list is not None:
        return _list(value, atom.list, duplicates=duplicates)
    return [("", "schema error: invalid atom")]


def _map(value: Json, type_: MapType, *, duplicates: bool) -> _Problems:
    if value is None:
        return []
    if not isinstance(value, dict):
        return [("", "expected map, got something else")]
    problems: _Problems = []
    for name, item in value.items():
        inner, prefix = type_.type_of(name), shown((by_name(name),))
        if inner is None:
            problems.append((prefix, "field not declared in schema"))
        else:
            found = _value(item, inner, duplicates=duplicates)
            problems += [(prefix + path, message) for path, message in found]
    return problems


def _list(value: Json, type_: ListType, *, duplicates: bool) -> _Problems:
    if value is None:
        return []
    if not isinstance(value, list):
        return [("", "expected list, got something else")]
    problems: _Problems = []
    seen: set[str] = set()
    for index, item in enumerate(value):
        element = f"i:{index}"
        if type_.associative:
            try:
                element = element_of(type_, item)
            except ValueError as error:
                return [*problems, ("", f"element {index}: {error}")]
            if element in seen and not duplicates:
                problems.append(("", f"duplicate entries for key {shown((element,))}"))
            seen.add(element)
        prefix = shown((element,))
        found = _value(item, type_.element, duplicates=duplicates)
        problems += [(prefix + path, message) for path, message in found]
    return problems
