"""Chains of records that were never on a disk, honest ones and others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pysequoia

from flux_secret.audit.keeper import stamp
from flux_secret.audit.line import FORMAT, NO_HASH, line_of, settled
from flux_secret.audit.signing import statement
from flux_secret.model.record import Detail, Kind, Note

_START = datetime(2026, 11, 29, 19, tzinfo=UTC)


@cache
def a_key(name: str) -> pysequoia.Tsk:
    """Make a private key, once a run."""
    return pysequoia.Tsk.generate(f"{name} <{name}@example.org>")


def public(name: str) -> bytes:
    """Give its public half."""
    return str(a_key(name).extract_certificate()).encode()


@dataclass
class Chain:
    """A chain that grows in memory."""

    writer: str = "agent-000000000001"
    key: str | None = None
    lines: list[bytes] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    signed_to: int = 0

    def __post_init__(self) -> None:
        if not self.lines:
            self.add(Kind.SEGMENT, self.writer, format=FORMAT)

    @property
    def head(self) -> tuple[int, str]:
        """The number and hash of the last record."""
        return len(self.lines), self.hashes[-1] if self.hashes else NO_HASH

    def add(self, kind: Kind, about: str, **details: Detail) -> Chain:
        """Add a record, a second after the one before."""
        seq, prev = self.head
        time = stamp(_START + timedelta(seconds=seq))
        note = settled(Note(kind, about, details))
        line, digest = line_of(note, seq=seq + 1, time=time, writer=self.writer, prev=prev)
        self.lines.append(line)
        self.hashes.append(digest)
        return self

    def reads(self, many: int) -> Chain:
        """Add reads."""
        for number in range(many):
            self.add(Kind.READ, f"apps/entry-{number}", app="demo")
        return self

    def saw(self, other: Chain, seq: int = 0) -> Chain:
        """Anchor another chain."""
        at = seq or len(other.lines)
        return self.add(Kind.ANCHOR, other.writer, seq=at, head=other.hashes[at - 1])

    def sign(self, key: str = "") -> Chain:
        """Sign all that is there."""
        seq, digest = self.head
        first = self.signed_to + 1
        signature = signed(statement(self.writer, first, seq, digest), key or self.key or "agent")
        details: dict[str, Detail] = {
            "from": first, "to": seq, "head": digest, "key": "x", "signature": signature.decode(),
        }  # fmt: skip
        self.signed_to = seq
        return self.add(Kind.SIGNATURE, f"{first}..{seq}", **details)

    def copy(self) -> Chain:
        """Give the same chain, to be changed."""
        return replace(self, lines=[*self.lines], hashes=[*self.hashes])

    def until(self, seq: int) -> Chain:
        """Give its first records."""
        return replace(self, lines=self.lines[:seq], hashes=self.hashes[:seq])

    def write(self, root: Path, *, begins: Sequence[int] = (1,)) -> Path:
        """Lay it out as its writer does, in files that begin with these records."""
        folder = root / self.writer
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.jsonl"):
            old.unlink()
        ends = [*begins[1:], len(self.lines) + 1]
        for first, end in zip(begins, ends, strict=True):
            (folder / f"{first:012d}.jsonl").write_bytes(b"".join(self.lines[first - 1 : end - 1]))
        return folder


def recorded_chain(root: Path, *, signs: bool = True) -> Chain:
    """Lay out a small record of all sorts, with words that a terminal or a spreadsheet obeys."""
    chain = Chain("agent-000000000001", "agent").reads(5)
    chain.add(Kind.STORE, "apps/x", person="jane@example.org", command="store insert")
    chain.add(Kind.REFUSED, "=apps/y", app="dev/demo", error="\x1b[31mred\x1b[0m")
    if signs:
        chain.sign()
    chain.write(root)
    return chain


def signed(message: bytes, key: str) -> bytes:
    """Give a detached signature."""
    mode = pysequoia.SignatureMode.DETACHED
    return bytes(pysequoia.sign(a_key(key).signer(), message, mode=mode))


def rehashed(line: bytes, prev: str | None = None) -> tuple[bytes, str]:
    """Give a line that was changed its own hash, as who forges it does."""
    text = re.sub(rb',"hash":"[0-9a-f]{64}"(?=,"kind")', b"", line.rstrip(b"\n"))
    if prev is not None:
        text = re.sub(rb'"prev":"[0-9a-f]{64}"', b'"prev":"%s"' % prev.encode(), text)
    digest = hashlib.sha256(text).hexdigest()
    return text.replace(b',"kind"', b',"hash":"%s","kind"' % digest.encode(), 1) + b"\n", digest
