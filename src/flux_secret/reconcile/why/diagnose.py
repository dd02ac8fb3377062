"""Seen → Chain: which links are whole, which one is broken first, and what mends it. Pure.

1. What stopped the delivery breaks the link that it is about; links after it are not seen.
2. A question to a store that failed is the entry's break, unless its facts say it is the
   recipients' (it is for other keys) or the key's (none of ours can be used).
3. An object that is not in the cluster as the commit wants it is broken, too: it is not delivered.
4. What an agent says counts more than what a person sees with other keys and rights (`agent`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flux_secret.errors import (
    DecryptError,
    EntryNotFoundError,
    FluxSecretError,
    HeldError,
    ReadRefusedError,
)
from flux_secret.model.change import Action, Change
from flux_secret.model.delivery import Read
from flux_secret.model.names import ObjectKey, SecretPath
from flux_secret.model.why import FOUND, Chain, Link, LinkKind, Place, State, in_order
from flux_secret.reconcile.why import remedies
from flux_secret.reconcile.why.agent import told
from flux_secret.reconcile.why.seen import EntryFacts, Seen, Step, Use
from flux_secret.reconcile.why.subject import Subject

NOT_REACHED = "not looked at: the chain is broken before it"


def diagnose(seen: Seen, subject: Subject) -> Chain:
    """Give the chain of what a person asks about."""
    links = in_order(_Diagnosis(seen, subject).links())
    target = seen.trace.delivery.target.name
    return told(Chain(subject.text, target, links, _unseen(seen)), seen)


@dataclass(frozen=True, slots=True)
class _Diagnosis:
    seen: Seen
    subject: Subject

    def links(self) -> Iterator[Link]:
        """Give them all, those of the reached part first."""
        stopped = self.seen.trace.stopped
        yield self._commit()
        if stopped is Step.SOURCE:
            yield from _unreached(*tuple(LinkKind)[1:])
            return
        yield from self._files()
        reads = [*self._reads()]
        if stopped in {Step.GENERATE, Step.RESOLVE} and not reads:
            yield from _unreached(LinkKind.ENTRY, LinkKind.RECIPIENTS, LinkKind.KEY)
        if stopped is Step.STORES:
            yield self._failed(LinkKind.ENTRY, "its stores")
            yield from _unreached(LinkKind.RECIPIENTS, LinkKind.KEY)
        yield from self._held()
        for read in reads:
            yield from self._entry(read)
        if reads and stopped is not Step.STORES:
            yield self._key(reads)
        if stopped in {Step.STORES, Step.GENERATE, Step.RESOLVE}:
            yield from _unreached(LinkKind.OBJECT, LinkKind.PODS)
        else:
            yield from self._objects()

    # -- commit and file --

    def _commit(self) -> Link:
        source = self.seen.trace.delivery.target.source
        is_object = bool(self.seen.trace.delivery.target.inline)
        name = "its object" if is_object else f"{source.branch} of {source.url}"
        if self.seen.trace.stopped is Step.SOURCE:
            return self._failed(LinkKind.COMMIT, name)
        place = self.seen.places.commit
        return Link(LinkKind.COMMIT, name, place=place)

    def _files(self) -> Iterator[Link]:
        trace = self.seen.trace
        for read in self._reads():
            place = self.seen.places.reads.get(read.lookup.path)
            if place is not None:
                name = place.file if place.line is None else f"{place.file}:{place.line}"
                yield Link(LinkKind.FILE, name, place=place, reason=f"asks for {read.lookup}")
        error = trace.delivery.error
        is_file = trace.stopped in {Step.GENERATE, Step.RESOLVE} and trace.failed_read is None
        if is_file and error is not None:
            yield from self._failed_file(error)
        for key in self._wanted():
            place = self.seen.places.objects.get(key)
            if place is not None and not is_file:
                yield Link(LinkKind.FILE, str(place).partition(" ")[0], place=place,
                           reason=f"makes {key}")  # fmt: skip

    def _failed_file(self, error: FluxSecretError) -> Iterator[Link]:
        """Say where it is written what fails, and which program of the repository runs there."""
        place, program = self.seen.places.failure, self.seen.places.program
        lines = remedies.of_failed_file(place, program, error)
        name = place.file if place else self.seen.trace.delivery.target.name
        if place and place.line is not None:
            name = f"{name}:{place.line}"
        yield _broken(LinkKind.FILE, name, error, place, lines)
        if program is not None:
            yield Link(LinkKind.FILE, program.file, place=program, reason="that is what runs")

    # -- entry, recipients, key --

    def _held(self) -> Iterator[Link]:
        """Say which changes of stores are not what is read."""
        trace = self.seen.trace
        if trace.rewound is not None:
            lines = remedies.of_rewound(trace.rewound, self.seen.again)
            yield _broken(LinkKind.ENTRY, "its stores", trace.rewound, None, lines)
        for one in trace.held:
            entry = self.subject.entry
            if entry is not None and not one.concerns(one.store, entry.under(one.store) or ""):
                continue
            name = f"{one.store}/{one.prefix}".rstrip("/")
            yield Link(
                LinkKind.ENTRY, name, State.BROKEN, Place(str(one.store)), one.says,
                "the change waits for its owners; what they agreed to last is read",
                (one.command,) if one.command else (), HeldError.exit_code,
            )  # fmt: skip

    def _entry(self, read: Read) -> Iterator[Link]:
        facts = self._facts(read.lookup.path)
        place = Place(facts.store, facts.commit, facts.file, touched=facts.touched)
        name, error = str(read.lookup.path), read.error
        kind = self._kind_of(read, facts)
        if kind is LinkKind.ENTRY and error is not None:
            if isinstance(error, EntryNotFoundError | ReadRefusedError):
                place = self.seen.places.reads.get(read.lookup.path) or place
            yield _broken(LinkKind.ENTRY, name, error, place, self._mends_entry(read, facts))
            yield from _unreached(LinkKind.RECIPIENTS)
            return
        yield Link(LinkKind.ENTRY, name, place=place, reason=f"read from {facts.store}")
        about = f"{name}: {len(facts.recipients)} keys" if facts.recipients else name
        where = Place(facts.store, facts.commit, facts.recipients_file)
        if kind is LinkKind.RECIPIENTS and error is not None:
            lines = remedies.of_recipients(facts, self.seen.key)
            yield _broken(LinkKind.RECIPIENTS, about, error, where, lines)
            return
        yield Link(LinkKind.RECIPIENTS, about, place=where, reason=", ".join(facts.wanted))

    def _mends_entry(self, read: Read, facts: EntryFacts) -> tuple[str, ...]:
        if isinstance(read.error, DecryptError):
            return remedies.of_damage(facts)
        assert read.error is not None  # noqa: S101 -- asked of a failed read only
        place = self.seen.places.reads.get(read.lookup.path)
        return remedies.of_read(read.error, read.lookup, facts, place, self.seen.again)

    def _kind_of(self, read: Read, facts: EntryFacts) -> LinkKind | None:
        """Say which link a question's failure is about; None for one that was answered."""
        if read.error is None:
            return None
        if not isinstance(read.error, DecryptError):
            return LinkKind.ENTRY
        if not facts.recipients:
            return LinkKind.ENTRY
        own = set(self.seen.key.ids)
        if not own:
            return LinkKind.KEY
        is_for_us = bool(own & set(facts.recipients)) or "0" * 16 in facts.recipients
        return LinkKind.ENTRY if is_for_us else LinkKind.RECIPIENTS

    def _key(self, reads: list[Read]) -> Link:
        key = self.seen.key
        name = key.where
        failed = next((one for one in reads if one.error is not None), None)
        facts = self._facts(failed.lookup.path) if failed else None
        kind = self._kind_of(failed, facts) if failed and facts else None
        if kind is LinkKind.KEY and failed is not None and failed.error is not None:
            error = key.error or failed.error
            return _broken(LinkKind.KEY, name, error, None, remedies.of_key(key, facts))
        if kind is not None:
            return next(_unreached(LinkKind.KEY))
        return Link(LinkKind.KEY, name, reason="opens them" if len(reads) > 1 else "opens it")

    # -- objects and pods --

    def _objects(self) -> Iterator[Link]:
        trace = self.seen.trace
        if trace.stopped is Step.APPLY:
            yield self._failed(LinkKind.OBJECT, "the cluster")
            yield from _unreached(LinkKind.PODS)
            return
        seen = [change for change in trace.delivery.changes if self._is_wanted(change.key)]
        for change in seen:
            yield self._object(change)
        if self.seen.pods_error is not None:
            error = self.seen.pods_error
            yield Link(LinkKind.PODS, "pods", State.UNSEEN, reason=error.what, remedy=error.remedy)
        yield from (_pods(one) for one in self.seen.pods if self._is_wanted(one.secret))

    def _object(self, change: Change) -> Link:
        place = self.seen.places.objects.get(change.key)
        name = change.key.long
        if change.error is not None:
            lines = remedies.of_object(change.error, change.key, place, self.seen.again)
            return _broken(LinkKind.OBJECT, name, change.error, place, lines)
        late = {
            Action.CREATED: "it is not in the cluster yet",
            Action.CONFIGURED: "it is not as this commit and these entries want it",
            Action.DELETED: "it is in the cluster, and nothing makes it any more",
        }.get(change.action)
        if late is None:
            return Link(LinkKind.OBJECT, name, place=place, reason=change.note or "as it should be")
        more = ("--sync-garbage-collection",) if change.action is Action.DELETED else ()
        return Link(
            LinkKind.OBJECT, name, State.BROKEN, place, late, "deliver it",
            remedies.again(self.seen.again, *more), FOUND,
        )  # fmt: skip

    # -- what is asked about --

    def _reads(self) -> Iterator[Read]:
        """Give the questions that belong to the subject, each entry once."""
        trace, met = self.seen.trace, set[SecretPath]()
        for read in sorted(trace.delivery.reads, key=lambda one: one.error is None):
            path = read.lookup.path
            if path not in met and self._concerns(path):
                met.add(path)
                yield read

    def _concerns(self, path: SecretPath) -> bool:
        if self.subject.entry is not None:
            return path == self.subject.entry
        if not self.subject.kind:
            return True
        held = self.seen.trace.holders.get(path)
        return held is None or any(map(self.subject.is_about, held))

    def _is_wanted(self, key: ObjectKey) -> bool:
        if self.subject.kind:
            return self.subject.is_about(key)
        if self.subject.entry is not None:
            held = self.seen.trace.holders.get(self.subject.entry, ())
            return any(_same(key, one) for one in held)
        return True

    def _wanted(self) -> Iterator[ObjectKey]:
        if self.subject.kind:
            yield from (key for key in self.seen.places.objects if self.subject.is_about(key))

    def _facts(self, path: SecretPath) -> EntryFacts:
        return self.seen.entries.get(path) or EntryFacts(path, "")

    def _failed(self, kind: LinkKind, name: str) -> Link:
        error = self.seen.trace.delivery.error
        assert error is not None  # noqa: S101 -- something stopped it
        place = self.seen.places.commit if kind is LinkKind.COMMIT else None
        return _broken(kind, name, error, place, remedies.of_host(error, self.seen.again))


def counted(pods: int) -> str:
    """Write a number of pods."""
    return f"{pods or 'no'} pod{'s' * (pods != 1)}"


def _same(one: ObjectKey, other: ObjectKey) -> bool:
    """Whether both are one object; before it is placed, a name may have no namespace."""
    spaces = {one.namespace, other.namespace}
    return (one.group, one.kind, one.name) == (other.group, other.kind, other.name) and (
        len(spaces) == 1 or "" in spaces
    )


def _broken(
    kind: LinkKind, name: str, error: FluxSecretError, place: Place | None, lines: tuple[str, ...]
) -> Link:
    code = error.exit_code
    return Link(kind, name, State.BROKEN, place, error.what, error.remedy, lines, code)


def _pods(use: Use) -> Link:
    name, reason = use.workload.long, f"{counted(use.pods)} started after {use.secret} changed last"
    if not use.old and not use.unsure:
        return Link(LinkKind.PODS, name, reason=reason)
    lines = remedies.restart(use.workload)
    if use.old:
        reason = f"{use.old} of {counted(use.pods)} started before {use.secret} changed"
        remedy = "start them anew, so that they read the new value"
        return Link(
            LinkKind.PODS, name, State.BROKEN,
            reason=reason, remedy=remedy, commands=lines, exit_code=FOUND,
        )  # fmt: skip
    reason = (
        f"{use.unsure} of {counted(use.pods)} started in the very second in which {use.secret}"
        " changed, before it or after it"
    )
    remedy = "to be sure that they have the new value, start them anew"
    return Link(LinkKind.PODS, name, State.UNSEEN, reason=reason, remedy=remedy, commands=lines)


def _unreached(*kinds: LinkKind) -> Iterator[Link]:
    for kind in kinds:
        yield Link(kind, "", State.UNSEEN, reason=NOT_REACHED)


def _unseen(seen: Seen) -> tuple[str, ...]:
    told = []
    if seen.report is None:
        told.append("this was seen with the keys and rights at hand here; an agent has its own")
    return (
        *told,
        *seen.unseen,
        "who read an entry with their own gopass from a clone leaves no trace anywhere",
    )
