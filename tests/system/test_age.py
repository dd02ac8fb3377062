"""Since when a value is what it is: by real gpg, age, git, pass and gopass."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simulators.person import Done, Person, person

ME, BOB = "me@example.org", "bob@example.org"
DAY = 86_400
NOW = int(datetime.now(UTC).timestamp())
RULES = """\
version: 1
owners:
  alice: {{keys: ["openpgp:{0}"], contact: alice@example.org}}
  bob: {{keys: ["openpgp:{1}"]}}
paths:
  apps: {{owners: [alice, bob], rotateEvery: 90d, contact: "#team, apps"}}
"""


@pytest.fixture
def me(tmp_path: Path, gopass: Path) -> Iterator[Person]:
    with person(tmp_path / "me", [ME, BOB], gopass=gopass) as made:
        made.gopasses("config", "core.autopush", "false")
        days_ago(made, 1000)
        made.makes_store(ME)
        days_ago(made, 0)
        yield made


def days_ago(one: Person, days: float) -> None:
    """Let git commit at another time from now on; 0 is now."""
    when = "" if not days else f"{NOW - int(days * DAY)} +0100"
    one.env.update(GIT_AUTHOR_DATE=when, GIT_COMMITTER_DATE=when)


def at(one: Person, days: float, *words: str, stdin: bytes = b"") -> Done:
    """Run flux-secret some days ago."""
    days_ago(one, days)
    done = one.flux(*words, stdin=stdin)
    days_ago(one, 0)
    return done


def told(one: Person, *words: str) -> dict[str, dict[str, Any]]:
    done = one.flux("age", "-o", "json", *words)
    return {item["entry"]: item for item in json.loads(done.out)["entries"]}


def days(item: dict[str, Any], field: str = "changed") -> int:
    return round((NOW - datetime.fromisoformat(item[field]).timestamp()) / DAY)


def scan(one: Person, *words: str) -> dict[str, int]:
    done = one.flux("age", "-o", "json", *words)
    found: dict[str, int] = json.loads(done.out)["scans"][0]
    return found


def has_rules(one: Person, when: float = 0) -> None:
    days_ago(one, when)
    keys = [one.gnupg.fingerprint(email) for email in (ME, BOB)]
    one.writes_file(".flux-secret/owners.yaml", RULES.format(*keys))
    one.git("add", "-A")
    one.git("commit", "-qm", "Owners")
    days_ago(one, 0)


def test_what_is_no_rotation_changes_no_age(me: Person) -> None:
    """A new recipient, all of it encrypted anew, a comment, a move and a copy, gopass and pass."""
    at(me, 100, "store", "insert", "apps/db", stdin=b"pw1\nuser: joe\n")
    at(
        me,
        100,
        "store",
        "insert",
        "apps/key",
        stdin=b"-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n",
    )
    at(me, 40, "recipients", "add", BOB, "--yes")
    at(me, 30, "reencrypt", "--all")
    days_ago(me, 20)
    me.gopasses("fsck", "--decrypt")
    me.passes("init", ME)
    at(me, 15, "store", "insert", "apps/db", "note", stdin=b"a comment")
    at(me, 10, "store", "mv", "apps/db", "apps/moved")
    at(me, 10, "store", "cp", "apps/moved", "apps/copied")
    found = told(me)
    assert {name: days(item) for name, item in found.items()} == {
        "apps/moved": 100, "apps/copied": 100, "apps/key": 100,
    }  # fmt: skip
    assert all(item["certain"] for item in found.values())
    assert found["apps/moved"]["first_seen_as"] == "apps/db"

    at(me, 5, "store", "insert", "-f", "apps/key",
       stdin=b"-----BEGIN KEY-----\nBBBB\n-----END KEY-----\n")  # fmt: skip
    days_ago(me, 4)
    me.gopasses("insert", "-f", "apps/moved", stdin=b"pw2\n")
    days_ago(me, 0)
    found = told(me)
    assert {name: days(item) for name, item in found.items()} == {
        "apps/moved": 4, "apps/copied": 100, "apps/key": 5,
    }  # fmt: skip


def test_a_value_that_comes_back_is_as_old_as_it_was(me: Person) -> None:
    for when, value in ((90, b"one\n"), (50, b"two\n"), (10, b"one\n")):
        at(me, when, "store", "insert", "-f", "apps/db", stdin=value)
    assert days(told(me)["apps/db"]) == 90


def test_history_is_decrypted_once_and_what_is_remembered_tells_no_value(me: Person) -> None:
    secret = b"correct horse\ntoken: battery staple\n"
    at(me, 9, "store", "insert", "apps/db", stdin=secret)
    at(me, 8, "store", "insert", "-f", "apps/db", stdin=b"new\n")
    first = scan(me)
    assert (first["versions"], first["decrypted"]) == (2, 2)
    again = scan(me)
    assert (again["remembered"], again["decrypted"]) == (2, 0)
    folder = me.home / ".cache/flux-secret/digests"
    files = list(folder.iterdir())
    assert len(files) == 2
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for word in (b"horse", b"token", b"battery", b"apps"):
            assert word not in file.read_bytes()
    cache = next(file for file in files if file.name != "key")
    data = bytearray(cache.read_bytes())
    data[-20] ^= 1
    cache.write_bytes(data)
    assert scan(me)["decrypted"] == 2, "what was changed by hand is not believed"
    (folder / "key").chmod(0o644)
    assert scan(me)["decrypted"] == 2, "a key that others could read is made anew"
    assert scan(me)["decrypted"] == 0
    assert days(told(me)["apps/db"]) == 8


def test_a_folder_that_cannot_be_written_costs_time_and_nothing_else(me: Person) -> None:
    at(me, 9, "store", "insert", "apps/db", stdin=b"pw\n")
    me.env["XDG_CACHE_HOME"] = "/dev/null"
    done = me.flux("age", "-o", "json")
    assert json.loads(done.out)["entries"][0]["entry"] == "apps/db"
    assert "nothing is remembered" in done.err


def test_deadlines_are_warned_of_ahead_and_end_with_1_when_they_are_over(me: Person) -> None:
    for name, when in (("free", 900), ("apps/late", 100), ("apps/soon", 80), ("apps/young", 5)):
        at(me, when, "store", "insert", name, stdin=name.encode())
    has_rules(me)
    found = told(me)
    assert [(name, item["state"]) for name, item in found.items()] == [
        ("apps/late", "overdue"), ("apps/soon", "due soon"), ("apps/young", "ok"),
        ("free", "no deadline"),
    ]  # fmt: skip
    assert found["apps/late"]["owners"] == ["alice", "bob"]
    assert found["apps/late"]["contacts"] == ["#team, apps", "alice@example.org"]
    assert found["free"]["owners"] == []
    done = me.flux("age", "--due", check=False)
    assert done.code == 1
    lines = done.out.decode().splitlines()
    assert [line.split()[0] for line in lines] == ["ENTRY", "apps/late", "apps/soon"]
    assert "overdue for 10d" in lines[1]
    assert "flux-secret store edit" in done.err
    assert me.flux("age", "--due", "apps/soon").code == 0
    assert "nothing is due" in me.flux("age", "--due", "apps/soon", "--warn-before", "1d").err
    me.flux("store", "insert", "-f", "apps/late", stdin=b"rotated\n")
    assert me.flux("age", "--due").code == 0
    assert "apps/late" not in me.flux("age", "--due").out.decode()


def test_who_came_later_is_told_what_they_cannot_know(me: Person, tmp_path: Path) -> None:
    """What was written before one could read it may be the same value, or another one."""
    at(me, 200, "store", "insert", "apps/db", stdin=b"pw\n")
    has_rules(me, 199)
    with person(tmp_path / "new", ["new@example.org"]) as new:
        me.knows(new, "new@example.org")
        at(me, 60, "recipients", "add", "new@example.org", "--yes")
        new.env["PASSWORD_STORE_DIR"] = str(me.store)
        item = told(new)["apps/db"]
        assert (days(item), days(item, "changed_earliest")) == (60, 200)
        assert (item["certain"], item["state"], item["due"]) == (False, "unknown", True)
        done = new.flux("age", "--due", check=False)
        assert (done.code, b"\xe2\x89\xa560d" in done.out) == (1, True), done.out
        assert "not every version could be compared" in done.err
        at(me, 50, "store", "insert", "-f", "apps/db", stdin=b"new\n")
        assert told(new)["apps/db"]["state"] == "ok"


def test_what_was_moved_to_where_one_can_read_it_is_no_new_value(
    me: Person, tmp_path: Path
) -> None:
    at(me, 200, "store", "insert", "old/db", stdin=b"pw\n")
    with person(tmp_path / "new", ["new@example.org"]) as new:
        me.knows(new, "new@example.org")
        at(me, 110, "recipients", "add", "new@example.org", "--folder", "apps", "--yes")
        at(me, 100, "store", "mv", "old/db", "apps/db")
        new.env["PASSWORD_STORE_DIR"] = str(me.store)
        item = told(new, "apps/db")["apps/db"]
        assert (days(item), days(item, "changed_earliest")) == (100, 200)
        assert not item["certain"]


def test_merges_and_wrong_clocks_make_no_value_younger(me: Person) -> None:
    at(me, 300, "store", "insert", "apps/db", stdin=b"old\n")
    me.git("checkout", "-qb", "side")
    at(me, 200, "store", "insert", "-f", "apps/db", stdin=b"side\n")
    me.git("checkout", "-q", "master")
    at(me, 250, "store", "insert", "other", stdin=b"x\n")
    days_ago(me, 100)
    me.git("merge", "-q", "--no-edit", "-s", "ours", "side")
    assert days(told(me, "apps/db")["apps/db"]) == 300, "the merge kept what there was"
    at(me, -400, "store", "insert", "-f", "apps/db", stdin=b"from the future\n")
    at(me, 90, "store", "insert", "more", stdin=b"y\n")
    item = told(me, "apps/db")["apps/db"]
    assert days(item) == 100
    assert item["doubts"] == ["the commit's date does not fit between its neighbours"]


def test_age_stores_have_ages(me: Person) -> None:
    me.env.update(GOPASS_HOMEDIR=str(me.home), PASSWORD_STORE_DIR="", GOPASS_AGE_PASSWORD="horse")
    me.flux("store", "init", "--crypto", "age", "--mount", "new")
    at(me, 70, "store", "insert", "new/db", stdin=b"pw\n")
    at(me, 30, "reencrypt", "--all", "new")
    days_ago(me, 20)
    me.gopasses("insert", "-f", "new/db2", stdin=b"by gopass\n")
    days_ago(me, 0)
    found = told(me, "new")
    assert {name: days(item) for name, item in found.items()} == {"new/db": 70, "new/db2": 20}
    assert scan(me, "new")["decrypted"] == 0


def test_binary_entries_and_what_gopass_wrote_anew_have_ages(me: Person) -> None:
    file = me.home / "file.bin"
    file.write_bytes(os.urandom(300))
    days_ago(me, 60)
    me.gopasses("fscopy", str(file), "apps/file")
    at(
        me,
        50,
        "store",
        "insert",
        "apps/mime",
        stdin=b"GOPASS-SECRET-1.0\nPassword: pw\nUser: a\n\nbody\n",
    )
    at(me, 40, "reencrypt", "--all")
    at(me, 30, "store", "insert", "-f", "apps/mime", stdin=b"pw\nuser: a\nbody\n")
    assert {name: days(item) for name, item in told(me).items()} == {
        "apps/file": 60, "apps/mime": 50,
    }  # fmt: skip
    file.write_bytes(os.urandom(300))
    days_ago(me, 10)
    me.gopasses("fscopy", str(file), "apps/file")
    days_ago(me, 0)
    assert days(told(me)["apps/file"]) == 10


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["apps/none"], 4, "there is no entry apps/none"),
        (["--warn-before", "soon"], 2, "is not a duration"),
        (["--ical"], 3, "none of these entries has a deadline"),
        (["../x"], 2, ""),
    ],
)
def test_what_is_wrong_is_said(me: Person, words: list[str], code: int, says: str) -> None:
    at(me, 9, "store", "insert", "apps/db", stdin=b"pw\n")
    done = me.flux("age", *words, check=False)
    assert (done.code, says in done.err) == (code, True), done.err


def test_a_store_without_all_of_its_history_says_so(me: Person, tmp_path: Path) -> None:
    at(me, 9, "store", "insert", "apps/db", stdin=b"pw\n")
    at(me, 8, "store", "insert", "-f", "apps/db", stdin=b"new\n")
    me.run("git", "clone", "-q", "--depth=1", f"file://{me.store}", tmp_path / "shallow")
    me.env["PASSWORD_STORE_DIR"] = str(tmp_path / "shallow")
    done = me.flux("age", "apps/db", check=False)
    assert (done.code, "--unshallow" in done.err) == (3, True), done.err
