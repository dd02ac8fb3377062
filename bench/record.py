"""Records a second that are durable, for one caller and for many; seconds to verify a million.

`PYTHONPATH=tools:tests python bench/record.py [RECORDS]` writes to the disk of the working
directory: each caller waits for each of its records, as a read does. Then a signed chain of RECORDS
records (a million) is written in large calls, and verified by the command in a process of its own,
with the public key. A table is printed; JSON is kept in bench/results.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flux_secret.audit.keeper import RecordKeeper
from flux_secret.audit.sealer import Pace, kept
from flux_secret.model.record import Kind, Note
from simulators.chains import public, signed

RESULTS = Path(__file__).parent / "results"
SECONDS = 5.0
CALLERS = (1, 16, 256)
CALL = 1000  # notes of one call, where a chain is made
NOTE = Note(
    Kind.READ,
    "apps/application/demo/prod/db",
    {
        "app": "demo", "blob": "3f9a" * 10, "commit": "77e0" * 10, "store": "apps",
        "reason": "reference", "delivery": "0123456789abcdef",
    },
)  # fmt: skip


class _Signer:
    key = "bench"

    async def sign(self, message: bytes) -> bytes:
        return signed(message, "agent")


async def rate(root: Path, callers: int) -> float:
    """Let so many callers record one thing after another; give records a second."""
    async with RecordKeeper(root, "agent") as record:
        end = time.perf_counter() + SECONDS
        done = [0] * callers

        async def call(number: int) -> None:
            while time.perf_counter() < end:
                await record.write([NOTE])
                done[number] += 1

        began = time.perf_counter()
        await asyncio.gather(*map(call, range(callers)))
        return sum(done) / (time.perf_counter() - began)


def fsyncs(root: Path) -> float:
    """Give how many lines a second the disk takes, if each is written and flushed by itself."""
    handle = os.open(root / "file", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    count, end = 0, time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        os.write(handle, b"x" * 470)
        os.fdatasync(handle)
        count += 1
    os.close(handle)
    return count / SECONDS


async def chain(root: Path, records: int) -> float:
    """Write a signed chain; give the seconds."""
    began = time.perf_counter()
    pace = Pace(sign_records=10_000)
    async with kept(root, "agent", signer=_Signer(), pace=pace) as record:
        for _ in range(records // CALL):
            await record.write([NOTE] * CALL)
    return time.perf_counter() - began


def verified(root: Path, key: Path) -> dict[str, float]:
    """Verify it by the command; give wall and processor seconds, and the peak of memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    words = ("audit", "verify", str(root), "--key", str(key))
    subprocess.run([sys.executable, "-m", "flux_secret", *words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mib": after.ru_maxrss / 1024,
    }


def main() -> None:
    """Run and print."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    result: dict[str, object] = {"records": records}
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-record-") as name:
        place = Path(name)
        result["fdatasync_per_second"] = alone = fsyncs(place)
        print(f"{'one write and fdatasync a line':<34} {alone:>9.0f} a second")
        for callers in CALLERS:
            each = asyncio.run(rate(place / str(callers), callers))
            result[f"records_per_second_{callers}"] = each
            print(f"{f'{callers} callers, each waiting':<34} {each:>9.0f} records a second")
        seconds = asyncio.run(chain(place / "chain", records))
        result["written_per_second"] = records / seconds
        size = sum(file.stat().st_size for file in (place / "chain").glob("*/*.jsonl"))
        result["mib"] = size / 2**20
        print(
            f"{f'calls of {CALL} records, signed':<34} {records / seconds:>9.0f} records a second"
        )
        key = place / "key.asc"
        key.write_bytes(public("agent"))
        found = verified(place / "chain", key)
        result["verify"] = found
        print(
            f"audit verify of {records} records ({size / 2**20:.0f} MiB): "
            f"{found['seconds']:.1f} s, {found['cpu_seconds']:.1f} s of processor, "
            f"{found['peak_mib']:.0f} MiB at most"
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "record.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
