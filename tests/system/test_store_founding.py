"""New stores, and stores of others: gopass and pass find and read what we make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.person import Person, person

ME, OTHER = "me@example.org", "other@example.org"


@pytest.fixture
def me(tmp_path: Path, gopass: Path) -> Iterator[Person]:
    with person(tmp_path / "me", [ME, OTHER], gopass=gopass) as made:
        made.env["GOPASS_HOMEDIR"] = str(made.home)
        made.env["PASSWORD_STORE_DIR"] = ""
        yield made


def test_gopass_reads_and_writes_a_store_that_we_made(me: Person) -> None:
    me.flux("store", "init", ME, OTHER)
    me.flux("store", "init", "--mount", "apps", ME)
    me.flux("store", "insert", "apps/demo/db", stdin=b"pw\nuser: joe\n")
    me.flux("store", "insert", "own", stdin=b"x\n")
    assert me.gopasses("ls", "--flat").out.split() == [b"apps/demo/db", b"own"]
    assert me.gopasses("show", "apps/demo/db", "user").out == b"joe"
    me.gopasses("insert", "-f", "apps/demo/new", stdin=b"by gopass\n")
    assert me.flux("store", "show", "apps/demo/new").out == b"by gopass\n"
    assert b"0x" in me.gopasses("recipients").out
    assert me.passes("show", "own").out == b"x\n"


def test_a_store_that_is_there_is_never_made_again(me: Person) -> None:
    me.flux("store", "init", ME)
    me.flux("store", "insert", "own", stdin=b"x\n")
    assert me.flux("store", "init", ME, check=False).code == 2
    assert me.flux("store", "init", "--path", str(me.store), ME, check=False).code == 3
    assert me.flux("store", "show", "own").out == b"x\n"


@pytest.mark.parametrize(
    ("keys", "code", "reason"),
    [
        ([], 2, "you have 2 keys"),
        (["nobody@example.org"], 4, "is not in your keyring"),
        (["stranger@example.org"], 4, "none of these keys is yours"),
    ],
)
def test_a_store_that_its_maker_could_not_read_is_not_made(
    me: Person, keys: list[str], code: int, reason: str
) -> None:
    with person(me.home / "stranger", ["stranger@example.org"]) as stranger:
        me.gnupg.gpg("--import", stdin=stranger.gnupg.public_key("stranger@example.org"))
    done = me.flux("store", "init", *keys, check=False)
    assert (done.code, reason in done.err) == (code, True), done.err
    assert not me.store.exists()


def test_a_cloned_store_is_mounted_for_gopass_too(me: Person, tmp_path: Path) -> None:
    me.flux("store", "init", ME)
    me.flux("store", "insert", "db", stdin=b"pw\n")
    me.flux("store", "clone", str(me.store), "team/apps")
    assert me.flux("store", "show", "team/apps/db").out == b"pw\n"
    assert b"team/apps/db" in me.gopasses("ls", "--flat").out
    assert not list(tmp_path.rglob(".*.clone"))


@pytest.mark.parametrize(
    ("url", "code", "reason"),
    [("/nowhere", 3, "/nowhere"), ("--upload-pack=x", 2, "No such option"),
     ("https://localhost:1/x", 5, "localhost")],
)  # fmt: skip
def test_what_cannot_be_cloned_leaves_nothing(me: Person, url: str, code: int, reason: str) -> None:
    done = me.flux("store", "clone", url, "apps", check=False)
    assert (done.code, reason in done.err) == (code, True), done.err
    assert not list(me.home.rglob("*apps*"))


def test_a_repository_that_is_no_store_is_not_mounted(me: Person, tmp_path: Path) -> None:
    me.run("git", "init", "-q", tmp_path / "code")
    me.run("git", "-C", tmp_path / "code", "commit", "-q", "--allow-empty", "-m", "x")
    done = me.flux("store", "clone", str(tmp_path / "code"), "apps", check=False)
    assert (done.code, "is no store" in done.err) == (3, True), done.err
    assert not list(me.home.rglob("*apps*"))


def test_who_cannot_read_a_cloned_store_is_told_how_to_ask(me: Person, tmp_path: Path) -> None:
    with person(tmp_path / "other", ["else@example.org"]) as other:
        other.flux("store", "init")
        done = me.flux("store", "clone", str(other.store), "theirs")
        assert "none of your keys can read it" in done.err
