"""`?labelSelector=` and `?fieldSelector=` → which objects are meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from flux_secret.embedded.status import bad_request
from flux_secret.embedded.tree import Tree, child, text

Selector: TypeAlias = Callable[[Tree], bool]
_KEY: Final = r"(?P<key>[A-Za-z0-9][-A-Za-z0-9_./]*)"
_SET: Final = re.compile(rf"{_KEY}\s+(?P<word>notin|in)\s*\((?P<values>[^)]*)\)")
_EQUALITY: Final = re.compile(rf"{_KEY}\s*(?P<sign>==|!=|=)\s*(?P<value>[-A-Za-z0-9_.]*)")
_EXISTS: Final = re.compile(rf"(?P<not>!)?\s*{_KEY}")
_COMMA: Final = re.compile(r",(?![^(]*\))")
_FIELDS: Final = ("metadata.name", "metadata.namespace")
_MORE_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "Pod": frozenset({"spec.nodeName", "spec.restartPolicy", "status.phase"}),
    "Secret": frozenset({"type"}),
    "Namespace": frozenset({"status.phase"}),
    "Event": frozenset({"involvedObject.kind", "involvedObject.name", "involvedObject.namespace",
                        "involvedObject.uid", "reason", "reportingComponent", "type"}),
}  # fmt: skip


def by_labels(selector: str) -> Selector:
    """Read a label selector; raise `StatusError` 400."""
    tests = [_label_test(one.strip()) for one in _COMMA.split(selector) if one.strip()]
    return lambda tree: all(test(child(tree, "metadata", "labels")) for test in tests)


def _label_test(requirement: str) -> Callable[[Tree], bool]:
    if found := _SET.fullmatch(requirement):
        key, values = found["key"], {one.strip() for one in found["values"].split(",")}
        if found["word"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUALITY.fullmatch(requirement):
        key, value = found["key"], found["value"]
        if found["sign"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.fullmatch(requirement):
        key, wanted = found["key"], not found["not"]
        return lambda labels: (key in labels) is wanted
    raise bad_request(f"unable to parse requirement: {requirement!r}")


def by_fields(selector: str, kind: str) -> Selector:
    """Read a field selector; raise `StatusError` 400."""
    tests = [_field_test(one.strip(), kind) for one in selector.split(",") if one.strip()]
    return lambda tree: all(test(tree) for test in tests)


def _field_test(requirement: str, kind: str) -> Selector:
    found = re.fullmatch(r"(?P<path>[^=!]+?)\s*(?P<sign>==|!=|=)\s*(?P<value>.*)", requirement)
    if not found:
        raise bad_request(f"invalid field selector: {requirement!r}; can't understand it")
    path, value, wanted = found["path"], found["value"], found["sign"] != "!="
    if path not in _FIELDS and path not in _MORE_FIELDS.get(kind, ()):
        raise bad_request(f"field label not supported: {path}")
    return lambda tree: (text(tree, *path.split(".")) == value) is wanted
