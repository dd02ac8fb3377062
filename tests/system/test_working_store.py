"""A store in a person's folder: what we write pass reads and the other way, one commit each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flux_secret.outside.git.clone import JOURNAL
from simulators.person import Person, person

ME, OTHER = "me@example.org", "other@example.org"


@pytest.fixture
def me(tmp_path: Path) -> Iterator[Person]:
    with person(tmp_path / "me", [ME, OTHER]) as made:
        made.makes_store(ME, OTHER)
        yield made


def test_what_we_write_pass_reads_and_git_has_one_commit_of_it(me: Person) -> None:
    before = me.git("rev-list", "--count", "HEAD")
    me.flux("store", "insert", "web/site", stdin=b"pw\nuser: joe\n")
    assert me.passes("show", "web/site").out == b"pw\nuser: joe\n"
    assert int(me.git("rev-list", "--count", "HEAD")) == int(before) + 1
    assert me.git("log", "-1", "--format=%s") == "Insert web/site"
    assert me.git("status", "--porcelain") == ""
    assert (me.store / "web/site.gpg").stat().st_mode & 0o777 == 0o600
    assert (me.store / "web").stat().st_mode & 0o777 == 0o700


def test_what_pass_writes_we_read(me: Person) -> None:
    me.passes("insert", "-m", "web/site", stdin=b"pw\nuser: joe\n")
    assert me.flux("store", "show", "web/site").out == b"pw\nuser: joe\n"
    assert me.flux("store", "show", "web/site", "user").out == b"joe"
    assert me.flux("store", "show", "-o", "web/site").out == b"pw"
    assert me.flux("store", "ls", "--flat").out == b"web/site\n"


def test_every_recipient_reads_it_and_nobody_else(me: Person) -> None:
    me.gnupg.curve25519("stranger@example.org")
    me.flux("store", "insert", "one", stdin=b"x\n")
    packets = me.gnupg.gpg("--list-packets", str(me.store / "one.gpg")).decode()
    assert packets.count(":pubkey enc packet:") == 2


def missing(one: Person, bob: str) -> None:
    one.gnupg.gpg("--yes", "--delete-secret-and-public-key", bob)


def expired(one: Person, bob: str) -> None:
    one.gnupg.gpg("--faked-system-time", "20200101T000000", "--quick-set-expire", bob, "1d")


def subkey_expired(one: Person, bob: str) -> None:
    back_then = ("--faked-system-time", "20200101T000000")
    one.gnupg.gpg(*back_then, "--quick-set-expire", bob, "1d", "*")


def doubled(one: Person, _bob: str) -> None:
    uid = ("Bobby <bob@example.org>", "ed25519", "cert,sign", "0")
    one.gnupg.gpg("--passphrase", "", "--yes", "--quick-generate-key", *uid)


def two_of_them(one: Person, _bob: str) -> None:
    one.gnupg.curve25519("bob2@example.org")
    (one.store / ".gpg-id").write_text("example.org\n")
    one.git("commit", "-qam", "Everybody of example.org")


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (missing, "bob@example.org is not in your keyring"),
        (expired, "Bob <bob@example.org> expired on 2020-01-02"),
        (subkey_expired, "its encryption subkey"),
        (doubled, "bob@example.org names 2 keys"),
        (two_of_them, "example.org names 3 keys"),
    ],
)
def test_nothing_is_written_unless_everybody_can_be_encrypted_to(
    tmp_path: Path, break_it: Callable[[Person, str], None], reason: str
) -> None:
    with person(tmp_path / "me", [ME]) as one:
        back_then = ("--faked-system-time", "20191231T000000", "--passphrase", "")
        uid = ("Bob <bob@example.org>", "ed25519", "cert,sign", "0")
        one.gnupg.gpg(*back_then, "--quick-generate-key", *uid)
        bob = one.gnupg.fingerprint("bob@example.org")
        one.gnupg.gpg(*back_then, "--quick-add-key", bob, "cv25519", "encr", "0")
        one.makes_store(ME)
        (one.store / ".gpg-id").write_text(f"{ME}\nbob@example.org\n")
        one.git("commit", "-qam", "Bob too")
        break_it(one, bob)
        done = one.flux("store", "insert", "one", stdin=b"x\n", check=False)
        assert (done.code, reason in done.err) == (4, True), done.err
        assert not (one.store / "one.gpg").exists()
        assert one.git("status", "--porcelain") == ""


def test_a_change_that_was_interrupted_behind_its_commit_is_finished_by_the_next(
    me: Person,
) -> None:
    me.flux("store", "insert", "one", stdin=b"old\n")
    old = me.git("rev-parse", "HEAD")
    me.flux("store", "insert", "-f", "one", stdin=b"new\n")
    new = me.git("rev-parse", "HEAD")
    me.git("checkout", "-q", old, "--", "one.gpg")  # as if the folder had not been brought yet
    (me.store / ".git" / JOURNAL).write_text(json.dumps({"old": old, "new": new}))
    me.flux("store", "insert", "two", stdin=b"2\n")
    assert me.can_read("one") == b"new\n"
    assert me.git("status", "--porcelain") == ""
    assert not (me.store / ".git" / JOURNAL).exists()


def test_a_journal_of_a_commit_that_never_was_is_forgotten(me: Person) -> None:
    me.flux("store", "insert", "one", stdin=b"1\n")
    head = me.git("rev-parse", "HEAD")
    tree = me.git("rev-parse", "HEAD^{tree}")
    never = me.git("commit-tree", tree, "-p", head, "-m", "never")
    (me.store / ".git" / JOURNAL).write_text(json.dumps({"old": head, "new": never}))
    me.flux("store", "insert", "two", stdin=b"2\n")
    assert me.git("rev-parse", "HEAD~1") == head


def test_an_edit_that_somebody_has_not_committed_is_not_overwritten(me: Person) -> None:
    me.flux("store", "insert", "one", stdin=b"1\n")
    (me.store / "one.gpg").write_bytes(me.gnupg.encrypt(b"mine\n", [ME]))
    done = me.flux("store", "insert", "-f", "one", stdin=b"2\n", check=False)
    assert done.code == 3
    assert "is not as git has it" in done.err
    assert me.can_read("one") == b"mine\n"


def test_nothing_is_written_in_the_middle_of_a_merge(me: Person) -> None:
    me.flux("store", "insert", "one", stdin=b"1\n")
    (me.store / ".git" / "MERGE_HEAD").write_text(me.git("rev-parse", "HEAD") + "\n")
    done = me.flux("store", "insert", "two", stdin=b"2\n", check=False)
    assert (done.code, "in the middle of a merge" in done.err) == (3, True)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../one", "is not an entry name"),
        ("-rf", "starts with a dash"),
        ("a/.hidden", "starts with a dot"),
        ("\uff37eb/site", "looks like"),
        ("Web/Site", "looks like"),
        ("a" * 300, "too long"),
    ],
)
def test_a_name_that_others_would_not_find_is_refused(me: Person, name: str, reason: str) -> None:
    me.flux("store", "insert", "web/site", stdin=b"1\n")
    done = me.flux("store", "insert", "--", name, stdin=b"2\n", check=False)
    assert (done.code, reason in done.err) == (2, True), done.err
    assert me.flux("store", "ls", "--flat").out == b"web/site\n"
