"""The lines of one chain, one after another → the first fault in it, and what else is to be said.

What is checked of a line, in this order:

1. it is a record, in the one form, and its own hash is right: else it was edited or damaged;
2. it is of this writer: else it was put there from another chain;
3. it has the next number: else records are missing, out of order, or repeated;
4. it names the hash of the one before: else one of the two was replaced;
5. a signature is over the hash that its range has, by a key that counts;
6. a chain that does not begin with its first record has a signed checkpoint that says why.

Memory is bounded: of the lines before, only the newest hashes are remembered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from flux_secret.audit.line import (
    FORMAT,
    MAX_LINE_BYTES,
    NO_HASH,
    BadLineError,
    Record,
    number_in,
    parse,
)
from flux_secret.audit.segments import FRAMES, Head
from flux_secret.audit.signing import Verifier, statement
from flux_secret.model.record import Kind

_REMEMBERED: Final = 100_000  # hashes: a signature comes at most that many records later
_AHEAD: Final = 10_000  # lines in which a missing record is looked for
_MAX_OPEN: Final = 100_000  # intents without outcome
_MAX_TORN: Final = 100
_MAX_ANCHORS: Final = 1_000_000
_DEAD_SECONDS: Final = 3600.0  # after which nothing that began goes on
_BACK_SECONDS: Final = 1.0  # that clocks may go back
_UNSIGNED_SECONDS: Final = 3600.0  # a writer that runs signs every minute


class Place(NamedTuple):
    """Where a line is."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Fault(NamedTuple):
    """What is wrong, and where it shows first."""

    name: str
    """One word: edited, missing, reordered, repeated, forged, foreign, truncated, forked, absent,
    unsigned."""
    says: str
    place: Place


class Intent(NamedTuple):
    """What began, and has no outcome."""

    seq: int
    time: str
    about: str


class Anchor(NamedTuple):
    """What somebody else saw of a chain."""

    writer: str
    by: str
    seq: int
    hash: str
    place: Place


class _Gap(NamedTuple):
    expected: int
    found: int
    place: Place
    lines: int


_NOTED: Final = frozenset({
    Kind.INTENT.value, Kind.OUTCOME.value, Kind.STARTED.value, Kind.TORN.value,
    Kind.CHECKPOINT.value, Kind.ANCHOR.value,
})  # fmt: skip
_NONE: Final = Head(0, NO_HASH)
_NOWHERE: Final = Place("", 0)


@dataclass
class ChainCheck:
    """One writer's chain in one place."""

    writer: str
    verifier: Verifier | None
    fault: Fault | None = None
    first: int = 0
    """The number of the first record that is there."""
    last: Head = _NONE
    began: str = ""
    ended: str = ""
    signed_to: int = 0
    """The last record that is under a signature that counts."""
    signed_by: set[str] = field(default_factory=set)
    signatures: int = 0
    unsigned: int = 0
    """Records behind it that say something: signatures and lines that begin files do not."""
    unsigned_since: str = ""
    anchors: list[Anchor] = field(default_factory=list)
    """What this writer saw of others."""
    torn: list[tuple[int, str]] = field(default_factory=list)
    removed: tuple[int, str] | None = None
    """How many records a checkpoint says were removed, and when."""
    unfinished: Place | None = None
    """A last line without its end: a writer is at work, or crashed."""
    went_back: int = 0
    """How often the time of a record is before that of the record before."""
    dropped: int = 0
    """Intents and anchors that were too many to be remembered."""
    started: int = 0
    """The number of the last record that says that an agent started."""
    _open: dict[str, Intent] = field(default_factory=dict)
    _frames: deque[int] = field(default_factory=lambda: deque(maxlen=1000))
    _hashes: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _start: str = NO_HASH
    _began_at: Place = _NOWHERE
    _checkpoints: dict[int, tuple[str, int, str]] = field(default_factory=dict)
    _gap: _Gap | None = None

    def line(self, untrusted: bytes, place: Place) -> None:
        """Check the next line, which ends in a line break unless it is unfinished."""
        if self._gap is not None:
            self._look_ahead(untrusted, place)
        elif self.fault is None:
            self._line(untrusted, place)

    def end(self) -> None:
        """Say what shows only at the end."""
        if self._gap is not None:
            self._missing(self._gap)
        elif self.fault is None and self.first > 1:
            self._check_start()

    def intents(self) -> Iterator[Intent]:
        """Give what began and has no outcome, and cannot have one any more."""
        return (intent for intent in sorted(self._open.values()) if self._is_dead(intent))

    @property
    def is_long_unsigned(self) -> bool:
        """Whether records went on behind the last signature for longer than a writer waits."""
        return _seconds(self.ended, self.unsigned_since) > _UNSIGNED_SECONDS

    def going(self) -> int:
        """Count the intents that may still go on."""
        return sum(not self._is_dead(intent) for intent in self._open.values())

    def _is_dead(self, intent: Intent) -> bool:
        """Whether its process has started again since, or long after it was still recorded."""
        is_old = _seconds(self.ended, intent.time) > _DEAD_SECONDS
        return intent.seq < self.started or is_old

    def _line(self, untrusted: bytes, place: Place) -> None:
        if self.unfinished is not None:
            self._bad("edited", "half a line stands before other lines", self.unfinished)
            return
        if not untrusted.endswith(b"\n") and len(untrusted) <= MAX_LINE_BYTES:
            self.unfinished = place
            return
        try:
            record = parse(untrusted.removesuffix(b"\n"))
        except BadLineError as bad:
            self._bad("edited", f"{bad} (record {self.last.seq + 1} is expected)", place)
            return
        if record.writer != self.writer:
            self._bad("foreign", f"record {record.seq} is of {record.writer}", place)
        elif not self.first:
            self._begin(record, place)
        elif record.seq != self.last.seq + 1:
            self._out_of_order(record, place)
        elif record.prev != self.last.hash:
            says = (
                f"record {record.seq} names another record {self.last.seq} than the one before it: "
                "one of the two was replaced"
            )
            self._bad("forged", says, place)
        if self.fault is None and self._gap is None:
            self._take(record, place)

    def _begin(self, record: Record, place: Place) -> None:
        self.first, self._start, self.began = record.seq, record.prev, record.time
        self._began_at = place
        is_first = record.seq == 1
        if is_first and (record.prev != NO_HASH or record.details.get("format") != FORMAT):
            self._bad("forged", "record 1 is not how a chain begins", place)
        self.last = Head(record.seq - 1, record.prev)
        self.signed_to = record.seq - 1

    def _out_of_order(self, record: Record, place: Place) -> None:
        expected = self.last.seq + 1
        if record.seq > expected:
            self._gap = _Gap(expected, record.seq, place, 0)
        elif record.hash in self._hashes:
            self._bad("repeated", f"record {record.seq} stands there a second time", place)
        else:
            says = f"record {record.seq} stands behind record {self.last.seq}"
            self._bad("reordered", f"{says}, which is not the one before it", place)

    def _look_ahead(self, untrusted: bytes, place: Place) -> None:
        """Find out whether a record is missing, or stands further down."""
        gap = self._gap
        if gap is None:
            return
        try:
            seq = parse(untrusted.removesuffix(b"\n")).seq
        except BadLineError:
            seq = 0
        if seq == gap.expected:
            self._gap = None
            says = f"record {gap.found} stands where record {gap.expected} has to be; that is at"
            self._bad("reordered", f"{says} {place}", gap.place)
        elif gap.lines >= _AHEAD:
            self._missing(gap)
        else:
            self._gap = gap._replace(lines=gap.lines + 1)

    def _missing(self, gap: _Gap) -> None:
        self._gap = None
        many = gap.found - gap.expected
        which = f"records {gap.expected} to {gap.found - 1} are" if many > 1 else (
            f"record {gap.expected} is"
        )  # fmt: skip
        self._bad("missing", f"{which} missing before record {gap.found}", gap.place)

    def _take(self, record: Record, place: Place) -> None:
        self.last = Head(record.seq, record.hash)
        self._hashes.append(record.hash)
        if record.time < self.ended and _seconds(self.ended, record.time) > _BACK_SECONDS:
            self.went_back += 1
        self.ended = record.time
        if record.kind == Kind.SIGNATURE:
            self._signature(record, place)
        if record.kind in FRAMES:  # a signature may be the first line of a new file
            self._frames.append(record.seq)
            return
        self.unsigned += 1
        self.unsigned_since = self.unsigned_since or record.time
        if record.kind in _NOTED:
            self._note(record, place)

    def _note(self, record: Record, place: Place) -> None:
        details = record.details
        named = str(details.get("delivery") or record.about)
        if record.kind == Kind.INTENT:
            if len(self._open) < _MAX_OPEN:
                self._open.setdefault(named, Intent(record.seq, record.time, record.about))
            else:
                self.dropped += 1
        elif record.kind == Kind.OUTCOME:
            self._open.pop(named, None)
        elif record.kind == Kind.STARTED:
            self.started = record.seq
        elif record.kind == Kind.TORN and len(self.torn) < _MAX_TORN:
            self.torn.append((record.seq, str(details.get("reason", ""))))
        elif record.kind == Kind.CHECKPOINT:
            to, head = number_in(record, "to"), details.get("head")
            if to is not None:
                # the one that counts is that of the newest removal: its end is where we begin
                self._checkpoints[to] = (str(head), record.seq, record.time)
        elif record.kind == Kind.ANCHOR:
            self._anchor(record, place)

    def _anchor(self, record: Record, place: Place) -> None:
        seq, head = number_in(record, "seq"), record.details.get("head")
        if seq is None:
            self._bad("forged", f"record {record.seq} names no number of a record", place)
        elif len(self.anchors) < _MAX_ANCHORS:
            self.anchors.append(Anchor(record.about, self.writer, seq, str(head), place))
        else:
            self.dropped += 1

    def _signature(self, record: Record, place: Place) -> None:
        self.signatures += 1
        said = record.details
        first, to = number_in(record, "from"), number_in(record, "to")
        head, text = said.get("head"), said.get("signature")
        if first is None or to is None or not first <= to < record.seq:
            self._bad("forged", f"record {record.seq} is no signature of what is before it", place)
            return
        behind = record.seq - to  # 1 is the record right before
        if to >= self.first and behind < len(self._hashes) and self._hashes[-1 - behind] != head:
            says = f"the signature in record {record.seq} is over another record {to}"
            self._bad("forged", says, place)
            return
        if to < self.first or behind >= len(self._hashes):
            return  # what it is over is not there any more: it says nothing of what is
        if self.verifier is not None:
            message = statement(self.writer, first, to, str(head))
            key = self.verifier.signed_by(message, str(text).encode())
            if key is None:
                says = f"the signature in record {record.seq} is not by a key that was given"
                self._bad("forged", f"{says} (it names {said.get('key')})", place)
                return
            self.signed_by.add(key)
        if to > self.signed_to:
            self.signed_to = to
            own = sum(seq > to for seq in self._frames)
            self.unsigned = record.seq - 1 - to - own
            self.unsigned_since = record.time if self.unsigned else ""

    def _check_start(self) -> None:
        """Look whether somebody said why the chain begins in the middle, and signed it."""
        found = self._checkpoints.get(self.first - 1)
        place = self._began_at
        if found is None or found[0] != self._start:
            says = f"it begins with record {self.first}, and no checkpoint says why"
            self._bad("truncated", says, place)
            return
        _, seq, time = found
        self.removed = (self.first - 1, time)
        if self.verifier is not None and seq > self.signed_to:
            says = f"the checkpoint in record {seq}, by which it begins with record {self.first},"
            self._bad("unsigned", f"{says} is not signed", place)

    def _bad(self, name: str, says: str, place: Place) -> None:
        if self.fault is None:
            self.fault = Fault(name, says, place)


def _seconds(later: str, earlier: str) -> float:
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except ValueError:  # the 30th of February has the form of a time, too
        return 0.0
