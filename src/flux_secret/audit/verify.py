"""Places that hold a record, and public keys → what is wrong with it, and what is to be known.

Each chain is checked by itself, line by line. Then the chains are held against each other: what one
writer saw of another's chain has to be there, and two places that have the same chain must agree.
Both are read as streams; nothing but the anchors is remembered in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from flux_secret.audit.check import Anchor, ChainCheck, Fault
from flux_secret.audit.check import Place as At
from flux_secret.audit.line import hash_in
from flux_secret.audit.places import Place as RecordPlace
from flux_secret.audit.signing import Verifier
from flux_secret.errors import ConfigurationError

MAX_CHAINS: Final = 10_000
"""In one place."""
MAX_UNSIGNED: Final = 10_000
"""Records behind the last signature from which on it is a finding; fewer are if they go on long."""
_HARMLESS: Final = "unfinished"
Seen = dict[str, dict[int, list[Anchor]]]
"""What was seen of each writer's records, by number."""


@dataclass
class Verified:
    """What one place holds of one chain."""

    place: RecordPlace
    chain: ChainCheck


@dataclass
class Report:
    """What `audit verify` says."""

    chains: list[Verified]
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    """By writer: the record is not what was written."""
    findings: list[str] = field(default_factory=list)
    """It is, but something happened that somebody has to look at."""
    notes: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """6 when the record is not what was written, 1 when there is a finding."""
        return 6 if self.faults else 1 if self.findings else 0


def verify(
    places: Sequence[RecordPlace], verifier: Verifier | None, known: Sequence[Anchor] = ()
) -> Report:
    """Check all of it; `known` are heads that were seen before. Raises `OSError`."""
    report = Report([one for place in places for one in _chains(place, verifier)])
    for one in report.chains:
        if one.chain.fault is not None:
            report.faults.append((one.chain.writer, one.chain.fault))
    for writer, fault in _across(report.chains, places, known):
        report.faults.append((writer, fault))
    for one in report.chains:
        if one.chain.fault is None:  # else it was read up to there only
            report.findings += _findings(one, verifier)
            report.notes += _notes(one)
    report.notes += _behind(report.chains)
    return report


def _chains(place: RecordPlace, verifier: Verifier | None) -> list[Verified]:
    chains: dict[str, ChainCheck] = {}
    chain = None
    for writer, file, number, line in place.lines():
        if chain is None or chain.writer != writer:
            if writer not in chains and len(chains) >= MAX_CHAINS:
                raise ConfigurationError(
                    f"{place.name} has more than {MAX_CHAINS} chains",
                    remedy="nobody has so many writers: look at what it is",
                )
            chain = chains.setdefault(writer, ChainCheck(writer, verifier))
        chain.line(line, At(file, number))
    for chain in chains.values():
        chain.end()
    return [Verified(place, chain) for chain in chains.values()]


def _across(
    chains: Sequence[Verified], places: Sequence[RecordPlace], known: Sequence[Anchor]
) -> Iterator[tuple[str, Fault]]:
    """Hold what each saw of others against what is there."""
    by_writer: dict[str, list[Verified]] = defaultdict(list)
    for one in chains:
        by_writer[one.chain.writer].append(one)
    all_seen = [*known, *(anchor for one in chains for anchor in one.chain.anchors)]
    # many writers see the same of one chain: what counts is what they saw
    anchors = {(one.writer, one.seq, one.hash): one for one in all_seen}.values()
    if any(place.is_whole for place in places):
        absent = {one.writer: one for one in anchors if one.writer not in by_writer}
        for writer, anchor in absent.items():
            says = f"{anchor.by} saw record {anchor.seq} of it, and it is nowhere"
            yield writer, Fault("absent", says, anchor.place)
    seen: Seen = defaultdict(lambda: defaultdict(list))
    for anchor in anchors:
        if anchor.writer in by_writer:
            seen[anchor.writer][anchor.seq].append(anchor)
    for writer, copies in by_writer.items():
        yield from _cut(writer, copies, seen[writer])
        for copy in copies if len(copies) > 1 else []:
            last = copy.chain.last
            by = f"its copy in {copy.place.name}"
            mark = Anchor(writer, by, last.seq, last.hash, At(copy.place.name, 0))
            seen[writer][last.seq].append(mark)
    for place in places:
        yield from _forks(
            place, {one.chain.writer: one.chain for one in chains if one.place is place}, seen
        )


def _cut(
    writer: str, copies: Sequence[Verified], seen: Mapping[int, list[Anchor]]
) -> Iterator[tuple[str, Fault]]:
    """Name a chain whose end is missing: somebody saw more of it than there is."""
    if any(copy.chain.fault for copy in copies):
        return  # it is read up to there only
    longest = max(copy.chain.last.seq for copy in copies)
    newest = max(seen, default=0)
    if newest > longest:
        anchor = seen[newest][0]
        says = f"it ends with record {longest}, and {anchor.by} saw record {newest} of it"
        yield writer, Fault("truncated", says, anchor.place)
    for copy in copies:
        last = copy.chain.last.seq
        if last < longest and not copy.place.follows:
            longer = next(one for one in copies if one.chain.last.seq == longest)
            says = f"it ends with record {last} in {copy.place.name}, and with record {longest} in"
            place = At(copy.place.name, 0)
            yield writer, Fault("truncated", f"{says} {longer.place.name}", place)


def _forks(
    place: RecordPlace, chains: Mapping[str, ChainCheck], seen: Seen
) -> Iterator[tuple[str, Fault]]:
    """Read a place again, up to where each chain is whole, and compare what others saw of it."""
    wanted = {writer for writer in chains if seen.get(writer)}
    at = {writer: chains[writer].first - 1 for writer in wanted}
    for line in place.lines(wanted) if wanted else ():
        writer, seq = line.writer, at[line.writer] + 1
        at[writer] = seq
        if seq > chains[writer].last.seq or seq not in seen[writer]:
            continue
        digest = hash_in(line.untrusted)
        for anchor in seen[writer][seq]:
            if anchor.hash != digest:
                says = f"record {seq} is another than the one that {anchor.by} saw"
                yield (
                    writer,
                    Fault("forked", f"{says} ({anchor.place})", At(line.file, line.number)),
                )


def _findings(one: Verified, verifier: Verifier | None) -> Iterator[str]:
    chain = one.chain
    if verifier is not None and not chain.signatures:
        yield f"{chain.writer}: nothing in it is signed"
    elif verifier is not None and (chain.unsigned > MAX_UNSIGNED or chain.is_long_unsigned):
        yield (
            f"{chain.writer}: {_records(chain.unsigned)} since {chain.unsigned_since} "
            f"{_are(chain.unsigned)} not signed: its writer cannot sign, or somebody wrote them"
        )
    for intent in chain.intents():
        began = f"{chain.writer}: record {intent.seq} ({intent.time}) began {intent.about}"
        yield f"{began}, and nothing says how it ended: its process died"
    for seq, reason in chain.torn:
        if reason != _HARMLESS:
            yield f"{chain.writer}: before record {seq} lines were found that are no records"
    if chain.dropped:
        yield f"{chain.writer}: {chain.dropped} intents or anchors were too many to be compared"


def _notes(one: Verified) -> Iterator[str]:
    chain = one.chain
    if chain.signatures and chain.unsigned:
        yield (
            f"{chain.writer}: {_records(chain.unsigned)} behind the last signature "
            f"(of record {chain.signed_to}) {_are(chain.unsigned)} not signed yet"
        )
    if chain.removed:
        many, time = chain.removed
        were = "was" if many == 1 else "were"
        said = f"{_records(many)} at the beginning {were} removed to save room, on {time}"
        yield f"{chain.writer}: {said}"
    if going := chain.going():
        yield f"{chain.writer}: {going} begun and not ended yet"
    for seq, reason in chain.torn:
        if reason == _HARMLESS:
            yield f"{chain.writer}: a crash left half a line before record {seq}, which is cut off"
    if chain.unfinished:
        said = "is half a line: its writer is at work, or crashed"
        yield f"{chain.writer}: {chain.unfinished} {said}"
    if chain.went_back:
        yield f"{chain.writer}: its clock went back {chain.went_back} times"


def _behind(chains: Sequence[Verified]) -> Iterator[str]:
    """Say how far a copy is behind."""
    longest: dict[str, int] = defaultdict(int)
    for one in chains:
        longest[one.chain.writer] = max(longest[one.chain.writer], one.chain.last.seq)
    for one in chains:
        more = longest[one.chain.writer] - one.chain.last.seq
        if more and one.place.follows and not one.chain.fault:
            yield f"{one.chain.writer}: {_records(more)} {_are(more)} not in {one.place.name} yet"


def _records(many: int) -> str:
    return "1 record" if many == 1 else f"{many} records"


def _are(many: int) -> str:
    return "is" if many == 1 else "are"
