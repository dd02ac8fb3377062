"""A store's history, what was approved last and its approvals → what of its head counts.

A longer prefix decides for itself. One that has just got a rule of its own starts from what was
approved for the prefix above it, whose owners decide until then; where none is above, the new
rule's owners decide. A prefix whose rule is gone, with its owners' agreement, is judged no more.
"""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flux_secret.access.approvals import Line, Mark, Verdict, verdict
from flux_secret.access.content import content_of, owners_at, sources
from flux_secret.access.interface import History, Signatures, Signer, Step, Tree
from flux_secret.access.listing import Listed, Listings
from flux_secret.errors import ConfigurationError, IntegrityError
from flux_secret.model.approval import (
    COMMIT_NAMESPACE,
    SSH_NAMESPACE,
    Approval,
    Purpose,
    State,
)
from flux_secret.model.ownerkey import OwnerKey
from flux_secret.model.owners import OWNERS_FILE, Owners, Rule


@dataclass(frozen=True, slots=True)
class Judgement:
    """What of a head counts."""

    head: str
    verdicts: tuple[Verdict, ...]
    """Of every owned prefix, shorter ones first."""
    states: Mapping[str, State]
    """What is approved now, by prefix: what the next judgement starts from. An entry is delivered
    from the commit of the longest of these prefixes; where there is none, from the head."""

    @property
    def held(self) -> tuple[Verdict, ...]:
        """Those that are not as the head has them."""
        return tuple(one for one in self.verdicts if one.is_held)


class Judging:
    """Judges heads of one store; what was read and verified once is remembered."""

    def __init__(self, history: History, signatures: Signatures) -> None:
        self._history = history
        self._signatures = signatures
        self._trees: dict[str, Tree] = {}
        self._listings = Listings()
        self._owners: dict[str, Owners | ConfigurationError] = {}
        self._files: dict[str, Owners] = {}
        """By blob; what else is in its place is an error each time."""
        self._contents: dict[tuple[str, ...], str] = {}
        self._steps: dict[tuple[str | None, str], Sequence[Step]] = {}
        self._signers: dict[tuple[str, bytes], Signer] = {}
        self._siblings: dict[str, dict[tuple[str, ...], list[str]]] = {}

    async def judge(
        self, head: str, states: Mapping[str, State], approvals: Sequence[Approval]
    ) -> Judgement:
        """Judge a head that contains every commit of `states`.

        Raises `IntegrityError` when it does not: such a head needs `rewind`.
        """
        for state, prefix in {state: prefix for prefix, state in states.items()}.items():
            if not self._history.leads_to(state.commit, head):
                raise IntegrityError(
                    f"commit {head[:12]} does not contain {state.commit[:12]}, "
                    f"where {prefix or 'the store'} was approved last",
                    remedy="owners accept it with: flux-secret store accept-rewind COMMIT",
                )
            self.owners(state.commit)  # their keys are known from here on
        firsts = self._history.firsts(head)
        offered: dict[str, list[Approval]] = {}
        for one in approvals:
            if one.statement.purpose is Purpose.CHANGE and one.statement.store in firsts:
                offered.setdefault(one.statement.prefix, []).append(one)
        named = {rule.prefix for rule in self._rules(head, states)}
        verdicts, kept = [], {}
        for prefix in sorted({*states, *named}, key=_parts):
            await asyncio.sleep(0)  # rules times commits may be many: an agent has leases to renew
            start = states.get(prefix) or self._inherited(prefix, states)
            line = self._line(prefix, start, head)
            way = (start.commit if start else None, head)
            marks = await self._marks(prefix, way, line, offered.get(prefix, ()))
            found = verdict(prefix, start, line, marks, self.owners)
            verdicts.append(found)
            if found.approved is not None:
                kept[prefix] = found.approved
        return Judgement(head, tuple(verdicts), self._without_given_up(kept))

    def anchored(self, head: str, anchor: str) -> Mapping[str, State]:
        """Give what a judgement starts from when a commit is trusted."""
        if not self._history.leads_to(anchor, head):
            raise IntegrityError(
                f"commit {head[:12]} does not contain the trusted commit {anchor[:12]}",
                remedy="name a commit of this store's branch as its trust anchor",
            )
        owners = self.owners(anchor)
        if not owners.rules:
            raise ConfigurationError(
                f"the trusted commit {anchor[:12]} has no rule in {OWNERS_FILE}",
                remedy="name the commit that brought the file in, or a later one: "
                f"git log --format=%H -- {OWNERS_FILE}",
            )
        return {
            rule.prefix: State(anchor, self.content(anchor, rule.prefix)) for rule in owners.rules
        }

    def introduced(self, head: str) -> Iterator[str]:
        """Give the commits that brought an owners file in where none was, oldest first."""
        for step in self._walk(None, head):
            if self._has_file(step.commit) and not any(map(self._has_file, step.parents)):
                yield step.commit

    async def signed_by(self, head: str, trusted: Iterable[str]) -> str | None:
        """Find the first commit that brought the file in and is signed by a trusted key.

        `trusted` are keys as the owners file writes them.
        """
        keys = frozenset(trusted)
        for commit in self.introduced(head):
            signer = await self._signer_of(commit)
            if signer and signer.key and not signer.problem and str(signer.key) in keys:
                return commit
        return None

    def owners(self, commit: str) -> Owners:
        """Give what the owners file of a commit says; raise `ConfigurationError`."""
        if commit not in self._owners:
            self._owners[commit] = self._read(self._tree(commit))
        found = self._owners[commit]
        if isinstance(found, ConfigurationError):
            raise found
        return found

    def _read(self, tree: Tree) -> Owners | ConfigurationError:
        """Read a file once, in however many commits it is; an error names its commit."""
        entry = tree.entry(OWNERS_FILE)
        is_plain = entry is None or entry.is_file
        blob = entry.blob if entry else ""
        if is_plain and blob in self._files:
            return self._files[blob]
        try:
            self._files[blob] = owners_at(tree)
        except ConfigurationError as error:
            return error
        return self._files[blob]

    def known_keys(self) -> frozenset[OwnerKey]:
        """Give the keys of everybody in the owners files that were read."""
        files = (one for one in self._owners.values() if isinstance(one, Owners))
        return frozenset(key for one in files for key in one.keys)

    def content(self, commit: str, prefix: str) -> str:
        """Give the digest of what a prefix holds at a commit; raise `ConfigurationError`."""
        owners, tree = self.owners(commit), self._tree(commit)
        key = (prefix, *sources(tree, prefix))
        if key not in self._contents:
            self._contents[key] = content_of(tree, owners, prefix)
        return self._contents[key]

    def _rules(self, head: str, states: Mapping[str, State]) -> Iterator[Rule]:
        try:
            yield from self.owners(head).rules
        except ConfigurationError:
            if not states:  # nothing says what was owned before: nothing may count
                raise

    def _inherited(self, prefix: str, states: Mapping[str, State]) -> State | None:
        above = _nearest(prefix, states)
        if above is None:
            return None
        commit = states[above].commit
        return State(commit, self.content(commit, prefix))

    def _line(self, prefix: str, start: State | None, head: str) -> Line:
        found = []
        for step in self._walk(start.commit if start else None, head):
            try:
                if start or self.owners(step.commit).own(prefix):
                    found.append(State(step.commit, self.content(step.commit, prefix)))
            except ConfigurationError as error:
                if step.commit == head:
                    return Line(tuple(found), error.what)
        return Line(tuple(found))

    async def _marks(
        self, prefix: str, way: tuple[str | None, str], line: Line, offered: Sequence[Approval]
    ) -> list[Mark]:
        """Give the signatures for steps of this line: approvals', and those of its commits."""
        states = {state.commit: state for state in line.states}
        marks = []
        for approval in offered:
            one = approval.statement
            if states.get(one.new.commit) == one.new:
                signer = await self._check(one.encode(), approval.signature, SSH_NAMESPACE)
                old = one.old.content if one.old else None
                marks.append(Mark(old, one.new, signer.key, signer.problem))
        seen: set[bytes] = set()
        for step in self._walk(*way):
            new = states.get(step.commit)
            if new is not None and len(step.parents) <= 1:
                before = self._before(step, prefix)
                made = await self._signer_of(step.commit) if before != new.content else None
                if made is not None and not self._is_again(step, way[0], seen):
                    marks.append(Mark(before, new, made.key, made.problem))
        return marks

    def _is_again(self, step: Step, since: str | None, seen: set[bytes]) -> bool:
        """Whether a signature over the same words counted before, in a commit of another id.

        The signature is part of the id and not of what it is over: in another armor it makes
        another commit, which nobody signed anew.
        """
        payload = self._payload(step.commit)
        if payload in seen:
            return True
        seen.add(payload)
        if since is None:
            return False
        if since not in self._siblings:
            found = self._siblings[since] = {}
            for one in self._walk(None, since):
                found.setdefault(tuple(one.parents), []).append(one.commit)
        known = self._siblings[since].get(tuple(step.parents), ())
        return any(self._payload(one) == payload for one in known)

    def _payload(self, commit: str) -> bytes:
        signed = self._history.signed(commit)
        return signed.payload if signed else b""

    def _before(self, step: Step, prefix: str) -> str | None:
        """Give what a prefix held before a commit; None when nobody answered for it then."""
        try:
            for parent in step.parents:
                if self.owners(parent).rule(prefix):
                    return self.content(parent, prefix)
        except ConfigurationError:
            return ""  # the digest of nothing: no step begins there
        return None

    async def _signer_of(self, commit: str) -> Signer | None:
        signed = self._history.signed(commit)
        if signed is None:
            return None
        return await self._check(signed.payload, signed.signature, COMMIT_NAMESPACE)

    async def _check(self, message: bytes, signature: bytes, namespace: str) -> Signer:
        key = (namespace, hashlib.sha256(message).digest() + signature)
        if key not in self._signers:
            self._signers[key] = await self._signatures.check(message, signature, namespace)
        return self._signers[key]

    def _walk(self, since: str | None, head: str) -> Sequence[Step]:
        if (since, head) not in self._steps:
            self._steps[since, head] = self._history.steps(since, head)
        return self._steps[since, head]

    def _without_given_up(self, states: Mapping[str, State]) -> Mapping[str, State]:
        """Leave out what has no rule of its own any more, neither here nor for those above it."""
        kept: dict[str, State] = {}
        for prefix in sorted(states, key=_parts):
            state = states[prefix]
            above = _nearest(prefix, kept)
            known = (state, *([kept[above]] if above is not None else []))
            rule = self.owners(state.commit).rule(prefix)
            is_owned = rule is not None and (rule.prefix == prefix or above is None)
            if is_owned or any(self.owners(one.commit).own(prefix) for one in known):
                kept[prefix] = state
        return kept

    def _has_file(self, commit: str) -> bool:
        try:
            return self._tree(commit).entry(OWNERS_FILE) is not None
        except ConfigurationError:  # a folder that git would not have written
            return False

    def _tree(self, commit: str) -> Tree:
        if commit not in self._trees:
            self._trees[commit] = Listed(self._history.tree(commit), self._listings)
        return self._trees[commit]


def _nearest(prefix: str, states: Mapping[str, State]) -> str | None:
    """Find the longest prefix above another."""
    while prefix:
        prefix = posixpath.dirname(prefix)
        if prefix in states:
            return prefix
    return None


def _parts(prefix: str) -> list[str]:
    return prefix.split("/") if prefix else []
