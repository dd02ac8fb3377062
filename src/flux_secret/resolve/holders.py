"""Bundle + values that were read → which Secrets hold which of them; no value leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from flux_secret.model.manifest import Bundle
from flux_secret.model.names import ObjectKey, SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup

MIN_INSIDE: Final = 4
"""Bytes; shorter values stand inside others by chance, and count only as the whole."""


def holders(
    bundle: Bundle, handed_out: Sequence[tuple[Lookup, Plaintext]]
) -> Mapping[SecretPath, tuple[ObjectKey, ...]]:
    """Give, for each entry that was read, the Secrets that have its value in one of theirs."""
    held = {
        item.key: [value.reveal() for value in item.secret_data.values()]
        for item in bundle.items
        if item.secret_data
    }
    found: dict[SecretPath, dict[ObjectKey, None]] = {}
    for lookup, value in handed_out:
        needle = value.reveal().rstrip(b"\r\n")
        keys = found.setdefault(lookup.path, {})
        keys |= {key: None for key, values in held.items() if _has(values, needle)}
    return {path: tuple(keys) for path, keys in found.items()}


def _has(values: Sequence[bytes], needle: bytes) -> bool:
    if len(needle) < MIN_INSIDE:
        return any(value.rstrip(b"\r\n") == needle for value in values)
    return any(needle in value for value in values)
