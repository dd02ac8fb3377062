"""Commands that tests fork are as those of a whole new Python."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators import forked
from simulators.person import Done, Person, person

ME = "me@example.org"


@pytest.fixture
def me(tmp_path: Path) -> Iterator[Person]:
    with person(tmp_path / "me", [ME]) as one:
        one.makes_store(ME)
        one.has({"db": b"pw\nuser: \xc3\xbc\n", "raw": b"\xff\xfe\n"}, [ME])
        yield one


def both(me: Person, *words: str, stdin: bytes = b"") -> tuple[Done, Done]:
    assert forked.can_fork(me.environment)
    whole = me.run(sys.executable, "-m", "flux_secret", *words, stdin=stdin, check=False)
    return whole, me.flux(*words, stdin=stdin, check=False)


@pytest.mark.parametrize(
    "words",
    [
        ("--version",),
        ("store", "show", "--reveal", "db"),
        ("store", "show", "--reveal", "raw"),
        ("store", "show", "db"),
        ("store", "show", "db", "no-key"),
        ("store", "show", "nothing"),
        ("store", "ls"),
        ("store", "history", "db"),
        ("owners", "check"),
        ("recipients", "ls"),
        ("stroe",),
        ("store", "show"),
        ("store", "show", "--no-such-option"),
        ("deliver",),
    ],
    ids=" ".join,
)
def test_it_says_the_same_and_ends_the_same(me: Person, words: tuple[str, ...]) -> None:
    whole, quick = both(me, *words)
    assert (quick.code, quick.out, quick.err) == (whole.code, whole.out, whole.err)
    assert quick.out or quick.err


def test_it_reads_what_is_typed_and_commits_as_the_same_person(me: Person) -> None:
    made = []
    for number, text in enumerate((b"typed\n", b"\xe2\x98\x83" * 50_000)):
        for done in both(me, "store", "insert", "--force", "new", stdin=text):
            assert done.code == 0, done.err
            made.append(me.git("log", "-1", "--format=%an %ae %s"))
            assert me.can_read("new").strip() == text.strip(), number
    assert len(set(made)) == 1
    assert made[0].startswith(f"me {ME} ")


def test_its_environment_is_theirs_alone(me: Person) -> None:
    me.env["PASSWORD_STORE_DIR"] = str(me.home / "elsewhere")
    whole, quick = both(me, "store", "ls")
    assert (quick.code, quick.err) == (whole.code, whole.err)
    assert quick.code != 0
    me.env["LC_ALL"] = "C"
    assert not forked.can_fork(me.environment)
