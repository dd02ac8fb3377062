"""`store history --all`: what git knows of an entry, told by real gpg, pass and git."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.person import Person, person

ME, OTHER = "me@example.org", "other@example.org"


@pytest.fixture
def me(tmp_path: Path) -> Iterator[Person]:
    with person(tmp_path / "me", [ME, OTHER]) as made:
        made.makes_store(ME)
        made.passes("insert", "-m", "web/db", stdin=b"first\nuser: joe\n")
        yield made


def moments(one: Person, entry: str, source: str = "git") -> list[dict[str, object]]:
    done = one.flux("store", "history", entry, "--all", "-o", "json")
    tree = json.loads(done.out)
    assert tree["entry"] == entry
    return [moment for moment in tree["moments"] if moment["source"] == source]


def test_each_version_says_what_changed_of_it_and_who_can_read_it(me: Person) -> None:
    me.flux("store", "insert", "web/db", "user", stdin=b"ann")
    me.flux("store", "insert", "-f", "web/db", stdin=b"second\nuser: ann\n")
    me.flux("recipients", "add", OTHER, "--yes")
    me.flux("reencrypt", "--all")
    me.flux("store", "mv", "web/db", "web/postgres")
    me.flux("store", "rm", "-f", "web/postgres")
    told = moments(me, "web/postgres")
    assert [one["what"] for one in told] == [
        "created", "user changed", "value changed", "recipients changed", "encrypted anew",
        "renamed", "removed",
    ]  # fmt: skip
    assert {str(one["who"]) for one in told} == {f"me <{ME}>"}
    readers = [sorted(str(name).partition("<")[2] for name in one["readers"]) for one in told]  # type: ignore[attr-defined]
    assert readers == [[f"{ME}>"]] * 3 + [[f"{ME}>", f"{OTHER}>"]] * 3 + [[]]
    assert sorted(str(one["time"]) for one in told) == [one["time"] for one in told]
    mine = [(str(one["what"]), str(one["says"])) for one in moments(me, "web/postgres", "record")]
    assert mine == [
        ("store", "store insert"), ("read", "store insert"),
        ("store", "store insert"), ("read", "store insert"),
        ("read", "recipients add"), ("read", "reencrypt"),
        ("store", "store mv"), ("store", "store mv"), ("store", "store rm"),
        ("read", "store history"), ("read", "store history"),
        ("read", "store history"), ("read", "store history"),
    ]  # fmt: skip
    assert "first" not in json.dumps(told)
    assert "second" not in json.dumps(told)


def test_what_is_closed_to_a_person_is_not_guessed(me: Person) -> None:
    theirs = me.gnupg.encrypt(b"not for me\n", [OTHER])
    (me.store / "web/db.gpg").write_bytes(theirs)
    me.git("commit", "-qam", "theirs")
    me.gnupg.gpg("--delete-secret-keys", me.gnupg.fingerprint(OTHER))
    done = me.flux("store", "history", "web/db", "--all")
    rows = done.out.decode().splitlines()
    assert rows[0].split() == ["TIME", "FROM", "WHAT", "WHO", "DETAILS", "READERS"]
    assert "created" in rows[1]
    assert "changed (closed here)" in rows[2]
    assert "1 version cannot be decrypted here" in done.err
    assert "this is git and your own record alone" in done.err
    alone = me.flux("--no-record", "store", "history", "web/db", "--all")
    assert "store history" in alone.out.decode()  # the first one is on record
    assert "leaves no trace" in done.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("-o", "json"), "with --all only"),
        (("--record", "x"), "with --all only"),
        (("--all", "-p"), "--all shows no values"),
    ],
)
def test_a_wrong_command_line(me: Person, words: tuple[str, ...], reason: str) -> None:
    done = me.flux("store", "history", "web/db", *words, check=False)
    assert done.code == 2
    assert reason in done.err


def test_a_record_that_is_not_there_is_an_error(me: Person) -> None:
    done = me.flux("store", "history", "web/db", "--all", "--record", "nowhere", check=False)
    assert done.code in {2, 3}
    assert "nowhere" in done.err
