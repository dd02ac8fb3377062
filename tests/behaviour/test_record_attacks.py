"""Somebody with the agent's disk, and without its key, changes what happened; an auditor reads it.

One agent has delivered, was restarted, and delivered again; another replica has seen its chain.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulators.agents import agent, until, value
from simulators.chains import rehashed
from simulators.world import FIRST, SECOND, World

QUICK = ("--sync-interval=1h", "--git-poll-interval=1s")


@dataclass
class Record:
    """The record as it lies on the disk, in the hands of somebody."""

    root: Path
    key: Path
    victim: str = ""
    """The chain that is attacked."""

    @property
    def file(self) -> Path:
        return self.root / self.victim / "000000000001.jsonl"

    @property
    def lines(self) -> list[bytes]:
        return self.file.read_bytes().splitlines(keepends=True)

    def write(self, lines: list[bytes]) -> None:
        self.file.write_bytes(b"".join(lines))

    def read_of(self) -> int:
        """Give where the line is that says that the secret was read."""
        return next(at for at, line in enumerate(self.lines) if b'"kind":"read"' in line)

    def audit(self, *more: str) -> tuple[int, str]:
        """Give the exit code, and what the auditor is told."""
        words = ("audit", "verify", str(self.root), "--key", str(self.key), *more)
        argv = [sys.executable, "-m", "flux_secret", *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr


def _is_of(line: bytes, *kinds: str) -> bool:
    return any(f'"kind":"{kind}"'.encode() in line for kind in kinds)


@pytest.fixture
def record(world: World) -> Record:
    root, key = world.root / "record", world.root / "flux.pub"
    key.write_bytes(world.gnupg.public_key("operator@example.org"))
    told = (*QUICK, f"--record-dir={root}")
    with agent(world, *told, name="first") as first:
        until(lambda: value(world) == FIRST)
        victim = next(root.iterdir()).name
        assert first.stop() == 0
    world.put("demo", SECOND)
    with agent(world, *told, name="again") as again:
        until(lambda: value(world) == SECOND)
        # another replica begins while this one runs, so it has a chain of its own, and looks around
        with agent(world, *told, name="other") as other:
            until(lambda: len([one for one in root.iterdir() if one.is_dir()]) == 2)
            until(lambda: "msg=delivery.finished" in other.log.read_text())
            assert again.stop() == 0
            assert other.stop() == 0
    return Record(root, key, victim)


def edit(record: Record) -> str:
    """Hide which entry was read."""
    lines, at = record.lines, record.read_of()
    lines[at] = lines[at].replace(b"apps/demo", b"apps/open")
    record.write(lines)
    return rf"edited: V: .*\n  at V/000000000001.jsonl:{at + 1}\n"


def edit_and_hash(record: Record) -> str:
    """Hide it, and make the line fit itself."""
    lines, at = record.lines, record.read_of()
    lines[at], _ = rehashed(lines[at].replace(b"apps/demo", b"apps/open"))
    record.write(lines)
    return rf"forged: V: record {at + 2} names another record {at + 1} .*\n  at V/.*:{at + 2}\n"


def write_anew(record: Record) -> str:
    """Hide it, and make every later line fit."""
    lines, at = record.lines, record.read_of()
    lines[at] = lines[at].replace(b"apps/demo", b"apps/open")
    prev = json.loads(lines[at - 1])["hash"]
    for later in range(at, len(lines)):
        lines[later], prev = rehashed(lines[later], prev)
    record.write(lines)
    signature = next(one for one in range(at, len(lines)) if _is_of(lines[one], "signature"))
    number = signature + 1
    return rf"forged: V: the signature in record {number} is over another .*\n  at V/.*:{number}\n"


def write_anew_unsigned(record: Record) -> str:
    """Hide it, leave the signatures out, and number what is left anew."""
    kept: list[bytes] = []
    prev = "0" * 64
    for line in record.lines:
        if not _is_of(line, "signature"):
            text = re.sub(rb'"seq":\d+', b'"seq":%d' % (len(kept) + 1), line)
            text, prev = rehashed(text.replace(b"apps/demo", b"apps/open"), prev)
            kept.append(text)
    record.write(kept)
    return r"(forked|truncated): V: .*(another than the one that|saw record)"


def take_out(record: Record) -> str:
    """Take the line out."""
    lines, at = record.lines, record.read_of()
    del lines[at]
    record.write(lines)
    return rf"missing: V: record {at + 1} is missing before record {at + 2}\n  at V/.*:{at + 1}\n"


def move(record: Record) -> str:
    """Let the read come after the delivery."""
    lines, at = record.lines, record.read_of()
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    record.write(lines)
    return rf"reordered: V: record {at + 2} stands where record {at + 1} has to be"


def repeat(record: Record) -> str:
    """Let somebody have read it twice."""
    lines, at = record.lines, record.read_of()
    lines.insert(at + 2, lines[at])
    record.write(lines)
    return rf"repeated: V: record {at + 1} stands there a second time\n  at V/.*:{at + 3}\n"


def cut(record: Record) -> str:
    """Forget what happened since."""
    lines, at = record.lines, record.read_of()
    record.write(lines[:at])
    return rf"truncated: V: it ends with record {at}, and \S+ saw record \d+ of it"


def take_away(record: Record) -> str:
    """Take the whole chain away."""
    shutil.rmtree(record.file.parent)
    return r"absent: V: \S+ saw record \d+ of it, and it is nowhere"


def swap_chains(record: Record) -> str:
    """Pass one replica's chain off as the other's."""
    other = next(one for one in record.root.iterdir() if one.name != record.victim)
    shutil.copy(other / "000000000001.jsonl", record.file)
    return rf"foreign: V: record 1 is of {other.name}\n"


ATTACKS = (
    edit, edit_and_hash, write_anew, write_anew_unsigned, take_out, move, repeat, cut, take_away,
    swap_chains,
)  # fmt: skip


def test_each_attack_is_named_and_the_honest_record_is_whole(
    record: Record, tmp_path: Path
) -> None:
    remember = ("--remember", str(tmp_path / "heads.json"))
    code, told = record.audit(*remember)
    assert (code, told) == (0, ""), told
    for attack in ATTACKS:
        attacked = Record(tmp_path / attack.__name__, record.key, record.victim)
        shutil.copytree(record.root, attacked.root)
        said = attack(attacked).replace("V", re.escape(record.victim))
        code, told = attacked.audit()
        assert code == 6, f"{attack.__doc__} {told}"
        assert re.search(said, told), f"{attack.__doc__} {told}"
    shutil.rmtree(next(one for one in record.root.iterdir() if one.name != record.victim))
    record.write(record.lines[:-3])  # nobody is left who saw it, but for the auditor
    code, told = record.audit(*remember)
    assert code == 6
    assert "and the last verification saw record" in told
