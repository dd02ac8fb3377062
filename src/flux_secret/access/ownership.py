"""An owners file, the store's entries and keys → what is wrong with who answers; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from flux_secret.model.finding import Finding, Level
from flux_secret.model.ownerkey import KeyKind, OwnerKey
from flux_secret.model.owners import OWNERS_FILE, Owner, Owners, Rule

AHEAD: Final = timedelta(days=30)
"""How long before its end a key is reported, as `store check` does."""
_ENOUGH: Final = 2  # owners; with one, a lost key is a lost path
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Ownership:
    """What is looked at."""

    owners: Owners | None
    """None where there is no file."""
    entries: Sequence[str]
    problem: Callable[[OwnerKey], str]
    """Why a key cannot sign now, in words that follow "the key"; empty when it can."""
    expires: Callable[[OwnerKey], datetime | None]
    readers: Mapping[str, frozenset[str]]
    """Entry → ids of keys that are its recipients."""
    reading: frozenset[KeyKind]
    """Kinds of keys that can be recipients in this store."""
    now: datetime
    store: str = ""
    """Its mount; empty for the root store."""

    @property
    def edit(self) -> str:
        """The command that changes the file."""
        return f"flux-secret owners edit {self.store}".rstrip()


def findings(facts: Ownership) -> Iterator[Finding]:
    """Give everything."""
    owners = facts.owners
    if owners is None or not owners.rules:
        says = "nobody answers for its entries: " + (
            f"{OWNERS_FILE} has no rule" if owners else f"there is no {OWNERS_FILE}"
        )
        yield _warning("no-owners", "", says, facts.edit)
        return
    yield from _unowned(facts, owners)
    covered = _covered(facts.entries, owners)
    for rule in owners.rules:
        yield from _rule(facts, owners, rule, covered.get(rule.prefix, ()))
    named = {name for rule in owners.rules for name in rule.owners}
    for name in sorted(named):
        yield from _keys(facts, owners.people[name])
    for name in sorted(owners.people.keys() - named):
        yield _warning("owner-of-nothing", name, "is named by no rule", facts.edit)


def live(facts: Ownership, owners: Owners, rule: Rule) -> tuple[str, ...]:
    """Give the owners of a rule who have a key that can sign now."""
    return tuple(
        one.name for one in owners.of(rule) if any(not facts.problem(key) for key in one.keys)
    )


def _unowned(facts: Ownership, owners: Owners) -> Iterator[Finding]:
    bare = [entry for entry in facts.entries if owners.rule(entry) is None]
    if bare:
        says = f"nobody answers for {len(bare)} of {len(facts.entries)} entries: {_some(bare)}"
        yield _warning("unowned", "", says, f'{facts.edit}: a rule for their folder, or for ""')


def _rule(
    facts: Ownership, owners: Owners, rule: Rule, entries: Sequence[str]
) -> Iterator[Finding]:
    able = live(facts, owners, rule)
    if len(able) < rule.approvals:
        says = f"{rule.approvals} have to agree to a change, and {len(able)} could"
        yield Finding(
            Level.ERROR, rule.prefix, says, f"{facts.edit}: whoever is named now has to agree",
            kind="locked-out",
        )  # fmt: skip
    elif len(able) < _ENOUGH:
        says = f"only {able[0]} could agree to a change: with that key the path is lost"
        yield _warning("bus-factor", rule.prefix, says, f"{facts.edit}: name a second owner")
    if not entries and rule.prefix:  # the whole store's is also for what will come
        says = "the rule is about no entry"
        yield _warning("rule-of-nothing", rule.prefix, says, f"{facts.edit}: mend its path")
    for one in owners.of(rule):
        keys = {key.id for key in one.keys if key.kind in facts.reading}
        closed = [entry for entry in entries if keys and not keys & facts.readers[entry]]
        if closed:
            says = f"{one.name} answers for {_some(closed)} and cannot read it"
            remedy = "flux-secret recipients add, or name somebody who can"
            yield _warning("owner-no-reader", rule.prefix, says, remedy)


def _keys(facts: Ownership, one: Owner) -> Iterator[Finding]:
    for key in one.keys:
        problem, ends = facts.problem(key), facts.expires(key)
        where = f"{one.name} {key.short}"
        if problem:
            remedy = f"{one.name} renews it, or: {facts.edit}"
            yield _warning("owner-key", where, f"the key {problem}", remedy)
        elif ends is not None and ends - facts.now < AHEAD:
            remedy = f"{one.name} prolongs it: gpg --quick-set-expire {key.id} 1y, then "
            yield _warning(
                "owner-key-expires", where, f"the key expires on {ends:%Y-%m-%d}",
                f"{remedy}flux-secret recipients update",
            )  # fmt: skip


def _covered(entries: Sequence[str], owners: Owners) -> Mapping[str, Sequence[str]]:
    covered: dict[str, list[str]] = {}
    for entry in entries:
        rule = owners.rule(entry)
        if rule is not None:
            covered.setdefault(rule.prefix, []).append(entry)
    return covered


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _warning(kind: str, about: str, says: str, remedy: str) -> Finding:
    return Finding(Level.WARNING, about, says, remedy, kind=kind)
