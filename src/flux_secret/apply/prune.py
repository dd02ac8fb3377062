"""An object that left the repository + what is there → whether it goes. Pure.

Pruned is only what is in the target's list *and* carries the target's label *and* has the listed
uid: controllers copy labels (the endpoints controllers do), and people copy objects.
"""

from __future__ import annotations

import enum
from typing import Final

from flux_secret.apply.inventory import Entry
from flux_secret.apply.payload import PART_OF
from flux_secret.apply.plan import APPLY, Policy, is_ours
from flux_secret.model.flux_v1 import IGNORE, Ignore
from flux_secret.outside.kubernetes import LiveObject

PRUNE: Final = "flux-secret.io/prune"
_DISABLED: Final = {
    PRUNE: frozenset({"disabled"}),
    APPLY: frozenset({Policy.IGNORE.value}),
    **dict.fromkeys(IGNORE, frozenset(one.value for one in Ignore)),
}
"""Annotations that keep a live object: ours and Flux v1's (facts/flux-v1.md §3.1)."""


class Fate(enum.Enum):
    """What becomes of an object that no target wants."""

    GO = "delete it"
    KEEP = "leave it, and go on listing it"
    DROP = "leave it, and list it no more"


def fate(entry: Entry, live: LiveObject | None, applyset: str) -> tuple[Fate, str]:
    """Decide; the text says why it stays, for people, and is empty when there is nothing to say."""
    if live is None:
        return Fate.DROP, ""
    if stranger := _stranger(entry, live, applyset):
        return Fate.DROP, f"not pruned: {stranger}"
    for annotation, values in _DISABLED.items():
        if live.annotations.get(annotation) in values:
            return Fate.KEEP, f"not pruned: {annotation}: {live.annotations[annotation]}"
    if live.is_going:
        return Fate.KEEP, "it is being deleted"
    return Fate.GO, ""


def _stranger(entry: Entry, live: LiveObject, applyset: str) -> str:
    """Say why the object that is there is not the one in the list; empty when it is."""
    if entry.uid and entry.uid != live.uid:
        return "it was replaced by another object of that name"
    if live.labels.get(PART_OF) != applyset:
        return "it no longer carries the label of its target"
    return "" if is_ours(entry, live, applyset) else "it was made by somebody else"
