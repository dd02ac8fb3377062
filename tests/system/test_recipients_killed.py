"""Killed at any step, a change of recipients leaves each entry to those of before or of after."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flux_secret.outside.git.clone import JOURNAL, STAGING
from flux_secret.outside.git.progress import PROGRESS
from flux_secret.store.crypto.packets import recipients
from simulators.killed import killer
from simulators.person import Person, person

ME, BOB = "me@example.org", "bob@example.org"
MOST_STEPS = 300  # of a change of a few entries


class Watched:
    """A store before and after Bob joins."""

    def __init__(self, me: Person, names: list[str]) -> None:
        self.me, self.names = me, names
        self.before = me.home / "before"
        shutil.copytree(me.store, self.before, symlinks=True)
        self.commits = me.commits
        self.old = self._readers(me.store)
        assert len(self.old) == 1

    def _readers(self, root: Path) -> set[frozenset[str]]:
        files = [root / f"{name}.gpg" for name in self.names]
        return {frozenset(recipients(file.read_bytes())) for file in files}

    def starts_anew(self) -> None:
        shutil.rmtree(self.me.store)
        shutil.copytree(self.before, self.me.store, symlinks=True)

    def is_sound(self, new: frozenset[str]) -> None:
        """Each file for the old or the new people; the commit for the one or the other."""
        assert self._readers(self.me.store) <= {*self.old, new}
        assert {file.name for file in self.me.store.iterdir()} <= {
            ".git", ".gitattributes", ".gpg-id", ".public-keys", "e",
        }  # fmt: skip
        assert {file.name[:1] for file in (self.me.store / "e").iterdir()} == {"n"}
        place = self.me.home / "checkout"
        shutil.rmtree(place, ignore_errors=True)
        self.me.run("git", "clone", "-q", self.me.store, place)
        assert self._readers(place) in (self.old, {new})
        file = (place / ".gpg-id").read_text()
        assert ("0x" in file) == (self._readers(place) == {new})

    def is_done(self, new: frozenset[str]) -> None:
        """One commit, nothing left over, every text as it was."""
        assert self._readers(self.me.store) == {new}
        assert self.me.commits == self.commits + 1
        assert self.me.git("status", "--porcelain") == ""
        left = {file.name for file in (self.me.store / ".git").iterdir()}
        assert not left & {JOURNAL, STAGING, PROGRESS}
        files = [str(self.me.store / f"{name}.gpg") for name in self.names]
        place = self.me.home / "clear"
        for file, name in zip(files, self.names, strict=True):
            shutil.copy(file, place.with_suffix(".gpg"))
            assert self.me.gnupg.gpg("--decrypt", file) == f"{name}\n".encode()


def new_readers(me: Person) -> frozenset[str]:
    message = me.gnupg.encrypt(b"x", [ME, BOB])
    return frozenset(recipients(message))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("entries", [3, 12], ids=["few", "many"])
def test_a_kill_at_each_step_loses_nothing_and_the_next_run_finishes(
    tmp_path: Path, entries: int
) -> None:
    names = [f"e/n{number}" for number in range(entries)]
    with person(tmp_path / "me", [ME, BOB]) as me, killer(me.environment) as kill:
        me.makes_store(ME)
        me.has({name: f"{name}\n".encode() for name in names}, [ME])
        watched, new = Watched(me, names), new_readers(me)
        steps = 0
        while kill.run(steps, "recipients", "add", BOB, "--yes"):
            watched.is_sound(new)
            assert not kill.run(MOST_STEPS * 10, "recipients", "add", BOB, "--yes"), steps
            assert not kill.run(MOST_STEPS * 10, "reencrypt"), steps
            watched.is_done(new)
            watched.starts_anew()
            steps += 1
            assert steps < MOST_STEPS
        assert steps > 20
        watched.is_done(new)


@pytest.mark.timeout(600)
def test_a_re_encryption_of_1000_entries_goes_on_after_kills_at_any_moment(tmp_path: Path) -> None:
    names = [f"e/n{number}" for number in range(1000)]
    with person(tmp_path / "me", [ME, BOB]) as me:
        me.makes_store(ME)
        message = me.gnupg.encrypt(b"same\n", [ME])
        (me.store / "e").mkdir(mode=0o700)
        for name in names:
            (me.store / f"{name}.gpg").write_bytes(message)
        me.git("add", "-A")
        me.git("commit", "-qm", "Entries")
        watched, new = Watched(me, names), new_readers(me)
        seed = random.randrange(2**32)  # noqa: S311 -- moments, no secrets
        chance = random.Random(seed)  # noqa: S311 -- the same
        words = [sys.executable, "-m", "flux_secret", "recipients", "add", BOB, "--yes"]
        kept = 0
        for seconds in [chance.uniform(0.5, 2.5) for _ in range(4)]:
            with subprocess.Popen(
                words, env=me.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as process:
                try:
                    process.wait(seconds)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
            watched.is_sound(new)
            progress = me.store / ".git" / PROGRESS
            lines = progress.read_bytes().count(b'["') if progress.exists() else kept
            assert lines >= kept, seed  # what was done is not lost
            kept = lines
        me.flux("recipients", "add", BOB, "--yes")
        me.flux("reencrypt")
        assert me.readers("e/n0") == me.readers("e/n999") == {ME, BOB}
        assert watched._readers(me.store) == {new}, seed
        assert me.commits == watched.commits + 1
        assert me.git("status", "--porcelain") == ""
