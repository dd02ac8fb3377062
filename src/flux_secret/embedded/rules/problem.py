"""The ways a field can be wrong, in the API server's words (util/validation/field/errors.go)."""

from __future__ import annotations

import json
from collections.abc import Iterable

from flux_secret.embedded.status import Cause
from flux_secret.embedded.tree import Json


def required(field: str, why: str = "") -> Cause:
    """Say that a value is missing."""
    return Cause("FieldValueRequired", f"Required value{': ' * bool(why)}{why}", field)


def invalid(field: str, value: Json, why: str) -> Cause:
    """Say that a value is wrong, and show it."""
    return Cause("FieldValueInvalid", f"Invalid value: {_shown(value)}: {why}", field)


def forbidden(field: str, why: str) -> Cause:
    """Say that no value may stand here."""
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def duplicate(field: str, value: Json) -> Cause:
    """Say that a value stands twice."""
    return Cause("FieldValueDuplicate", f"Duplicate value: {_shown(value)}", field)


def unsupported(field: str, value: Json, supported: Iterable[str]) -> Cause:
    """Say that a value is none of those there are."""
    listed = ", ".join(f'"{one}"' for one in sorted(supported))
    message = f"Unsupported value: {_shown(value)}: supported values: {listed}"
    return Cause("FieldValueNotSupported", message, field)


def too_long(field: str, most: int) -> Cause:
    """Say that a value is too long."""
    return Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", field)


def wrong_type(field: str, value: Json, why: str) -> Cause:
    """Say that a custom resource's value is of a wrong type."""
    return Cause("FieldValueTypeInvalid", f"Invalid value: {_shown(value)}: {why}", field)


def _shown(value: Json) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), sort_keys=True)
    return json.dumps(value)
