"""Bundle + questions that were answered → which Secrets hold which entry's value; names alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flux_secret.model.manifest import Bundle
from flux_secret.model.names import ObjectKey, SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup


def holders(
    bundle: Bundle, handed_out: Sequence[tuple[Lookup, Plaintext]]
) -> Mapping[SecretPath, tuple[ObjectKey, ...]]:
    """Give, for each entry that was read, the Secrets that have its value in one of theirs.

    One whose value was seen in none, since a script made something else of it, is left out: any
    Secret of the target may hold it.
    """
    found: dict[SecretPath, list[ObjectKey]] = {}
    asked = {str(lookup.path): lookup.path for lookup, _ in handed_out}
    for item in bundle.items:
        for name in item.holds.entries:
            if name in asked:
                found.setdefault(asked[name], []).append(item.key)
    return {path: tuple(keys) for path, keys in found.items()}
