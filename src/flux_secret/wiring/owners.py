"""A store's owners, as an agent asks them: what of a head counts, and who may read what.

What was agreed to last is on record in the cluster, and the next head is judged from there. It
begins with the trust anchor of the settings; without one, the first owners file that is ever seen
is trusted, as the first head is.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from flux_secret.access.approvals import Verdict, command, told
from flux_secret.access.interface import Signer
from flux_secret.access.judging import Judging
from flux_secret.errors import ConfigurationError, IntegrityError
from flux_secret.model.approval import State
from flux_secret.model.delivery import HeldBack
from flux_secret.model.names import StoreName
from flux_secret.model.owners import OWNERS_FILE
from flux_secret.model.store import NO_ANCHOR, Anchor
from flux_secret.outside.git.lineage import Lineage
from flux_secret.outside.objects import Commit
from flux_secret.store.owned import Agreed, ReadRule
from flux_secret.store.standing import MAX_REWINDS, Standing
from flux_secret.wiring.approving import Bench, bench

_log = structlog.get_logger(component="sync-loop")
_REMEDY: Final = "sign the commit that brings the file in with one of them, or name a commit"


@dataclass(frozen=True, slots=True)
class _Case:
    """What a judgement follows from."""

    commit: str
    states: tuple[tuple[str, State], ...]
    anchor: str
    approvals: str
    wanted: Anchor


class Owners:
    """Asks the owners of every store."""

    def __init__(self, path: str, anchor_of: Callable[[StoreName], Anchor]) -> None:
        """`path` is where ssh-keygen is looked for."""
        self._path = path
        self._anchor_of = anchor_of
        self._judged: dict[StoreName, tuple[_Case, Agreed]] = {}
        self._refused: dict[StoreName, tuple[_Case, str]] = {}
        """Which head nobody has accepted, as far as was looked."""

    async def judge(self, mirror: Path, standing: Standing, approvals: str) -> Agreed:
        """Say what of `standing.commit` counts; a case that was judged is not judged again."""
        anchor = self._anchor_of(standing.store)
        case, agreed = self._judged.get(standing.store, (None, None))
        if agreed is None or case != _case(standing, approvals, anchor):
            agreed = await self._judge(mirror, standing, approvals, anchor)
            self._judged[standing.store] = (_case(agreed.standing, approvals, anchor), agreed)
        new = agreed.standing
        now = replace(standing, states=new.states, anchor=new.anchor, began=new.began)
        return replace(agreed, standing=now)

    async def _judge(
        self, mirror: Path, standing: Standing, approvals: str, anchor: Anchor
    ) -> Agreed:
        head = standing.commit
        same = await asyncio.to_thread(_unchanged, mirror, standing, anchor)
        if same is not None:
            return replace(same, approvals=approvals)
        unowned = not standing.states and anchor == NO_ANCHOR
        if unowned and Commit(mirror, head).entry(OWNERS_FILE) is None:
            return Agreed(standing, approvals=approvals)
        used = await asyncio.to_thread(bench, mirror, head, path=self._path, trusted=anchor.keys)
        if unowned and not used.judging.owners(head).rules:
            return Agreed(standing, approvals=approvals)
        begun = await self._begun(used, standing, anchor)
        judgement = await used.judging.judge(head, begun.states, used.approvals)
        held = tuple(_held(used, begun, one) for one in judgement.held)
        rules = tuple(_rules(used.judging, judgement.states))
        return Agreed(replace(begun, states=judgement.states), held, rules, approvals)

    async def _begun(self, used: Bench, standing: Standing, anchor: Anchor) -> Standing:
        """Give what the judgement starts from."""
        head, named = standing.commit, _named(anchor)
        if named and named != standing.anchor:
            trusted = anchor.commit or await used.judging.signed_by(head, map(str, anchor.keys))
            if not trusted:
                raise IntegrityError(
                    f"no commit of store {standing.store} that brought {OWNERS_FILE} in is signed "
                    "by a key of its trust anchor",
                    remedy=_REMEDY,
                )
            _log.info("owners.anchored", store=str(standing.store), commit=trusted)
        elif standing.states:
            return standing
        else:
            trusted = head
            _log.warning(
                "owners.trusted_on_first_use",
                store=str(standing.store),
                commit=head,
                reason="nothing says which owners count: --store-anchor names a commit",
            )
        states = used.judging.anchored(head, trusted)
        return replace(standing, states=states, anchor=named, began=trusted)

    async def rewound(
        self, mirror: Path, standing: Standing, head: str, approvals: str
    ) -> Standing | None:
        """Say what is on record once owners, or a new trust anchor, accept a head."""
        anchor = self._anchor_of(standing.store)
        case = (_case(standing, approvals, anchor), head)
        if (not standing.states and not anchor.commit) or self._refused.get(standing.store) == case:
            return None
        found = await self._accepted(mirror, standing, head, anchor)
        if found is None:
            self._refused[standing.store] = case
        return found

    async def _accepted(
        self, mirror: Path, standing: Standing, head: str, anchor: Anchor
    ) -> Standing | None:
        used = await asyncio.to_thread(bench, mirror, standing.commit, path=self._path)
        is_new = _named(anchor) != standing.anchor
        if anchor.commit and is_new and used.lineage.leads_to(anchor.commit, head):
            return replace(standing, states={}, anchor="", began="")
        if not standing.states or not used.lineage.leads_to(standing.commit, standing.commit):
            return None
        found = await used.rewinding.judge(standing.commit, head, standing.states, used.approvals)
        if not found.is_accepted or found.commit in standing.rewinds:
            return None
        rewinds = (*standing.rewinds, found.commit)[-MAX_REWINDS:]
        return replace(standing, states=found.states, rewinds=rewinds, began=found.commit)


def _case(standing: Standing, approvals: str, anchor: Anchor) -> _Case:
    states = tuple(sorted(standing.states.items()))
    return _Case(standing.commit, states, standing.anchor, approvals, anchor)


def _named(anchor: Anchor) -> str:
    """Give one word for a trust anchor; empty for none."""
    if anchor.commit or not anchor.keys:
        return anchor.commit
    keys = "\n".join(map(str, anchor.keys))
    return f"keys:{hashlib.sha256(keys.encode()).hexdigest()[:16]}"


def _held(used: Bench, begun: Standing, one: Verdict) -> HeldBack:
    """Say what is missing; the command judges from where we do."""
    says, gives = "; ".join(told(one, begun.store.value)), command(one, begun.store.value)
    if gives and not _brought_in(used, begun.began):
        since = f" --since {begun.began}"
        says, gives = says + since, gives + since
    return HeldBack(begun.store, one.prefix, says, gives)


def _brought_in(used: Bench, commit: str) -> bool:
    """Whether a commit brought the owners file in: people's commands begin there by themselves."""
    parents = used.lineage.steps(None, commit)[-1].parents
    return not any(used.lineage.tree(parent).entry(OWNERS_FILE) for parent in parents)


def _unchanged(mirror: Path, standing: Standing, anchor: Anchor) -> Agreed | None:
    """Judge a head in which nothing that is owned is other than agreed; None where something is.

    No signature is looked at, and no commit that was judged before: that takes seconds in a store
    of many. What was changed and put back since may have been agreed to meanwhile: it is judged.
    Rules times commits may be many, and an agent has leases to renew: this is for a thread.
    """
    states, head = standing.states, standing.commit
    if not states or (_named(anchor) and _named(anchor) != standing.anchor):
        return None
    lineage = Lineage(mirror)
    judging = Judging(lineage, _Nobody())
    try:
        if {rule.prefix for rule in judging.owners(head).rules} != states.keys():
            return None
        for prefix, state in states.items():
            for commit in (head, *_between(lineage, state.commit, head)):
                if judging.content(commit, prefix) != state.content:
                    return None
    except ConfigurationError:
        return None
    now = {prefix: State(head, state.content) for prefix, state in states.items()}
    return Agreed(replace(standing, states=now), rules=tuple(_rules(judging, now)))


def _between(lineage: Lineage, old: str, new: str) -> Iterator[str]:
    return (step.commit for step in lineage.steps(old, new))


class _Nobody:
    """Knows no signature."""

    async def check(self, _message: bytes, _signature: bytes, _namespace: str) -> Signer:
        """Say that it does not count."""
        return Signer(None, "nobody looks")


def _rules(judging: Judging, states: Mapping[str, State]) -> list[ReadRule]:
    """Give who may read what, by the rules that owners have agreed to."""
    found = []
    for prefix, state in sorted(states.items()):
        rule = judging.owners(state.commit).rule(prefix)
        if rule is not None:
            found.append(ReadRule(prefix, rule.apps, rule.clusters))
    return found
