"""Two commits of a store → who gains and who loses, entry by entry; pure.

1. An entry under its old name is compared with itself.
2. A new name with the ciphertext of an old entry is that entry, moved or copied.
3. Another new name, where entries have left, may be one of those under a new name and encrypted
   anew: it is compared with those of the same last part, else with all that left. Whoever could not
   read each of them gains.
4. A new name where nothing left is a new entry: its readers are shown, and gain nothing.
5. A rule about no entry of before is compared by itself: who answers for what will come gains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flux_secret.model.access import Holder, Sealed, StoreAccess
from flux_secret.model.owners import NOBODY, Owners


@dataclass(frozen=True, slots=True)
class Side:
    """A store at one commit; entries are named inside it."""

    access: StoreAccess
    owners: Owners = NOBODY
    findings: tuple[str, ...] = ()

    def answering(self, entry: str) -> frozenset[str]:
        """Give who answers for an entry: each person with each of their keys."""
        rule = self.owners.rule(entry)
        people = self.owners.of(rule) if rule else ()
        return frozenset(f"{one.name} with {key.short}" for one in people for key in one.keys)

    def approvals(self, entry: str) -> int:
        """Give how many owners have to agree to a change."""
        rule = self.owners.rule(entry)
        return rule.approvals if rule else 0

    def readers(self, entry: str) -> Mapping[str, frozenset[str] | None]:
        """Give the patterns of Apps and of clusters that may read it; None for all."""
        rule = self.owners.rule(entry)
        given = {"Apps": rule.apps, "clusters": rule.clusters} if rule else {}
        return {
            noun: None if (names := given.get(noun)) is None else frozenset(names)
            for noun in ("Apps", "clusters")
        }


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One who gains or loses something of some entries."""

    who: str
    what: str
    """`reads`, `answers for`, `get it`."""
    entries: tuple[str, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a change of a store does."""

    gained: tuple[Change, ...]
    lost: tuple[Change, ...]
    new: tuple[tuple[str, tuple[str, ...]], ...]
    """New entries, and who reads each."""
    removed: tuple[str, ...]
    moved: tuple[tuple[str, str], ...]
    """Old name, and where the same ciphertext lies now."""
    weaker: tuple[str, ...]
    """Where fewer have to agree than before, in sentences."""
    findings: tuple[str, ...]
    """What is wrong now and was not before."""

    @property
    def somebody_gains(self) -> bool:
        """Whether somebody can do more than before, as far as that can be told."""
        return bool(self.gained or self.weaker)

    @property
    def needs_a_look(self) -> bool:
        """Whether somebody gains, or something is newly wrong so that nobody can tell."""
        return self.somebody_gains or bool(self.findings)


@dataclass(frozen=True, slots=True)
class _Pair:
    name: str
    """The entry's name now; before, where it has left."""
    before: tuple[Sealed, ...]
    """What it may be of before; none for a new one."""
    after: Sealed | None


@dataclass(frozen=True, slots=True)
class _Case:
    """Something that somebody answers for, before and now."""

    name: str
    before: tuple[str, ...]
    """Where it was: its rule counts."""
    now: str


def compare(old: Side, new: Side) -> Comparison:
    """Compare."""
    before = {one.entry: one for one in old.access.sealed}
    after = {one.entry: one for one in new.access.sealed}
    moved = [*_moved(before, after)]
    pairs = [*_pairs(before, after, {to: of for of, to in moved})]
    gained, lost = _Ledger(), _Ledger()
    kept = [pair for pair in pairs if pair.before and pair.after is not None]
    cases = [*_cases(kept, old, new)]
    for pair in kept:
        _readers(pair, gained, lost)
    for case in cases:
        _words(case, old, new, gained, lost)
    fresh = tuple(
        (pair.name, tuple(sorted(map(str, pair.after.readers))))
        for pair in pairs if pair.after is not None and not pair.before
    )  # fmt: skip
    known = {*old.findings, *old.access.findings}
    return Comparison(
        gained.changes(), lost.changes(), fresh,
        tuple(sorted(before.keys() - after.keys() - {of for of, _ in moved})), tuple(moved),
        tuple(_weaker(cases, old, new)),
        tuple(one for one in dict.fromkeys((*new.findings, *new.access.findings))
              if one not in known),
    )  # fmt: skip


def _moved(before: Mapping[str, Sealed], after: Mapping[str, Sealed]) -> Iterator[tuple[str, str]]:
    """Give new names of old ciphertexts; one that is copied has its old name too."""
    by_blob: dict[str, list[str]] = {}
    for name in sorted(before):
        by_blob.setdefault(before[name].blob, []).append(name)
    for name in sorted(after.keys() - before.keys()):
        for of in by_blob.get(after[name].blob, ())[:1]:
            yield of, name


def _pairs(
    before: Mapping[str, Sealed], after: Mapping[str, Sealed], moved: Mapping[str, str]
) -> Iterator[_Pair]:
    left = [before[name] for name in sorted(before.keys() - after.keys() - {*moved.values()})]
    for name, one in sorted(after.items()):
        if name in before:
            yield _Pair(name, (before[name],), one)
        elif name in moved:
            yield _Pair(name, (before[moved[name]],), one)
        else:
            last = name.rpartition("/")[2]
            alike = [other for other in left if other.entry.rpartition("/")[2] == last]
            yield _Pair(name, tuple(alike or left), one)


class _Ledger:
    """Gathers entries by who, what and why."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str, str], list[str]] = {}

    def add(self, who: str, what: str, entry: str, because: str) -> None:
        self._all.setdefault((who, what, because), []).append(entry)

    def changes(self) -> tuple[Change, ...]:
        return tuple(sorted(
            Change(who, what, tuple(sorted(entries)), because)
            for (who, what, because), entries in self._all.items()
        ))  # fmt: skip


def _readers(pair: _Pair, gained: _Ledger, lost: _Ledger) -> None:
    assert pair.after is not None  # noqa: S101 -- the caller looks
    sides = [one.readers for one in pair.before]
    all_could = frozenset.intersection(*sides)
    some_could = frozenset.union(*sides)
    for holder in pair.after.readers - all_could:
        gained.add(str(holder), "reads", pair.name, _because(holder, pair))
    if pair.after.hidden > max(one.hidden for one in pair.before):
        why = "the message is for more than it names"
        gained.add("somebody whom the message does not name", "reads", pair.name, why)
    for holder in some_could - pair.after.readers:
        why = "it knows the value until that is changed"
        lost.add(str(holder), "reads", pair.name, why)


def _because(holder: Holder, pair: _Pair) -> str:
    assert pair.after is not None  # noqa: S101 -- the caller looks
    after, of = pair.after, pair.before[0]
    named = [one for one in after.circle.named if one.holder == holder]
    if not named:
        why = "it is encrypted to this key, which no recipients file names"
    elif named[0].doubt:
        why = named[0].doubt
    elif after.circle.file != of.circle.file:
        why = f"{after.circle.file} counts, no longer {of.circle.file or 'nothing'}"
    else:
        why = f"{after.circle.file} names it"
    if of.entry != after.entry:
        sure = of.blob == after.blob
        other = of.entry if len(pair.before) == 1 else f"one of {len(pair.before)} that left"
        why += f"; it was {other}" if sure else f"; it may be {other}, encrypted anew"
    return why


def _cases(kept: Sequence[_Pair], old: Side, new: Side) -> Iterator[_Case]:
    """Give what stays, and the rules that are about nothing of it, as `demo/`."""
    said = set()
    for pair in kept:
        before = tuple(one.entry for one in pair.before)
        yield _Case(pair.name, before, pair.name)
        said |= {old.owners.rule(name) for name in before} | {new.owners.rule(pair.name)}
    named = {rule.prefix for one in (old, new) for rule in one.owners.rules}
    for prefix in sorted(named - {rule.prefix for rule in said if rule}):
        yield _Case(f"{prefix}/", (prefix,), prefix)


def _words(one: _Case, old: Side, new: Side, gained: _Ledger, lost: _Ledger) -> None:
    """Compare what the owners files say."""
    sides, after = [old.answering(name) for name in one.before], new.answering(one.now)
    for who in after - frozenset.intersection(*sides):
        gained.add(who, "answers for", one.name, "the owners file says so")
    for who in frozenset.union(*sides) - after:
        lost.add(who, "answers for", one.name, "the owners file no longer says so")
    for noun, now in new.readers(one.now).items():
        then = [old.readers(name)[noun] for name in one.before]
        limits = [limit for limit in then if limit is not None]
        if limits and now is None:
            gained.add(f"all {noun}", "get it", one.name, "the owners file has no limit any more")
        elif limits and now is not None:
            for who in now - frozenset.intersection(*limits):
                gained.add(f"{noun} {who}", "get it", one.name, "the owners file says so")


def _weaker(cases: Iterable[_Case], old: Side, new: Side) -> Iterator[str]:
    fewer: dict[tuple[int, int], list[str]] = {}
    for one in cases:
        most, now = max(map(old.approvals, one.before)), new.approvals(one.now)
        if now < most:
            fewer.setdefault((most, now), []).append(one.name)
    for (most, now), names in sorted(fewer.items()):
        yield f"{now} instead of {most} owners have to agree to a change of {_some(names)}"


_SHOWN = 5


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
