"""A store that cannot be written is left exactly as it is, with an error that says why."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulators.person import Person, person

ME, BOB = "me@example.org", "bob@example.org"


@pytest.fixture
def me(tmp_path: Path) -> Iterator[Person]:
    with person(tmp_path / "me", [ME, BOB]) as made:
        made.makes_store(ME)
        made.has({f"e{number}": b"text\n" * 400 for number in range(20)}, [ME])
        yield made


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[None]:
    """Mount something over a store for as long as it is tested."""
    if os.getuid() != 0:
        pytest.skip("only root may mount a small file system")
    done = subprocess.run(["mount", *options, str(place)], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no mount here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def changes() -> Iterator[tuple[str, ...]]:
    yield ("recipients", "add", BOB, "--yes")
    yield ("reencrypt", "--all")
    yield ("store", "check", "--fix")


def test_another_git_at_work_is_waited_for_and_then_named(me: Person) -> None:
    head = me.git("rev-parse", "HEAD")
    lock = me.store / ".git" / "index.lock"
    lock.touch()
    done = me.flux("recipients", "add", BOB, "--yes", check=False)
    assert (done.code, "another git is at work in" in done.err) == (5, True)
    assert f"rm {lock}" in done.err
    assert me.git("rev-parse", "HEAD") == head
    lock.unlink()
    assert me.git("status", "--porcelain") == ""


def test_a_branch_that_somebody_locks_is_not_moved(me: Person) -> None:
    head = me.git("rev-parse", "HEAD")
    branch = me.git("symbolic-ref", "HEAD")
    lock = me.store / ".git" / f"{branch}.lock"
    lock.touch()
    done = me.flux("recipients", "add", BOB, "--yes", check=False)
    assert (done.code, "nothing was changed" in done.err) == (5, True), done.err
    assert me.git("rev-parse", "HEAD") == head
    assert me.git("status", "--porcelain") == ""
    lock.unlink()
    me.flux("recipients", "add", BOB, "--yes")
    assert me.readers("e0") == {ME, BOB}


def test_a_read_only_store_is_left_as_it_is(me: Person) -> None:
    for words in changes():
        with mounted(me.store, "--bind", str(me.store)):
            subprocess.run(["mount", "-o", "remount,bind,ro", str(me.store)], check=True)
            done = me.flux(*words, check=False)
        assert done.code in {1, 3}, done.err
        if words[0] != "store":  # nothing to repair but an exported key
            assert "Read-only file system" in done.err, done.err
        assert "a bug" not in done.err
        assert me.git("status", "--porcelain") == ""
        assert me.readers("e0") == {ME}


@pytest.mark.parametrize("kibibytes", [4, 52, 60, 76, 100])
def test_a_full_disk_leaves_old_entries_and_room_lets_the_next_one_finish(
    me: Person, kibibytes: int
) -> None:
    """Whatever is written when the room ends: an object, the journal, the folder, the index."""
    files = me.home / "files"
    me.store.rename(files)
    me.store.mkdir(mode=0o700)
    with mounted(me.store, "-t", "tmpfs", "-o", "size=4m,mode=0700", "none"):
        subprocess.run(["cp", "-a", f"{files}/.", str(me.store)], check=True)
        room = os.statvfs(me.store)
        left = room.f_bavail * room.f_frsize - kibibytes * 1024
        (me.store / ".git" / "ballast").write_bytes(b"\0" * left)
        done = me.flux("recipients", "add", BOB, "--yes", check=False)
        assert "a bug" not in done.err
        assert {frozenset(me.readers(f"e{number}")) for number in range(20)} <= {
            frozenset({ME}), frozenset({ME, BOB}),
        }  # fmt: skip
        assert all(me.can_read(f"e{number}") == b"text\n" * 400 for number in (0, 19))
        if done.code != 0:
            assert "space" in done.err, done.err
            assert "remedy" in done.err
        (me.store / ".git" / "ballast").unlink()
        me.flux("recipients", "add", BOB, "--yes")
        me.flux("reencrypt")
        assert all(me.readers(f"e{number}") == {ME, BOB} for number in range(20))
        assert me.git("status", "--porcelain") == ""
        assert me.commits == 4


def test_two_at_once_come_one_after_the_other(me: Person) -> None:
    words = ("recipients", "add", BOB, "--yes")
    argv = [sys.executable, "-m", "flux_secret"]
    both = [
        subprocess.Popen([*argv, *words], env=me.environment, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE)
        for _ in range(2)
    ]  # fmt: skip
    errors = [one.communicate(timeout=110)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], errors
    assert me.commits == 4
    assert me.git("status", "--porcelain") == ""
