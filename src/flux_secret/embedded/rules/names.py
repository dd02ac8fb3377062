"""What a name, a label or an annotation may look like (apimachinery util/validation)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from flux_secret.embedded.rules import problem
from flux_secret.embedded.status import Cause
from flux_secret.embedded.tree import Tree, child

MOST_SUBDOMAIN: Final = 253
MOST_LABEL: Final = 63
MOST_ANNOTATIONS_BYTES: Final = 256 * 1024
_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035: Final = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED: Final = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE: Final = rf"({_QUALIFIED})?"
_CONFIG_KEY: Final = r"[-._a-zA-Z0-9]+"
_USED_FOR: Final = "regex used for validation is"


def subdomain(name: str) -> list[str]:
    """Say why it is no RFC 1123 subdomain."""
    if len(name) > MOST_SUBDOMAIN:
        return [f"must be no more than {MOST_SUBDOMAIN} bytes"]
    if re.fullmatch(_SUBDOMAIN, name):
        return []
    return [
        (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
            "'-' or '.', and must start and end with an alphanumeric character (e.g. "
            f"'example.com', {_USED_FOR} '{_SUBDOMAIN}')"
        )
    ]


def label(name: str) -> list[str]:
    """Say why it is no RFC 1123 label."""
    if "." in name:
        return ["must not contain dots"]
    if len(name) > MOST_LABEL:
        return [f"must be no more than {MOST_LABEL} bytes"]
    if re.fullmatch(_LABEL, name):
        return []
    return [
        (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
            "and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
            f"{_USED_FOR} '{_LABEL}')"
        )
    ]


def label_1035(name: str) -> list[str]:
    """Say why it is no RFC 1035 label."""
    if len(name) > MOST_LABEL:
        return [f"must be no more than {MOST_LABEL} bytes"]
    if re.fullmatch(_LABEL_1035, name):
        return []
    return [
        (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start "
            "with an alphabetic character, and end with an alphanumeric character (e.g. "
            f"'my-name',  or 'abc-123', {_USED_FOR} '{_LABEL_1035}')"
        )
    ]


def path_segment(name: str) -> list[str]:
    """Say why it cannot stand in a URL."""
    if name in {".", ".."}:
        return [f"may not be '{name}'"]
    return [f"may not contain '{part}'" for part in "/%" if part in name]


def config_key(key: str) -> list[str]:
    """Say why it is no key of a ConfigMap or a Secret."""
    if len(key) > MOST_SUBDOMAIN:
        return [f"must be no more than {MOST_SUBDOMAIN} bytes"]
    if not re.fullmatch(_CONFIG_KEY, key):
        return [
            (
                "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
                f"'key.name',  or 'KEY_NAME',  or 'key-name', {_USED_FOR} '{_CONFIG_KEY}')"
            )
        ]
    if key == ".":
        return ["must not be '.'"]
    if key == "..":
        return ["must not be '..'"]
    return ["must not start with '..'"] if key.startswith("..") else []


def qualified(name: str) -> list[str]:
    """Say why it is no qualified name: `app`, `example.com/app`."""
    prefix, slash, tail = name.rpartition("/")
    problems: list[str] = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash:
        problems += [f"prefix part {one}" for one in subdomain(prefix)]
    if not tail:
        problems.append("name part must be non-empty")
    elif len(tail) > MOST_LABEL:
        problems.append(f"name part must be no more than {MOST_LABEL} bytes")
    if not re.fullmatch(_QUALIFIED, tail):
        problems.append(
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start "
            "and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
            f"'123-abc', {_USED_FOR} '{_QUALIFIED}')"
        )
    return problems


def label_value(value: str) -> list[str]:
    """Say why it is no value of a label."""
    problems = []
    if len(value) > MOST_LABEL:
        problems.append(f"must be no more than {MOST_LABEL} bytes")
    if not re.fullmatch(_VALUE, value):
        problems.append(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', "
            "'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  "
            f"or 'my_value',  or '12345', {_USED_FOR} '{_VALUE}')"
        )
    return problems


def labels_problems(labels: Tree, field: str) -> Iterator[Cause]:
    """Check labels."""
    for key, value in labels.items():
        yield from (problem.invalid(field, key, why) for why in qualified(key))
        if isinstance(value, str):
            yield from (problem.invalid(field, value, why) for why in label_value(value))


def annotations_problems(tree: Tree, field: str) -> Iterator[Cause]:
    """Check annotations: their keys, and their size together."""
    annotations = child(tree, "metadata", "annotations")
    for key in annotations:
        yield from (problem.invalid(field, key, why) for why in qualified(key.lower()))
    size = sum(len(key) + len(str(value)) for key, value in annotations.items())
    if size > MOST_ANNOTATIONS_BYTES:
        yield problem.too_long(field, MOST_ANNOTATIONS_BYTES)
