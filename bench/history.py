"""The history of a store of 10,000 commits: how old values are, and what somebody knows of it.

`PYTHONPATH=tools:tests python bench/history.py` makes three people's keys and a store in memory:
500 entries, a commit for each version, of which every other one only encrypts anew. Whole commands
run, as people run them, their start included. Beside it a script's loop, on a sample: `git log` of
each file, `git show` and `gpg --decrypt` of each version. All run on the same machine one after
another, so only the ratio means something. A table is printed; JSON is kept in bench/results.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pysequoia

from simulators.person import Person, person

RESULTS = Path(__file__).parent / "results"
PEOPLE = ("me@example.org", "bob@example.org", "carl@example.org")
COMMITS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
ENTRIES = 500
SAMPLE = 20  # entries of the loop
ROUNDS = 3  # of what is fast
DAY = 86_400
Row = dict[str, float | int | str]


def filled(one: Person, certificates: list[pysequoia.Cert]) -> None:
    """Make the store, by `git fast-import`."""
    one.store.mkdir(mode=0o700)
    one.git("init", "-q")
    ids = "".join(f"0x{str(cert.fingerprint).upper()[-16:]}\n" for cert in certificates).encode()
    began = int(time.time()) - 1500 * DAY
    parts = [_commit(began, {".gpg-id": ids})]
    for number in range(COMMITS):
        entry, version = number % ENTRIES, number // ENTRIES
        text = b"password %d of %d\nuser: demo\n" % (version // 2, entry)
        message = bytes(pysequoia.encrypt(text, recipients=certificates, armor=False))
        when = began + (number + 1) * 1400 * DAY // COMMITS
        parts.append(_commit(when, {f"f{entry % 20:02}/e{entry:04}.gpg": message}))
    one.run("git", "-C", one.store, "fast-import", "--quiet", stdin=b"".join(parts))
    one.git("reset", "-q", "--hard")


def _commit(when: int, files: dict[str, bytes]) -> bytes:
    head = b"commit refs/heads/master\ncommitter Me <me@example.org> %d +0000\ndata 2\nx\n\n" % when
    return head + b"".join(
        b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)
        for path, data in files.items()
    )


def seconds(act: Callable[[], object]) -> float:
    """Say how long something takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def by_loop(one: Person) -> int:
    """Decrypt every version of some entries as a script does; say how many there were."""
    versions = 0
    for number in range(SAMPLE):
        path = f"f{number % 20:02}/e{number:04}.gpg"
        for commit in one.git("log", "--format=%H", "--", path).splitlines():
            message = one.run("git", "-C", one.store, "show", f"{commit}:{path}").out
            one.run("gpg", "--quiet", "--batch", "--decrypt", stdin=message)
            versions += 1
    return versions


class Bench:
    """One person's machine."""

    def __init__(self, one: Person) -> None:
        self.one = one
        self.rows: list[Row] = []

    def row(self, what: str, versions: int, decrypted: int, taken: float) -> float:
        """Print and keep one measurement; give the milliseconds for each version."""
        each = taken / versions * 1000
        self.rows.append({"what": what, "versions": versions, "decrypted": decrypted,
                          "s": round(taken, 3), "ms": round(each, 4)})  # fmt: skip
        print(f"{what:<44} {versions:>8} {decrypted:>9} {taken:>8.2f} {each:>9.3f}", flush=True)
        return each

    def age(self, what: str) -> float:
        """Ask for all ages."""
        scans: list[dict[str, int]] = []

        def act() -> None:
            scans.append(json.loads(self.one.flux("age", "-o", "json").out)["scans"][0])

        taken = seconds(act)
        return self.row(what, scans[0]["versions"], scans[0]["decrypted"], taken)

    def offboard(self, what: str, versions: int) -> None:
        """Ask what Bob knows, after everything was decrypted."""
        times = [seconds(lambda: self.one.flux("offboard", PEOPLE[1], "--no-cluster", check=False))
                 for _ in range(ROUNDS)]  # fmt: skip
        self.row(what, versions, 0, statistics.median(times))


def main() -> None:
    """Run and print."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 -- memory-backed
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory)))
        one = stack.enter_context(person(place / "me", PEOPLE))
        exported = one.gnupg.gpg("--export", *PEOPLE)
        filled(one, pysequoia.Cert.split_bytes(exported))
        bench = Bench(one)
        print(f"{'what':<44} {'versions':>8} {'decrypted':>9} {'s':>8} {'ms each':>9}")
        first = bench.age("age, the first time")
        again = statistics.median(bench.age("age, again") for _ in range(ROUNDS))
        one.flux("store", "insert", "-f", "f00/e0000", stdin=b"new\n")
        bench.age("age, after one more commit")
        bench.offboard("offboard, after age", COMMITS + 1)
        versions = [0]
        taken = seconds(lambda: versions.append(by_loop(one)))
        loop = bench.row("git log, git show and gpg in a loop (sample)", versions[-1], versions[-1],
                         taken)  # fmt: skip
    for what, each in (("the first time", first), ("again", again)):
        print(f"age {what} takes 1/{loop / each:.0f} of the loop's time for a version")
        bench.rows.append({"what": f"ratio {what}", "ratio": round(loop / each, 1)})
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "history.json").write_text(json.dumps(bench.rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
