"""Recipients of 1,000 entries changed, and 10,000 entries looked at: flux-secret, gopass, gpg.

`PYTHONPATH=tools:tests python bench/reencrypt.py` makes ten people's keys and stores in memory and
runs whole commands, as people do, their start included. gopass and the gpg loop get fewer entries
and are given per entry; all take turns on the same machine, so only the ratio means something.
The gpg loop is what a script does: decrypt to a pipe, encrypt to everybody, one commit at the end.
A table is printed; JSON is kept in bench/results.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import pysequoia

from build import GOPASS, build
from simulators.person import Person, person

RESULTS = Path(__file__).parent / "results"
RECIPIENTS = 10
ENTRIES = 1000
FEW = 50  # entries for those that take long
MANY = 10_000
ROUNDS = 3
FOLDER = 50  # entries of one folder
Row = dict[str, float | int | str]


def filled(one: Person, entries: int, certificates: Sequence[pysequoia.Cert]) -> None:
    """Make a store of entries for these people, in git."""
    shutil.rmtree(one.store, ignore_errors=True)
    one.store.mkdir(mode=0o700)
    ids = [f"0x{str(one.fingerprint).upper()[-16:]}\n" for one in certificates]
    (one.store / ".gpg-id").write_text("".join(ids))
    message = b""
    for number in range(entries):
        if number % 10 == 0:  # a tenth of them differ; nobody looks at more than their size
            text = b"correct horse battery staple\nuser: demo\nn: %d\n" % number
            message = bytes(pysequoia.encrypt(text, recipients=list(certificates), armor=False))
        file = one.store / f"f{number // FOLDER:03}" / f"e{number:05}.gpg"
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_bytes(message)
        file.chmod(0o600)
    one.git("init", "-q")
    one.git("add", "-A")
    one.git("commit", "-qm", "Entries")
    one.flux("recipients", "update")


def seconds(act: Callable[[], object]) -> float:
    """Say how long something takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def by_gpg(one: Person, ids: Sequence[str]) -> None:
    """Encrypt every entry anew as a script does."""
    to = [word for each in ids for word in ("--recipient", each)]
    gpg = ("gpg", "--quiet", "--batch", "--yes", "--no-auto-check-trustdb")
    encrypt = (*gpg, "--compress-algo=none", "--no-encrypt-to", "--trust-model=always", "--encrypt")
    for file in sorted(one.store.rglob("*.gpg")):
        text = one.run(*gpg, "--decrypt", file).out
        file.write_bytes(one.run(*encrypt, *to, "--output", "-", stdin=text).out)
    one.git("commit", "-qam", "Anew")


class Bench:
    """One person's machine, and everybody's keys."""

    def __init__(self, one: Person, emails: Sequence[str]) -> None:
        self.one = one
        self.ids = [one.gnupg.fingerprint(email) for email in emails]
        exported = one.gnupg.gpg("--export", *self.ids)
        self.certificates = pysequoia.Cert.split_bytes(exported)
        self.rows: list[Row] = []

    def row(self, what: str, entries: int, who: str, times: Sequence[float]) -> None:
        """Print and keep one measurement."""
        middle = statistics.median(times)
        each = middle / entries * 1000
        self.rows.append({"what": what, "who": who, "entries": entries, "s": middle, "ms": each})
        print(f"{what:<42} {who:<12} {entries:>7} {middle:>8.2f} {each:>9.3f}", flush=True)

    def reencrypt(self) -> None:
        """Encrypt all anew for ten people."""
        times: dict[str, list[float]] = {"flux-secret": [], "gopass": [], "gpg loop": []}
        for _ in range(ROUNDS):
            filled(self.one, ENTRIES, self.certificates)
            times["flux-secret"].append(seconds(lambda: self.one.flux("reencrypt", "--all")))
            filled(self.one, FEW, self.certificates)
            times["gopass"].append(seconds(lambda: self.one.gopasses("fsck", "--decrypt")))
            filled(self.one, FEW, self.certificates)
            times["gpg loop"].append(seconds(lambda: by_gpg(self.one, self.ids)))
        for who, taken in times.items():
            entries = ENTRIES if who == "flux-secret" else FEW
            self.row("encrypt anew for 10 people", entries, who, taken)

    def add(self) -> None:
        """Let the tenth person in."""
        newcomer, ours, theirs = f"0x{self.ids[-1][-16:]}", list[float](), list[float]()
        add = ("recipients", "add", newcomer, "--yes")
        adds = ("--yes", "recipients", "add", "--force", newcomer)
        for _ in range(ROUNDS):
            filled(self.one, ENTRIES, self.certificates[:-1])
            ours.append(seconds(lambda: self.one.flux(*add)))
            filled(self.one, FEW, self.certificates[:-1])
            theirs.append(seconds(lambda: self.one.gopasses(*adds)))
        self.row("recipients add, the 10th", ENTRIES, "flux-secret", ours)
        self.row("recipients add, the 10th", FEW, "gopass", theirs)

    def look(self) -> None:
        """List and check a large store."""
        filled(self.one, MANY, self.certificates)
        one = self.one
        looks: dict[tuple[str, str], Callable[[], object]] = {
            ("ls", "flux-secret"): lambda: one.flux("store", "ls", "--flat"),
            ("ls", "gopass"): lambda: one.gopasses("ls", "--flat"),
            ("recipients ls", "flux-secret"): lambda: one.flux("recipients", "ls"),
            ("recipients ls", "gopass"): lambda: one.gopasses("recipients"),
            ("check", "flux-secret"): lambda: one.flux("store", "check"),
        }
        times: dict[tuple[str, str], list[float]] = {key: [] for key in looks}
        for _ in range(ROUNDS):
            for key, act in looks.items():
                times[key].append(seconds(act))
        for (what, who), taken in times.items():
            self.row(what, MANY, who, taken)
        filled(self.one, FEW * 10, self.certificates)  # gopass starts gpg for each entry
        self.row("check", FEW * 10, "gopass", [seconds(lambda: one.gopasses("fsck"))])


def main() -> None:
    """Run and print."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 -- memory-backed
    emails = [f"p{number}@example.org" for number in range(RECIPIENTS)]
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory)))
        gopass = build(GOPASS) / "gopass"
        one = stack.enter_context(person(place / "me", emails, gopass=gopass))
        one.gopasses("config", "core.autopush", "false")
        bench = Bench(one, emails)
        print(f"{'what':<42} {'who':<12} {'entries':>7} {'s':>8} {'ms each':>9}")
        bench.reencrypt()
        bench.add()
        bench.look()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "reencrypt.json").write_text(json.dumps(bench.rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
