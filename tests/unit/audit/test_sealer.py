"""A chain is signed, anchored and kept within its bound, while others write to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from flux_secret.audit.keeper import RecordKeeper
from flux_secret.audit.places import place_at
from flux_secret.audit.sealer import Pace, Sealer, kept
from flux_secret.audit.segments import Bounds, segment_files
from flux_secret.audit.signing import Verifier
from flux_secret.audit.verify import Report, verify
from flux_secret.errors import KeyFileError
from flux_secret.model.record import Kind, Note
from simulators.chains import public, signed

_SLOW = Pace(sign_records=10**9, sign_seconds=3600, anchor_seconds=3600)


class _Signer:
    key = "AGENT"

    def __init__(self) -> None:
        self.signed = 0
        self.fails = False

    async def sign(self, message: bytes) -> bytes:
        if self.fails:
            raise KeyFileError("no such key", remedy="name another")
        self.signed += 1
        return signed(message, "agent")


def _notes(many: int) -> list[Note]:
    return [Note(Kind.READ, f"apps/entry-{number}") for number in range(many)]


def _verify(root: Path) -> Report:
    return verify([place_at(root)], Verifier.load("agent", public("agent")))


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.002)


async def test_what_is_left_is_signed_at_the_end_and_once(tmp_path: Path) -> None:
    signer = _Signer()
    for _ in range(2):
        async with kept(tmp_path, "agent", signer=signer, pace=_SLOW) as record:
            await record.write(_notes(3))
    async with kept(tmp_path, "agent", signer=signer, pace=_SLOW):
        pass  # nothing new, nothing to sign
    report = _verify(tmp_path)
    assert (report.exit_code, report.notes) == (0, [])
    (one,) = report.chains
    assert signer.signed == one.chain.signatures == 2
    assert one.chain.signed_to == one.chain.last.seq - 1


async def test_it_is_signed_after_so_many_records_and_when_a_file_is_full(tmp_path: Path) -> None:
    signer = _Signer()
    pace = Pace(sign_records=5, sign_seconds=3600)
    async with kept(tmp_path / "a", "agent", signer=signer, pace=pace) as record:
        await record.write(_notes(3))
        assert signer.signed == 0
        await record.write(_notes(3))
        await _until(lambda: signer.signed == 1)
    small = Bounds(segment=2000)
    async with kept(tmp_path / "b", "agent", signer=signer, pace=_SLOW, bounds=small) as record:
        before = signer.signed
        for _ in range(3):
            await record.write(_notes(6))
        await _until(lambda: signer.signed > before)
    assert _verify(tmp_path / "b").exit_code == 0


async def test_it_is_signed_after_so_many_seconds(tmp_path: Path) -> None:
    signer = _Signer()
    pace = Pace(sign_records=10**9, sign_seconds=0.01)
    async with kept(tmp_path, "agent", signer=signer, pace=pace) as record:
        await record.write(_notes(1))
        await _until(lambda: signer.signed == 1)


async def test_a_key_that_does_not_sign_holds_up_nobody_and_is_tried_again(tmp_path: Path) -> None:
    signer = _Signer()
    signer.fails = True
    pace = Pace(sign_records=2, sign_seconds=0.01)
    async with kept(tmp_path, "agent", signer=signer, pace=pace) as record:
        await record.write(_notes(5))
        await record.write(_notes(5))
        signer.fails = False
        await _until(lambda: signer.signed > 0)
    assert _verify(tmp_path).exit_code == 0


async def test_writers_of_one_folder_anchor_each_other_and_come_to_rest(tmp_path: Path) -> None:
    signer = _Signer()
    for idle in range(4):
        async with (
            kept(tmp_path, "agent", signer=signer, pace=_SLOW) as one,
            kept(tmp_path, "agent", signer=signer, pace=_SLOW) as other,
        ):
            if not idle:
                await one.write(_notes(2))
                await other.write(_notes(2))
    report = _verify(tmp_path)
    assert report.exit_code == 0
    seen = {anchor.writer for chain in report.chains for anchor in chain.chain.anchors}
    assert len(seen) == 2
    # a beginning, two reads, an anchor and a signature each
    assert [chain.chain.last.seq for chain in report.chains] == [5, 5]


async def test_how_far_another_chain_is_shows_when_it_is_cut(tmp_path: Path) -> None:
    async with kept(tmp_path, "agent", pace=_SLOW) as one:
        async with kept(tmp_path, "agent", pace=_SLOW) as other:
            await other.write(_notes(3))
            folder = other.folder
        await one.write(_notes(1))
    (file,) = segment_files(folder)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    (fault,) = _verify(tmp_path).faults
    assert (fault[0], fault[1].name) == (folder.name, "truncated")


async def test_the_oldest_files_go_when_there_are_too_many_and_the_chain_still_counts(
    tmp_path: Path,
) -> None:
    signer = _Signer()
    bounds = Bounds(segment=4000, keep=20_000)
    pace = Pace(sign_records=10, sign_seconds=0.01)
    async with kept(tmp_path, "agent", signer=signer, pace=pace, bounds=bounds) as record:
        folder = record.folder
        for _ in range(40):
            await record.write(_notes(5))
        await _until(lambda: segment_files(folder)[0].name != "000000000001.jsonl")
        await _until(lambda: sum(file.stat().st_size for file in segment_files(folder)) < 24_000)
    report = _verify(tmp_path)
    assert report.exit_code == 0
    assert "were removed to save room" in report.notes[0]
    assert report.chains[0].chain.first > 1


async def test_nothing_is_removed_before_its_checkpoint_is_signed(tmp_path: Path) -> None:
    signer = _Signer()
    signer.fails = True
    bounds = Bounds(segment=2000, keep=4000)
    async with kept(tmp_path, "agent", signer=signer, pace=_SLOW, bounds=bounds) as record:
        for _ in range(20):
            await record.write(_notes(3))
        sealer = Sealer(record, signer)
        for _ in range(2):
            await sealer._try(sealer.trim)
        assert segment_files(record.folder)[0].name == "000000000001.jsonl"
        signer.fails = False
    assert _verify(tmp_path).exit_code == 0


async def test_what_is_recorded_while_a_signature_is_made_is_signed_too(tmp_path: Path) -> None:
    class _Slow(_Signer):
        record: RecordKeeper

        async def sign(self, message: bytes) -> bytes:
            if not self.signed:
                await self.record.write(_notes(2))
            return await super().sign(message)

    signer = _Slow()
    async with kept(tmp_path, "agent", signer=signer, pace=_SLOW) as record:
        signer.record = record
        await record.write(_notes(1))
        sealer = Sealer(record, signer)
        await sealer.seal()
        await sealer.seal()
        await sealer.seal()
        assert signer.signed == 2
    assert _verify(tmp_path).notes == []
