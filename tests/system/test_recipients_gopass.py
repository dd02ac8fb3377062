"""The real gopass 1.16 and pass agree with what we did about recipients, and we with them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulators.person import Person, person

ME, BOB, EVE = "me@example.org", "bob@example.org", "eve@example.org"
ENTRIES = {"one": b"pw1\nuser: joe\n", "apps/db": b"pw2\n", "apps/prod/db": b"\xff\x00\n"}


@dataclass(frozen=True)
class Team:
    """People who each have their own machine, key and gopass."""

    me: Person
    bob: Person

    def bob_clones(self) -> Person:
        shutil.rmtree(self.bob.store, ignore_errors=True)
        self.bob.run("git", "clone", "-q", self.me.store, self.bob.store)
        return self.bob

    def findings(self) -> set[tuple[str, str]]:
        done = self.me.flux("store", "check", "--decrypt", "--json", check=False)
        return {(one["kind"], one["place"]) for one in json.loads(done.out)}


@pytest.fixture
def team(tmp_path: Path, gopass: Path) -> Iterator[Team]:
    with ExitStack() as stack:
        me, bob, eve = (
            stack.enter_context(person(tmp_path / email.partition("@")[0], [email], gopass=gopass))
            for email in (ME, BOB, EVE)
        )
        me.knows(bob, BOB)
        me.knows(eve, EVE)
        bob.knows(me, ME)
        bob.knows(eve, EVE)
        me.makes_store(ME)
        me.gopasses("config", "core.autopush", "false")
        me.has(ENTRIES, [ME])
        yield Team(me, bob)


def test_gopass_lists_reads_and_checks_what_we_added(team: Team) -> None:
    me = team.me
    me.flux("recipients", "add", BOB, "--yes")
    me.flux("recipients", "add", EVE, "--folder", "apps/prod", "--yes")
    tree = me.gopasses("recipients").out.decode()
    assert tree.count(f"0x{me.gnupg.fingerprint(BOB)[-16:]} - Somebody <{BOB}>") == 2
    assert tree.count(f"0x{me.gnupg.fingerprint(EVE)[-16:]} - Somebody <{EVE}>") == 1
    commits = me.commits
    checked = me.gopasses("fsck")
    assert "Missing" not in checked.err + checked.out.decode()
    assert "Extra" not in checked.err + checked.out.decode()
    assert me.commits == commits
    assert me.git("status", "--porcelain") == ""
    bob = team.bob_clones()
    for name, text in ENTRIES.items():
        assert bob.gopasses("show", "-n", name).out.rstrip(b"\n") == text.rstrip(b"\n")
        assert bob.passes("show", name).out == text
        assert bob.flux("store", "show", name).out == text


def test_gopass_writes_on_for_those_we_added(team: Team) -> None:
    me = team.me
    me.flux("recipients", "add", BOB, "--yes")
    me.flux("recipients", "add", EVE, "--folder", "apps/prod", "--yes")
    me.gopasses("insert", "-f", "apps/prod/new", stdin=b"new\n")
    me.gopasses("insert", "-f", "apps/db", stdin=b"newer\n")
    assert me.readers("apps/prod/new") == {ME, BOB, EVE}
    assert me.readers("apps/db") == {ME, BOB}
    assert team.findings() == set()


def test_what_gopass_adds_is_right_by_our_check(team: Team) -> None:
    me = team.me
    me.gopasses("--yes", "recipients", "add", "--force", me.gnupg.fingerprint(BOB))
    assert me.readers("one") == {ME, BOB}
    assert team.findings() == set()
    assert b"0 of 3 entries" in me.flux("reencrypt").out
    bob = team.bob_clones()
    assert bob.flux("store", "show", "one").out == ENTRIES["one"]


def test_what_gopass_removes_is_found_where_it_leaves_something(team: Team) -> None:
    me = team.me
    me.flux("recipients", "add", BOB, "--yes")
    me.flux("recipients", "add", EVE, "--folder", "apps/prod", "--yes")
    me.gopasses("--yes", "recipients", "remove", "--force", f"0x{me.gnupg.fingerprint(BOB)[-16:]}")
    assert me.readers("one") == {ME}
    assert me.readers("apps/prod/db") == {ME, BOB, EVE}  # that file is edited by hand in gopass
    left = team.findings()
    assert left <= {("export-of-nobody", f".public-keys/0x{me.gnupg.fingerprint(BOB)[-16:]}")}
    me.flux("recipients", "remove", BOB, "--folder", "apps/prod", "--yes")
    assert me.readers("apps/prod/db") == {ME, EVE}


def test_a_move_by_gopass_into_other_recipients_is_found_and_mended(team: Team) -> None:
    me = team.me
    me.flux("recipients", "add", BOB, "--folder", "apps", "--yes")
    me.gopasses("mv", "apps/db", "moved")
    me.gopasses("cp", "one", "apps/copied")
    assert team.findings() == {("readers", "moved"), ("readers", "apps/copied")}
    assert b"2 of 4 entries encrypted anew" in me.flux("reencrypt").out
    assert team.findings() == set()
    assert me.readers("moved") == {ME}
    assert me.readers("apps/copied") == {ME, BOB}


def test_what_gopass_could_not_encrypt_for_somebody_is_found(team: Team) -> None:
    """gopass drops a recipient whose key is not in the keyring, and exits with 0."""
    me = team.me
    me.flux("recipients", "add", BOB, "--yes")
    me.gnupg.gpg("--yes", "--delete-keys", me.gnupg.fingerprint(BOB))
    me.gopasses("insert", "-f", "two", stdin=b"2\n")
    assert me.readers("two") == {ME}
    found = {place for kind, place in team.findings() if kind == "readers"}
    assert found == {"two"}
    me.flux("reencrypt", "two")  # with the key that the store has of Bob
    assert team.bob_clones().flux("store", "show", "two").out == b"2\n"


def test_gopass_and_we_agree_on_links(team: Team) -> None:
    me = team.me
    me.gopasses("link", "one", "also")
    me.flux("recipients", "add", BOB, "--yes")
    assert (me.store / "also.gpg").is_symlink()
    assert me.readers("one") == {ME, BOB}
    assert me.gopasses("show", "-o", "also").out == b"pw1"
    assert team.findings() == set()


def test_pass_reads_and_re_encrypts_and_nothing_is_left_to_do(team: Team) -> None:
    me = team.me
    me.flux("recipients", "add", BOB, "--yes")
    me.flux("recipients", "add", EVE, "--folder", "apps/prod", "--yes")
    key = f"0x{me.gnupg.fingerprint(BOB)[-16:]}"
    entries = me.git("ls-tree", "-r", "HEAD", "one.gpg", "apps/db.gpg", "apps/prod/db.gpg")
    me.passes("init", ME, key)
    assert me.git("ls-tree", "-r", "HEAD", "one.gpg", "apps/db.gpg", "apps/prod/db.gpg") == entries
    me.passes("init", "-p", "apps", ME)
    assert me.readers("apps/db") == {ME}
    assert team.findings() == set()
    me.passes("mv", "apps/db", "moved")
    assert team.findings() == {("readers", "moved")}  # pass encrypts to no key that is not trusted
    me.passes("mv", "moved", "apps/db")
    me.gnupg.gpg("--quick-lsign-key", me.gnupg.fingerprint(BOB))
    me.passes("mv", "apps/db", "moved")
    assert me.readers("moved") == {ME, BOB}
    assert team.findings() == set()


def test_recipients_that_gopass_checks_are_respected_and_accepted_with_our_change(
    team: Team,
) -> None:
    me = team.me
    me.gopasses("config", "recipients.check", "true")
    me.gopasses("recipients", "ack")
    me.flux("recipients", "add", BOB, "--yes")
    me.gopasses("insert", "-f", "two", stdin=b"2\n")
    assert me.readers("two") == {ME, BOB}
    (me.store / ".gpg-id").write_text((me.store / ".gpg-id").read_text() + f"{EVE}\n")
    me.git("commit", "-qam", "Somebody adds somebody")
    for words in (
        ("store", "insert", "three"),
        ("reencrypt",),
        ("recipients", "add", EVE, "--yes"),
    ):
        done = me.flux(*words, stdin=b"3\n", check=False)
        assert (done.code, "are not the ones that you have accepted" in done.err) == (6, True)
    assert not (me.store / "three.gpg").exists()
