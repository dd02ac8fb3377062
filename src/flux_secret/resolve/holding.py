"""Secrets + what scripts were given → which entries each Secret's values come from.

A reference says it itself. What a script was given is looked for: plainly or in base64, as where a
value may not stand. A script that hashes it, or takes it apart, leaves nothing to be found: then
any Secret of the target may hold it, and that is what is noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from flux_secret.model.manifest import BundleItem, Holds
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup
from flux_secret.resolve.leak import Needle, needles

MAX_SEARCHED: Final = 1024 * 1024 * 1024  # bytes, each counted once for each value looked for
MAX_PERHAPS: Final = 50  # names that are noted of one Secret without having been seen in it
MORE: Final = "*"


def held(
    items: Sequence[BundleItem], scripts: Sequence[tuple[Lookup, Plaintext]]
) -> tuple[BundleItem, ...]:
    """Give the items, each Secret with the names of the entries that it holds values of."""
    if not scripts:
        return tuple(items)
    wanted = [needle for lookup, value in scripts for needle in needles(lookup, value, least=1)]
    texts = [_texts(item.secret_data.values()) for item in items]
    if sum(len(one) for values in texts for one in values) * len(wanted) > MAX_SEARCHED:
        wanted = []
    seen = [
        {*item.holds.entries, *_seen(wanted, values)}
        for item, values in zip(items, texts, strict=True)
    ]
    nowhere = {str(lookup.path) for lookup, _ in scripts}.difference(*seen)
    perhaps = tuple(sorted(nowhere))
    if len(perhaps) > MAX_PERHAPS:
        perhaps = (MORE, *perhaps[:MAX_PERHAPS])
    return tuple(
        replace(item, holds=Holds(tuple(sorted(names)), perhaps)) if item.secret_data else item
        for item, names in zip(items, seen, strict=True)
    )


def _texts(values: Iterable[Plaintext]) -> tuple[bytes, ...]:
    return tuple(value.reveal() for value in values)


def _seen(wanted: Iterable[Needle], texts: Sequence[bytes]) -> Iterable[str]:
    return (str(one.lookup.path) for one in wanted if any(map(one.is_in, texts)))
