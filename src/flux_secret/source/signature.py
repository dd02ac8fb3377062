"""Signed and unsigned commits → the newest state that may be delivered (facts: flux-v1 §2.8).

A state may be delivered when every commit that it adds to the marker is well signed. Candidates are
the states that the branch itself went through (its first parents): a commit of a merged side branch
lacks what the branch had, so delivering it would take other work back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flux_secret.source.interface import SignedCommit


@dataclass(frozen=True, slots=True)
class Choice:
    """What may be delivered."""

    commit: str | None
    """None: not even the first commit is well signed."""
    bad: str | None
    """The first commit, oldest first, that is not."""
    flaw: str = ""
    """Why it is not."""


def newest_good(commits: Sequence[SignedCommit], head: str, marker: str | None) -> Choice:
    """Choose between `marker` and `head`.

    `commits` is what `head` adds to the marker, parents before children. `marker` is None when
    there is none, or when the branch no longer contains it: then nothing older is good.
    """
    bad = next((one for one in commits if not one.is_good), None)
    if bad is None:
        return Choice(head, None)
    tainted: set[str] = set()
    first_parent: dict[str, str] = {}
    for one in commits:
        if not one.is_good or tainted.intersection(one.parents):
            tainted.add(one.revision)
        if one.parents:
            first_parent[one.revision] = one.parents[0]
    new = {one.revision for one in commits}
    state: str | None = head
    while state in tainted:
        state = first_parent.get(state)
    return Choice(state if state in new else marker, bad.revision, bad.flaw)
