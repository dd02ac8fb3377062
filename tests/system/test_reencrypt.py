"""Entries are for exactly whom the recipients files name, after a re-encryption."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_secret.outside.git.progress import PROGRESS
from simulators.person import Person, person

ME, BOB, EVE = "me@example.org", "bob@example.org", "eve@example.org"


@pytest.fixture
def me(tmp_path: Path) -> Iterator[Person]:
    with person(tmp_path / "me", [ME, BOB, EVE]) as made:
        made.makes_store(ME)
        entries = ("one", "apps/db", "apps/prod/db")
        made.has({name: f"{name}\n".encode() for name in entries}, [ME])
        yield made


def test_exactly_what_differs_is_encrypted_anew_in_one_commit(me: Person) -> None:
    me.writes_file("apps/.gpg-id", f"{ME}\n{BOB}\n")
    me.git("add", "-A")
    me.git("commit", "-qm", "Bob reads apps")
    one, count = me.git("rev-parse", "HEAD:one.gpg"), int(me.git("rev-list", "--count", "HEAD"))
    done = me.flux("reencrypt")
    assert done.out == b"root store: 2 of 3 entries encrypted anew\n"
    assert me.git("rev-parse", "HEAD:one.gpg") == one
    assert int(me.git("rev-list", "--count", "HEAD")) == count + 1
    assert me.git("status", "--porcelain") == ""
    assert me.readers("apps/db") == me.readers("apps/prod/db") == {ME, BOB}
    assert me.readers("one") == {ME}
    assert me.can_read("apps/prod/db") == b"apps/prod/db\n"
    assert me.git("log", "-1", "--format=%B") == (
        "Re-encrypt 2 entries\n\n- apps/db\n- apps/prod/db"
    )
    assert me.flux("reencrypt").out == b"root store: 0 of 3 entries encrypted anew\n"
    assert int(me.git("rev-list", "--count", "HEAD")) == count + 1


def test_a_reader_that_no_keyring_knows_is_seen_and_removed(me: Person) -> None:
    stranger = me.gnupg.curve25519("stranger@example.org")
    (me.store / "one.gpg").write_bytes(me.gnupg.encrypt(b"one\n", [ME, stranger]))
    me.git("commit", "-qam", "A stranger too")
    me.gnupg.gpg("--yes", "--delete-secret-and-public-key", stranger)
    shown = me.flux("reencrypt", "--dry-run").out.decode()
    assert "one can be read by 0x" in shown
    assert "0 of 3 entries" in shown
    me.flux("reencrypt")
    assert me.readers("one") == {ME}


def test_a_link_is_followed_and_stays_a_link(me: Person) -> None:
    (me.store / "also.gpg").symlink_to("apps/db.gpg")
    me.git("add", "-A")
    me.git("commit", "-qm", "Link")
    me.writes_file("apps/.gpg-id", f"{ME}\n{BOB}\n")
    me.git("add", "-A")
    me.git("commit", "-qm", "Bob reads apps")
    me.flux("reencrypt", "also")
    assert (me.store / "also.gpg").is_symlink()
    assert me.readers("apps/db") == {ME, BOB}


def test_hidden_recipients_are_counted_and_never_called_fine(me: Person) -> None:
    (me.store / "one.gpg").write_bytes(me.gnupg.encrypt(b"one\n", [ME], "--throw-keyids"))
    (me.store / "apps/db.gpg").write_bytes(me.gnupg.encrypt(b"two\n", [ME, BOB], "--throw-keyids"))
    me.git("commit", "-qam", "Hidden")
    done = me.flux("reencrypt")
    assert done.out == b"root store: 1 of 3 entries encrypted anew\n"  # the count was wrong
    assert done.err == ""  # number and history of the other are right
    assert me.readers("apps/db") == {ME}
    assert me.flux("reencrypt", "--all", "one").out.endswith(b"1 of 1 entry encrypted anew\n")
    assert me.readers("one") == {ME}


def test_hidden_recipients_are_compared_with_whom_the_file_named_then(me: Person) -> None:
    me.writes_file(".gpg-id", f"{ME}\n{BOB}\n")
    to = {"one": [ME, BOB], "apps/db": [ME, BOB], "apps/prod/db": [ME, BOB]}
    for name, people in to.items():
        message = me.gnupg.encrypt(f"{name}\n".encode(), people, "--throw-keyids")
        (me.store / f"{name}.gpg").write_bytes(message)
    me.git("commit", "-qam", "Hidden")
    me.writes_file(".gpg-id", f"{ME}\n{EVE}\n")
    me.git("commit", "-qam", "Eve instead of Bob: as many")
    shown = me.flux("reencrypt", "--dry-run").out.decode()
    assert "one was written when others were named\n" in shown
    assert me.flux("reencrypt").out == b"root store: 3 of 3 entries encrypted anew\n"
    assert me.readers("one") == {ME, EVE}


def test_without_a_history_hidden_recipients_stay_a_warning(tmp_path: Path) -> None:
    with person(tmp_path / "me", [ME]) as one:
        one.passes("init", ME)
        (one.store / "one.gpg").write_bytes(one.gnupg.encrypt(b"1\n", [ME], "--throw-keyids"))
        done = one.flux("reencrypt")
        assert "1 entries do not name whom they are for, and have no history" in done.err


def test_nothing_is_changed_when_one_entry_cannot_be_decrypted(me: Person) -> None:
    me.writes_file(".gpg-id", f"{ME}\n{BOB}\n")
    (me.store / "apps/db.gpg").write_bytes(me.gnupg.encrypt(b"x\n", [EVE]))
    me.gnupg.gpg("--yes", "--delete-secret-keys", me.gnupg.fingerprint(EVE))
    me.git("commit", "-qam", "One that I cannot read")
    head = me.git("rev-parse", "HEAD")
    done = me.flux("reencrypt", check=False)
    assert done.code == 4
    assert (
        "1 of the entries cannot be decrypted; nothing was changed: apps/db: no private" in done.err
    )
    assert me.git("rev-parse", "HEAD") == head
    assert me.git("status", "--porcelain") == ""

    kept = me.flux("reencrypt", "--keep-going", check=False)
    assert kept.code == 4
    assert kept.out == (
        b"2 of them were done by a run that was interrupted\n"
        b"root store: 2 of 3 entries encrypted anew\n"
    )
    assert "error: apps/db: no private key for it here" in kept.err
    assert me.readers("one") == {ME, BOB}
    assert not (me.store / ".git" / PROGRESS).exists()


def test_progress_counts_only_for_the_same_text_and_the_same_people(me: Person) -> None:
    me.writes_file(".gpg-id", f"{ME}\n{BOB}\n")
    (me.store / "apps/db.gpg").write_bytes(b"damaged")
    me.git("commit", "-qam", "Bob too, and damage")
    me.flux("reencrypt", check=False)
    assert (me.store / ".git" / PROGRESS).exists()
    me.flux("store", "insert", "-f", "one", stdin=b"newer\n")
    me.writes_file(".gpg-id", f"{ME}\n{EVE}\n")
    me.git("commit", "-qam", "Eve instead of Bob")
    done = me.flux("reencrypt", "--keep-going", check=False)
    assert b"interrupted" not in done.out
    assert me.can_read("one") == b"newer\n"
    assert me.readers("one") == me.readers("apps/prod/db") == {ME, EVE}


def test_an_object_of_the_progress_that_is_gone_is_made_again(me: Person) -> None:
    me.writes_file(".gpg-id", f"{ME}\n{BOB}\n")
    (me.store / "apps/db.gpg").write_bytes(b"damaged")
    me.git("commit", "-qam", "Bob too, and damage")
    me.flux("reencrypt", check=False)
    me.git("prune", "--expire=now")
    done = me.flux("reencrypt", "--keep-going", check=False)
    assert done.out == b"root store: 2 of 3 entries encrypted anew\n"
    assert me.readers("one") == {ME, BOB}


def test_a_place_that_is_not_there_is_an_error(me: Person) -> None:
    done = me.flux("reencrypt", "app", check=False)
    assert (done.code, "there is no entry app, nor one below it" in done.err) == (4, True)


def test_a_folder_without_git_is_changed_file_by_file(tmp_path: Path) -> None:
    with person(tmp_path / "me", [ME, BOB]) as one:
        one.passes("init", ME)
        one.flux("store", "insert", "one", stdin=b"1\n")
        one.writes_file(".gpg-id", f"{ME}\n{BOB}\n")
        assert one.flux("reencrypt").out == b"root store: 1 of 1 entry encrypted anew\n"
        assert one.readers("one") == {ME, BOB}
        assert sorted(file.name for file in one.store.iterdir()) == [".gpg-id", "one.gpg"]


def test_pass_finds_nothing_left_to_do(me: Person) -> None:
    me.writes_file(".gpg-id", f"{ME}\n{BOB}\n")
    me.git("commit", "-qam", "Bob too")
    me.flux("reencrypt")
    head = me.git("rev-parse", "HEAD^{tree}")
    me.passes("init", ME, BOB)
    assert me.git("rev-parse", "HEAD^{tree}") == head
