"""How long owners take: a large owners file, and a long history judged from its trust anchor.

.venv/bin/python bench/owners.py [--rules 10000] [--commits 10000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from flux_secret.model.owners import OWNERS_FILE, parse_owners
from flux_secret.wiring.approving import bench

KEYS = {name: "openpgp:" + digit * 40 for name, digit in (("alice", "A"), ("bob", "B"))}


def owners(rules: int) -> bytes:
    """Give an owners file."""
    people = "".join(f'  {name}: {{keys: ["{key}"]}}\n' for name, key in KEYS.items())
    paths = "".join(
        f"  team/{number}: {{owners: [alice, bob], approvals: 2}}\n" for number in range(rules)
    )
    return f"version: 1\nowners:\n{people}paths:\n{paths}".encode()


def history(folder: Path, rules: int, commits: int) -> None:
    """Make a store by git's own fast-import: one commit with everything, then one entry each."""
    lines: list[bytes] = []

    def commit(number: int, files: dict[str, bytes]) -> None:
        who = b"committer b <b@example.org> %d +0000" % (1_700_000_000 + number)
        lines.append(b"commit refs/heads/main\n%s\ndata 1\nc" % who)
        for path, data in files.items():
            lines.append(b"M 100644 inline %s\ndata %d\n%s" % (path.encode(), len(data), data))

    files = {f"team/{number}/db.gpg": b"%d" % number for number in range(rules)}
    commit(0, {".gpg-id": b"0xA\n", OWNERS_FILE: owners(rules), **files})
    for number in range(1, commits):
        commit(number, {f"other/{number % 100}.gpg": b"%d" % number})
    subprocess.run(["git", "init", "-q", "--bare", str(folder)], check=True)
    stream = b"\n".join(lines) + b"\ndone\n"
    subprocess.run(["git", "-C", str(folder), "fast-import", "--quiet", "--done"], input=stream,
                   check=True)  # fmt: skip


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--commits", type=int, default=10_000)
    given = parser.parse_args()
    found: dict[str, float] = {}
    text = owners(given.rules)
    start = time.perf_counter()
    parse_owners(text)
    found[f"parse {given.rules} rules ({len(text) // 1024} KiB)"] = time.perf_counter() - start
    for rules, commits in ((given.rules, 2), (10, given.commits)):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "store.git"
            history(folder, rules, commits)
            words = ["git", "-C", str(folder), "rev-list", "--reverse", "main"]
            line = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
            start = time.perf_counter()
            used = bench(folder, line[-1], path=os.environ["PATH"])
            states = used.judging.anchored(line[-1], line[0])
            judged = asyncio.run(used.judging.judge(line[-1], states, used.approvals))
            assert not judged.held
            found[f"judge {rules} rules over {commits} commits"] = time.perf_counter() - start
    for what, seconds in found.items():
        print(f"{what:<44} {seconds:8.2f} s")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
