"""What a person's commands read, with their record and without, by turns, in one run.

`PYTHONPATH=tools:tests python bench/person_reads.py [ROUNDS]` (default 5) searches a store of 1,000
entries (`store grep`), dates one of 200 entries and 2,000 versions with nothing remembered (`age`),
and shows one entry, by the real gpg; also with a record that is signed. It prints medians of
seconds by the clock and of the processor (of the command and its children, not of gpg-agent), and
how many lines there were a time. The record lies on the disk of the working directory.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from simulators.person import Person, person

ROUNDS: Final = 5
ME, SIGNER = "me@example.org", "signer@example.org"
_STORES: Final = {"many": (1000, 1), "old": (200, 10)}
"""Entries and versions of each."""
_COMMANDS: Final = {
    "store show": ("many", ("store", "show", "app/e0001")),
    "store grep": ("many", ("store", "grep", "nothing")),
    "age": ("old", ("age",)),
}


def fill(one: Person, entries: int, versions: int) -> None:
    """Make the root store, one commit a version of all entries."""
    one.makes_store(ME)
    with tempfile.TemporaryDirectory() as place:
        for version in range(versions):
            plain = [Path(place) / f"e{number:04}" for number in range(entries)]
            for file in plain:
                file.write_bytes(b"secret %d of %s\n" % (version, file.name.encode()))
            words = ("--batch", "--yes", "--trust-model", "always", "--recipient", ME)
            one.gnupg.gpg(*words, "--encrypt-files", *map(str, plain))
            (one.store / "app").mkdir(exist_ok=True)
            for file in plain:
                sealed = file.with_suffix(".gpg").read_bytes()
                (one.store / "app" / f"{file.name}.gpg").write_bytes(sealed)
            one.git("add", "-A")
            one.git("commit", "-qm", f"Version {version}")


def lines(one: Person) -> int:
    """Count what is on their record."""
    record = one.home / ".local/state/flux-secret/record"
    return sum(file.read_bytes().count(b"\n") for file in record.glob("*/*.jsonl"))


def measured(one: Person, words: Sequence[str]) -> tuple[float, float, int]:
    """Give seconds by the clock and of the processor, and the lines that there are more."""
    with tempfile.TemporaryDirectory() as cache:
        one.env["XDG_CACHE_HOME"] = cache  # nothing is remembered
        before, start, used = lines(one), time.perf_counter(), os.times()
        one.flux(*words, check=False)
        took, now = time.perf_counter() - start, os.times()
    processor = now.children_user + now.children_system - used.children_user - used.children_system
    return took, processor, lines(one) - before


def rounds(people: dict[str, Person], times: int) -> Iterator[tuple[str, str, float, float, int]]:
    """Measure each command in each way, by turns."""
    for _ in range(times):
        for name, (store, words) in _COMMANDS.items():
            one = people[store]
            for how, key, before in (
                ("without", "", ("--no-record",)), ("with", "", ()), ("signed", SIGNER, ()),
            ):  # fmt: skip
                one.env["FLUX_SECRET_RECORD_SIGNING_KEY"] = key
                yield (name, how, *measured(one, (*before, *words)))


def main() -> None:
    """Measure, and print."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with ExitStack() as opened:
        place = Path(opened.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd())))
        many, old = (opened.enter_context(person(place / name, [ME])) for name in _STORES)
        people = {"many": many, "old": old}
        for name, one in people.items():
            one.gnupg.signing_key(SIGNER)
            fill(one, *_STORES[name])
        found: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
        for name, how, *told in rounds(people, times):
            found.setdefault((name, how), []).append((told[0], told[1], int(told[2])))
    print(f"{'command':<12}{'record':<10}{'clock s':>9}{'cpu s':>9}{'lines':>8}")
    for (name, how), each in found.items():
        clock, processor, more = (statistics.median(column) for column in zip(*each, strict=True))
        print(f"{name:<12}{how:<10}{clock:>9.2f}{processor:>9.2f}{more:>8.0f}")
    print("load", *(f"{one:.1f}" for one in os.getloadavg()))


if __name__ == "__main__":
    main()
