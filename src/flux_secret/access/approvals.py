"""Approved content + commits + signatures → the newest content that counts, and who is missing.

1. What may follow content is decided by the rule that stands beside it, with the keys it had there:
   whoever changes a rule needs those whom the old one names.
2. Content follows content when as many different people as the rule asks for have signed exactly
   that step, at a commit that is newer than the one before: an approval that was used up does not
   count again.
3. Steps can follow one another; the furthest content counts. Where nothing was approved before, the
   new rule's own owners decide (or the trust anchor did, before this is asked): the first that do.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from flux_secret.model.approval import Purpose, State, Statement
from flux_secret.model.ownerkey import OwnerKey
from flux_secret.model.owners import Owners, Rule

OwnersAt = Callable[[str], Owners]
"""Commit → what its owners file says."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One signature for one step: of an approval, or of a commit that made the step."""

    old: str | None
    """The digest of what it starts from; None for nothing approved before."""
    new: State
    key: OwnerKey | None
    problem: str = ""
    """Why it does not count whoever made it; empty when it is good."""


@dataclass(frozen=True, slots=True)
class Line:
    """The commits that are newer than what is approved, parents before children."""

    states: tuple[State, ...]
    """Those at which the prefix can be read; the last is the head's, unless `problem` says."""
    problem: str = ""
    """Why the head's content cannot be judged."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What counts of a prefix."""

    prefix: str
    approved: State | None
    """None: nothing of it was ever approved."""
    wanted: State | None
    """The head's, where it is other than what is approved; None when nothing is held back."""
    rule: Rule | None = None
    """Who decides about the next step."""
    signed: tuple[str, ...] = ()
    """Who has agreed to it."""
    missing: tuple[str, ...] = ()
    """Owners who have not."""
    ignored: tuple[str, ...] = ()
    """Signatures for it that do not count, each with the reason."""
    ends: tuple[State | None, ...] = ()
    """From where a step to what is wanted would count; one, but for merged branches."""
    problem: str = ""
    """Why what is wanted cannot be judged at all."""

    @property
    def is_held(self) -> bool:
        """Whether the head's content does not count."""
        return self.wanted is not None or bool(self.problem)

    def steps(self, store: str) -> tuple[Statement, ...]:
        """Give what an owner signs so that the head's content counts; nothing when it does."""
        if self.wanted is None:
            return ()
        return tuple(
            Statement(Purpose.CHANGE, store, self.prefix, end, self.wanted) for end in self.ends
        )

    @property
    def needed(self) -> int:
        """Give how many more owners have to agree."""
        wanted = self.rule.approvals if self.rule else 1
        return max(0, wanted - len(self.signed)) if self.is_held else 0


@dataclass(frozen=True, slots=True)
class _Node:
    state: State | None
    at: int
    """Which of the commits it was agreed to at; -1 for what was approved before."""

    @property
    def content(self) -> str | None:
        return self.state.content if self.state else None


def verdict(
    prefix: str, start: State | None, line: Line, marks: Sequence[Mark], owners_at: OwnersAt
) -> Verdict:
    """Judge one prefix; `start` is what was approved last."""
    return _Judge(prefix, line, marks, owners_at).judge(_Node(start, -1))


def agreed(
    prefix: str, step: tuple[State, State], marks: Sequence[Mark], owners: Owners
) -> Verdict:
    """Say who of a rule's owners has signed a step; `owners` is what was approved last."""
    rule = owners.rule(prefix)
    people = owners.of(rule) if rule else ()
    signed, ignored = set(), []
    for mark in marks:
        person = next((one.name for one in people if mark.key in one.keys), "")
        if person and not mark.problem:
            signed.add(person)
        elif rule:
            ignored.append(_because(mark, person, rule))
    return Verdict(
        prefix,
        step[0],
        step[1],
        rule,
        signed=tuple(sorted(signed)),
        missing=tuple(one.name for one in people if one.name not in signed),
        ignored=tuple(dict.fromkeys(ignored)),
    )


class _Judge:
    """The signatures for one prefix, sorted by the step that they are for."""

    def __init__(self, prefix: str, line: Line, marks: Sequence[Mark], owners_at: OwnersAt) -> None:
        self._prefix = prefix
        self._line = line
        self._owners_at = owners_at
        self._places = {state.commit: at for at, state in enumerate(line.states)}
        self._steps: dict[str | None, dict[str, list[Mark]]] = {}
        for mark in sorted(marks, key=self._place):
            at = self._place(mark)
            if at >= 0 and line.states[at].content == mark.new.content:
                self._steps.setdefault(mark.old, {}).setdefault(mark.new.content, []).append(mark)

    def judge(self, start: _Node) -> Verdict:
        nodes, ends = self._reached(start)
        furthest = max(nodes, key=lambda node: node.at)
        line = self._line
        head = line.states[-1] if line.states else furthest.state
        if line.problem:
            rule, _ = self._decider(furthest.state, None)
            return Verdict(self._prefix, furthest.state, None, rule, problem=line.problem)
        if head is None or (furthest.state and furthest.state.content == head.content):
            return Verdict(self._prefix, head, None)
        _, owners = self._decider(furthest.state, head)
        if owners is None:  # its owners have given it up, and nobody else answers for it
            return Verdict(self._prefix, head, None)
        return self._held(furthest, head, owners, ends)

    def _held(
        self, furthest: _Node, head: State, owners: Owners, ends: tuple[State | None, ...]
    ) -> Verdict:
        marks = self._steps.get(furthest.content, {}).get(head.content, ())
        newer = [mark for mark in marks if self._place(mark) > furthest.at]
        found = agreed(self._prefix, (furthest.state or head, head), newer, owners)
        return replace(found, approved=furthest.state, ends=ends)

    def _reached(self, start: _Node) -> tuple[set[_Node], tuple[State | None, ...]]:
        """Follow every step that counts; give what is reached, and what nothing follows."""
        todo, seen, ends = [start], {start}, []
        while todo:
            node = todo.pop()
            steps = self._steps.get(node.content, {}).values()
            followers = {one for marks in steps if (one := self._follower(node, marks))}
            if node.state is None and followers:  # whoever is first answers for it from then on
                followers = {min(followers, key=lambda one: one.at)}
            if not followers:
                ends.append(node.state)
            todo += followers - seen
            seen |= followers
        return seen, tuple(dict.fromkeys(ends))

    def _follower(self, node: _Node, marks: Sequence[Mark]) -> _Node | None:
        """Give where a step leads as soon as enough people have signed it; None before."""
        people: set[str] = set()
        for mark in marks:
            if self._place(mark) <= node.at or mark.problem:
                continue
            rule, person = self._person(mark, node.state)
            if rule is None or not person:
                continue
            people.add(person)
            if len(people) >= rule.approvals:
                return _Node(mark.new, self._place(mark))
        return None

    def _person(self, mark: Mark, state: State | None) -> tuple[Rule | None, str]:
        """Find whose signature it is, among those who decide; "" for nobody of them."""
        rule, owners = self._decider(state, mark.new)
        people = owners.of(rule) if rule and owners else ()
        return rule, next((one.name for one in people if mark.key in one.keys), "")

    def _decider(self, state: State | None, new: State | None) -> tuple[Rule | None, Owners | None]:
        """Give the rule that decides: the approved one; where there is none, the new one."""
        for one in (state, new):
            owners = self._owners_at(one.commit) if one else None
            rule = owners.rule(self._prefix) if owners else None
            if rule is not None:
                return rule, owners
        return None, None

    def _place(self, mark: Mark) -> int:
        return self._places.get(mark.new.commit, -1)


def _because(mark: Mark, person: str, rule: Rule) -> str:
    who = f"the signature of {person or 'somebody'}"
    if mark.key:
        who += f" ({mark.key.short})"
    if mark.problem:
        return f"{who} does not count: {mark.problem}"
    return f"{who} does not count: that key is of no owner of {rule.shown} as approved last"


def told(one: Verdict, store: str) -> Iterator[str]:
    """Say why a prefix is held back, and what to do; nothing when it is not."""
    if not one.is_held:
        return
    name = one.prefix or "the whole store"
    if one.problem:
        yield f"{name}: {one.problem}; what was approved last stays"
        return
    commit = one.wanted.commit[:12] if one.wanted else "?"
    lacking = ", ".join(one.missing) or "nobody who could sign"
    count = f"{one.needed} of " if one.needed < len(one.missing) else ""
    yield f"{name} at {commit} is not approved: the signature of {count}{lacking} is missing"
    yield from one.ignored
    yield f"an owner gives it with: {command(one, store)}"


def command(one: Verdict, store: str) -> str:
    """Give the command by which an owner agrees; empty where nobody can.

    It is for a shell: whoever may push can call a path what they like.
    """
    if not one.is_held or one.problem:
        return ""
    return shlex.join(["flux-secret", "owners", "approve", store, *filter(None, [one.prefix])])
