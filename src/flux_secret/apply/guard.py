"""What must not happen without a person's word: a Secret that loses a value, a large removal.

Design decision 2, second rule, and decision 13. A confirmation is a token that names one revision
and one list of objects; another commit, or another object, has another token.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from flux_secret.apply.scope import Wanted
from flux_secret.errors import HeldError
from flux_secret.model.delivery import Revision
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import FIELD_MANAGER, LiveObject
from flux_secret.outside.kubernetes.body import mapping

TOKEN_CHARS: Final = 12
MANY: Final = 10  # objects; more than these *and* more than half are held
PRECIOUS: Final = frozenset(
    {
        ("", "Namespace"),
        ("", "PersistentVolume"),
        ("", "PersistentVolumeClaim"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)
"""Kinds whose removal takes other things along, or data."""


@dataclass(frozen=True, slots=True)
class LiveValues:
    """Which keys a live Secret has, and whether there is anything in them; never the values."""

    filled: frozenset[str]


@dataclass(frozen=True, slots=True)
class Loss:
    """A key of a live Secret that a write would empty or take away."""

    key: ObjectKey
    name: str
    """The key in `data`."""
    vanishes: bool

    def __str__(self) -> str:
        return f"{self.name} would {'vanish' if self.vanishes else 'become empty'}"


def losses(want: Wanted, live: LiveObject, values: LiveValues) -> list[Loss]:
    """Give what a write of this Secret would lose.

    A key vanishes when only we own it and it is not wanted any more: server-side apply then removes
    it. Keys of other owners stay.
    """
    lost = []
    for name in sorted(values.filled):
        new = want.values.get(name)
        if new is not None and new.is_empty:
            lost.append(Loss(want.key, name, vanishes=False))
        elif new is None and _only_ours(live, name):
            lost.append(Loss(want.key, name, vanishes=True))
    return lost


def loss_token(revision: Revision, lost: Iterable[Loss]) -> str:
    """Give the token that confirms exactly these losses at exactly this revision."""
    listed = [f"{loss.key.long}: {loss}" for loss in lost]
    return _token("values", _commits(revision), listed)


def held_for_loss(lost: Collection[Loss], revision: Revision, token: str) -> HeldError:
    """Give the error of one Secret that is held back."""
    key = next(iter(lost)).key
    named = ", ".join(map(str, lost))
    return HeldError(
        f"{key.long} is held: with commit {revision.commit[:12]} its {named}",
        remedy="see why the value is gone (the live one is kept); if it is meant: "
        f"--confirm {token}",
        token=token,
    )


def must_hold_removal(going: Collection[ObjectKey], owned: int, *, everything: bool) -> str:
    """Say why a removal needs a person's word; an empty text when it does not.

    `everything` says that nothing at all would stay: an empty generation is no wish (decision 13).
    """
    precious = sorted({key.kind for key in going if (key.group, key.kind) in PRECIOUS})
    if precious:
        return f"it includes a {' and a '.join(precious)}"
    if len(going) > MANY and 2 * len(going) > owned:
        return f"it is {len(going)} of {owned} objects"
    if everything:
        return "nothing of the target would stay"
    return ""


def removal_token(target: str, commits: Iterable[str], going: Iterable[ObjectKey]) -> str:
    """Give the token that confirms exactly this removal."""
    return _token(f"removal {target}", sorted(commits), sorted(key.long for key in going))


def held_for_removal(
    target: str, why: str, going: Collection[ObjectKey], commits: Iterable[str], token: str
) -> HeldError:
    """Give the error of a removal that is held back."""
    named = ", ".join(sorted(key.long for key in going)[:20])
    more = f" and {len(going) - 20} more" if len(going) > 20 else ""  # noqa: PLR2004 -- a line
    at = ", ".join(sorted(commit[:12] for commit in commits))
    return HeldError(
        f"the removal of {len(going)} objects of {target} at commit {at} is held, since {why}: "
        f"{named}{more}",
        remedy=f"if it is meant: --confirm {token}",
        token=token,
    )


def _only_ours(live: LiveObject, name: str) -> bool:
    owners = {
        (entry.manager, entry.operation)
        for entry in live.managed
        if f"f:{name}" in mapping(entry.fields, "f:data")
    }
    return owners == {(FIELD_MANAGER, "Apply")}


def _commits(revision: Revision) -> list[str]:
    stores = sorted((str(name), store.commit) for name, store in revision.stores.items())
    return [revision.commit, *(f"{name}={commit}" for name, commit in stores)]


def _token(purpose: str, commits: Iterable[str], listed: Iterable[str]) -> str:
    text = json.dumps([purpose, list(commits), list(listed)])
    return hashlib.sha256(text.encode()).hexdigest()[:TOKEN_CHARS]


def filled_keys(data: Mapping[str, object]) -> LiveValues:
    """Give which keys of a live Secret's `data` hold something (base64 of nothing is empty)."""
    return LiveValues(frozenset(name for name, value in data.items() if value))
