"""managedFields → which field of ours somebody took or removed, and how to leave it to them.

FieldsV1 is a tree: `f:NAME` a field, `k:{…}` a list item by its keys, `v:…` a set's member, `.` the
thing itself; an empty tree is a field that is owned as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.outside.kubernetes import FIELD_MANAGER, Json, LiveObject
from flux_secret.outside.kubernetes.body import mapping

MAX_NOTED: Final = 3  # fields that a note names
_UNOWNED: Final = frozenset({"apiVersion", "kind", "metadata.name", "metadata.namespace"})
Path = tuple[str, ...]
"""FieldsV1's own steps, as in `("f:spec", "f:replicas")`."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A field that we want and another manager owns alone."""

    path: Path
    manager: str

    def __str__(self) -> str:
        return spoken(self.path)


def drift_note(wanted: Mapping[str, Json], live: LiveObject) -> str:
    """Say what became of our fields: `repaired: spec.replicas was changed by kubectl-edit`."""
    changed = taken(wanted, live)
    if changed:
        named = [f"{field} was changed by {field.manager or 'somebody'}" for field in changed]
    else:
        named = [f"{spoken(path)} was removed" for path in removed(wanted, live)]
    if not named:
        return "repaired: somebody else wrote it"
    more = f" and {len(named) - MAX_NOTED} more" if len(named) > MAX_NOTED else ""
    return "repaired: " + ", ".join(named[:MAX_NOTED]) + more


def taken(wanted: Mapping[str, Json], live: LiveObject) -> list[Taken]:
    """Give the fields that we want, do not own, and another manager owns."""
    ours = _own_fields(live)
    found: dict[Path, str] = {}
    for entry in live.managed:
        if entry.manager == FIELD_MANAGER and entry.operation == "Apply":
            continue
        for path in _leaves(entry.fields):
            if not _owns(ours, path) and _resolve(wanted, path) is not None:
                found.setdefault(path, entry.manager)
    return [Taken(path, manager) for path, manager in sorted(found.items())]


def removed(wanted: Mapping[str, Json], live: LiveObject) -> list[Path]:
    """Give the fields that we want and own no more: whoever removed them owns nothing."""
    return sorted(set(_missing(wanted, _own_fields(live), ())))


def without(body: Mapping[str, Json], path: Path) -> Mapping[str, Json]:
    """Give the body without one field; unchanged when the path leads through a whole list."""
    if not path:
        return body
    name = path[0].removeprefix("f:")
    if len(path) == 1:
        return {key: value for key, value in body.items() if key != name}
    child = body.get(name)
    if isinstance(child, Mapping):
        return {**body, name: without(child, path[1:])}
    if isinstance(child, Sequence) and not isinstance(child, str) and path[1].startswith("k:"):
        rest = path[2:]
        return {
            **body,
            name: [
                without(item, rest) if rest and _has_keys(item, path[1]) else item
                for item in child
                if isinstance(item, Mapping)
            ],
        }
    return body


def spoken(path: Path) -> str:
    """Give the path as people write it: `spec.containers[name=web].image`."""
    said = ""
    for step in path:
        mark, _, rest = step.partition(":")
        if mark == "k":
            pairs = ",".join(f"{name}={value}" for name, value in _keys(step).items())
            said += f"[{pairs}]"
        elif mark == "v":
            said += f"[{rest}]"
        else:
            said += f".{rest}" if said else rest
    return said


def _own_fields(live: LiveObject) -> Mapping[str, Json]:
    entry = live.applied_by(FIELD_MANAGER)
    return entry.fields if entry else {}


def _leaves(fields: Mapping[str, Json], path: Path = ()) -> Iterator[Path]:
    for step, below in fields.items():
        if step == ".":
            continue
        if isinstance(below, Mapping) and any(name != "." for name in below):
            yield from _leaves(below, (*path, step))
        elif step.startswith("f:"):
            yield (*path, step)


def _owns(fields: Mapping[str, Json], path: Path) -> bool:
    for step in path:
        if step not in fields:
            return False
        fields = mapping(fields, step)
        if not fields:  # owned as a whole
            return True
    return True


def _resolve(body: Json, path: Path) -> Json:
    for step in path:
        if step.startswith("f:") and isinstance(body, Mapping):
            body = body.get(step[2:])
        elif step.startswith("k:") and isinstance(body, Sequence) and not isinstance(body, str):
            body = next((item for item in body if _has_keys(item, step)), None)
        else:
            return None
    return body


def _missing(body: Json, fields: Mapping[str, Json], path: Path) -> Iterator[Path]:
    if isinstance(body, Mapping):
        for name, value in body.items():
            here = (*path, f"f:{name}")
            if value is not None and value not in ({}, []) and spoken(here) not in _UNOWNED:
                yield from _missing_field(value, fields.get(f"f:{name}"), here)
    elif isinstance(body, Sequence) and not isinstance(body, str):
        for step, below in fields.items():
            if step.startswith("k:") and isinstance(below, Mapping):
                for item in body:
                    if _has_keys(item, step):
                        yield from _missing(item, below, (*path, step))


def _missing_field(value: Json, below: Json, here: Path) -> Iterator[Path]:
    if below is None and not isinstance(value, Mapping):
        yield here
    elif below is None:
        yield from _missing(value, {}, here)
    elif isinstance(below, Mapping) and below:  # an empty tree: owned as a whole
        yield from _missing(value, below, here)


def _has_keys(item: Json, step: str) -> bool:
    """Whether a list's item is the one that `k:{…}` means; a key it lacks has its default."""
    if not isinstance(item, Mapping):
        return False
    return all(item.get(name, value) == value for name, value in _keys(step).items())


def _keys(step: str) -> Mapping[str, Json]:
    try:
        return mapping(json.loads(step.partition(":")[2]))
    except ValueError:
        return {}
