"""Who can read what is changed with everything that goes with it, and others agree."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulators.person import Person, person

ME, BOB, EVE = "me@example.org", "bob@example.org", "eve@example.org"
ENTRIES = ("apps/db", "apps/prod/db", "one")


@dataclass(frozen=True)
class Team:
    """People who each have their own machine and key; I know the others' public keys."""

    me: Person
    bob: Person
    eve: Person

    def clones(self, who: Person) -> Person:
        """Give somebody a fresh clone of my store."""
        shutil.rmtree(who.store, ignore_errors=True)
        who.run("git", "clone", "-q", self.me.store, who.store)
        return who

    def reads(self, who: Person, name: str) -> bool:
        """Say whether somebody's own gpg opens an entry of my store."""
        file = str(self.me.store / f"{name}.gpg")
        return who.gnupg.gpg("--decrypt", file, fail=True) != b""


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with ExitStack() as stack:
        me, bob, eve = (
            stack.enter_context(person(tmp_path / email.partition("@")[0], [email]))
            for email in (ME, BOB, EVE)
        )
        for other, email in ((bob, BOB), (eve, EVE)):
            me.knows(other, email)
        me.makes_store(ME)
        me.has({name: f"{name}\n".encode() for name in ENTRIES}, [ME])
        yield Team(me, bob, eve)


def test_adding_is_one_commit_with_file_key_and_entries(team: Team) -> None:
    me, before = team.me, team.me.commits
    done = me.flux("recipients", "add", BOB, "--yes")
    key = f"0x{me.gnupg.fingerprint(BOB)[-16:]}"
    assert f"+ {key} Somebody <{BOB}>".encode() in done.out
    assert me.commits == before + 1
    assert me.git("status", "--porcelain") == ""
    assert (me.store / ".gpg-id").read_text() == f"{ME}\n{key}\n"
    for written, email in ((key, BOB), (ME, ME)):
        exported = me.gnupg.public_key(email)
        assert (me.store / ".public-keys" / written).read_bytes() == exported
    assert all(team.reads(team.bob, name) for name in ENTRIES)
    assert all(me.readers(name) == {ME, BOB} for name in ENTRIES)


def test_a_folder_gets_recipients_of_its_own_from_those_above_it(team: Team) -> None:
    me = team.me
    me.flux("recipients", "add", BOB, "--yes")
    one = me.git("rev-parse", "HEAD:one.gpg")
    shown = me.flux("recipients", "add", EVE, "--folder", "apps/prod", "--yes").out.decode()
    assert "apps/prod/.gpg-id is made; it takes the place of .gpg-id there" in shown
    assert me.readers("apps/prod/db") == {ME, BOB, EVE}
    assert me.readers("apps/db") == {ME, BOB}
    assert me.git("rev-parse", "HEAD:one.gpg") == one
    listed = json.loads(me.flux("recipients", "ls", "--json").out)
    assert [(one["folder"], one["entries"]) for one in listed] == [
        ("", ["apps/db", "one"]),
        ("apps/prod", ["apps/prod/db"]),
    ]
    assert b"apps/prod: 1 entry" in me.flux("recipients", "ls", "apps/prod").out

    me.flux("recipients", "remove", "--inherit", "--folder", "apps/prod", "--yes")
    assert me.readers("apps/prod/db") == {ME, BOB}
    assert not (me.store / "apps/prod/.gpg-id").exists()
    assert me.git("status", "--porcelain") == ""


def test_removing_takes_the_key_along_and_says_where_they_still_are(team: Team) -> None:
    me = team.me
    me.flux("recipients", "add", BOB, EVE, "--yes")
    me.flux("recipients", "remove", EVE, "--folder", "apps/prod", "--yes")
    before = me.commits
    done = me.flux("recipients", "remove", BOB, "--yes")
    assert "still a recipient of apps/prod" in done.err
    assert me.commits == before + 1
    assert me.readers("one") == {ME, EVE}
    assert me.readers("apps/prod/db") == {ME, BOB}
    key = f"0x{me.gnupg.fingerprint(BOB)[-16:]}"
    assert (me.store / ".public-keys" / key).exists()  # apps/prod names it

    me.flux("recipients", "remove", key, "--folder", "apps/prod", "--yes")
    assert not (me.store / ".public-keys" / key).exists()
    assert not any(team.reads(team.bob, name) for name in ENTRIES)
    assert me.git("status", "--porcelain") == ""


def test_everywhere_means_every_folder_by_whatever_id(team: Team) -> None:
    me = team.me
    me.flux("recipients", "add", BOB, "--yes")
    me.flux("recipients", "add", EVE, "--folder", "apps", "--yes")
    text = (me.store / "apps/.gpg-id").read_text()
    key = f"0x{me.gnupg.fingerprint(BOB)[-16:]}"
    me.writes_file("apps/.gpg-id", text.replace(key, me.gnupg.fingerprint(BOB)))
    me.git("commit", "-qam", "The same by another id")
    before = me.commits
    me.flux("recipients", "remove", BOB, "--everywhere", "--yes")
    assert me.commits == before + 1
    assert not any(team.reads(team.bob, name) for name in ENTRIES)
    assert me.readers("apps/db") == {ME, EVE}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("add",), 2, "nobody is named"),
        (("add", "nobody@example.org"), 4, "nobody@example.org is not in your keyring"),
        (("add", "example.org"), 4, "example.org names 3 keys"),
        (("add", BOB), 2, "nobody can be asked here, and nothing was changed"),
        (("remove", EVE), 2, "'eve@example.org' is no recipient of the root store"),
        (("remove", ME), 4, "nobody could read the root store any more"),
        (("remove",), 2, "nobody is named"),
        (("remove", "--inherit"), 2, "has no recipients of its own"),
        (("remove", "--inherit", "--folder", "apps"), 2, "has no recipients of its own"),
        (("add", BOB, "--folder", "apps/.git"), 2, "starts with a dot"),
        (("add", BOB, "--folder", "../x"), 2, "is not an entry name"),
    ],
)
def test_what_is_refused_changes_nothing(
    team: Team, words: tuple[str, ...], code: int, says: str
) -> None:
    head = team.me.git("rev-parse", "HEAD")
    yes = () if words == ("add", BOB) else ("--yes",)
    done = team.me.flux("recipients", *words, *yes, check=False)
    assert (done.code, says in done.err) == (code, True), done.err
    assert team.me.git("rev-parse", "HEAD") == head
    assert team.me.git("status", "--porcelain") == ""


def test_an_address_that_two_recipients_share_removes_neither(team: Team) -> None:
    me = team.me
    uid = (f"Bobby <{BOB}>", "ed25519", "cert,sign", "0")
    me.gnupg.gpg("--passphrase", "", "--yes", "--quick-generate-key", *uid)
    both = me.gnupg.gpg("--with-colons", "--list-keys", BOB).decode().splitlines()
    prints = [b.split(":")[9] for a, b in itertools.pairwise(both) if a.startswith("pub")]
    assert len(prints) == 2
    for one in prints:
        me.gnupg.gpg("--passphrase", "", "--quick-add-key", one, "cv25519", "encr", "0", fail=True)
    me.writes_file(".gpg-id", f"{ME}\n" + "".join(f"{one}\n" for one in prints))
    me.git("commit", "-qam", "Both")
    done = me.flux("recipients", "remove", BOB, "--yes", check=False)
    assert (done.code, "means 2 recipients of the root store" in done.err) == (2, True)


def test_removing_yourself_takes_a_word_of_its_own(team: Team) -> None:
    me = team.me
    me.flux("recipients", "add", BOB, "--yes")
    done = me.flux("recipients", "remove", ME, "--yes", check=False)
    assert (done.code, "you could not read the root store yourself" in done.err) == (4, True)
    me.flux("recipients", "remove", ME, "--yes", "--myself")
    assert me.readers("one") == {BOB}


def test_a_dry_run_says_all_and_changes_nothing(team: Team) -> None:
    head = team.me.git("rev-parse", "HEAD")
    done = team.me.flux("recipients", "add", BOB, "--dry-run")
    assert b"3 entries to encrypt anew: apps/db, apps/prod/db, one" in done.out
    assert team.me.git("rev-parse", "HEAD") == head
    assert team.me.git("status", "--porcelain") == ""


def test_a_key_file_is_enough_and_the_keyring_stays_as_it_is(team: Team, tmp_path: Path) -> None:
    me = team.me
    me.gnupg.gpg("--yes", "--delete-keys", me.gnupg.fingerprint(BOB))
    file = tmp_path / "bob.asc"
    file.write_bytes(team.bob.gnupg.public_key(BOB))
    wrong = me.flux("recipients", "add", EVE, "--key", str(file), "--yes", check=False)
    assert (wrong.code, "and not 'eve@example.org'" in wrong.err) == (2, True)

    me.flux("recipients", "add", "--key", str(file), "--yes")
    assert team.reads(team.bob, "one")
    assert BOB.encode() not in me.gnupg.gpg("--list-keys")
    assert me.flux("reencrypt").out.startswith(b"root store: 0 of 3")
    me.flux("store", "insert", "two", stdin=b"2\n")
    assert team.reads(team.bob, "two")

    me.flux("recipients", "update", "--import")
    assert BOB.encode() in me.gnupg.gpg("--list-keys")


@pytest.mark.parametrize("what", ["two keys", "a private key", "no key"])
def test_a_key_file_must_hold_one_public_key(team: Team, tmp_path: Path, what: str) -> None:
    file = tmp_path / "key"
    if what == "two keys":
        file.write_bytes(team.me.gnupg.public_key(BOB) + team.me.gnupg.public_key(EVE))
    elif what == "a private key":
        file.write_bytes(team.bob.gnupg.private_key(BOB))
    else:
        file.write_bytes(b"\x99\x01\xff" * 100)
    done = team.me.flux("recipients", "add", "--key", str(file), "--yes", check=False)
    assert (done.code, "public keys, where one is wanted" in done.err) == (2, True), done.err


def test_a_renewed_key_goes_into_the_store_and_never_an_older_one(team: Team) -> None:
    me, bob = team.me, team.bob
    me.flux("recipients", "add", BOB, "--yes")
    path = me.store / ".public-keys" / f"0x{me.gnupg.fingerprint(BOB)[-16:]}"
    old = path.read_bytes()
    assert me.flux("recipients", "update").out == b""
    later = ("--faked-system-time", "20401231T000000!")
    bob.gnupg.gpg(*later, "--quick-set-expire", bob.gnupg.fingerprint(BOB), "1y")
    me.gnupg.gpg(*later, "--import", stdin=bob.gnupg.public_key(BOB))
    done = me.flux("recipients", "update")
    assert BOB.encode() in done.out
    renewed = path.read_bytes()
    assert renewed != old
    assert me.git("status", "--porcelain") == ""

    me.gnupg.gpg("--yes", "--delete-keys", me.gnupg.fingerprint(BOB))
    me.gnupg.gpg("--import", stdin=old)
    done = me.flux("recipients", "update")
    assert "is newer than in your keyring: --import takes it" in done.err
    assert path.read_bytes() == renewed


def test_the_whole_fingerprint_or_one_subkey_may_be_written(team: Team) -> None:
    me = team.me
    me.flux("recipients", "add", BOB, "--fingerprint", "--yes")
    assert me.gnupg.fingerprint(BOB) in (me.store / ".gpg-id").read_text()
    assert (me.store / ".public-keys" / me.gnupg.fingerprint(BOB)).exists()
    listing = me.gnupg.gpg("--with-colons", "--list-keys", EVE).decode()
    subkey = next(line.split(":")[4] for line in listing.splitlines() if line.startswith("sub:"))
    me.flux("recipients", "add", f"{subkey}!", "--yes")
    assert f"0x{subkey}!\n" in (me.store / ".gpg-id").read_text()
    assert me.readers("one") == {ME, BOB, EVE}
    done = me.flux("recipients", "add", EVE, "--yes")
    assert done.out == b"all of them are recipients of the root store already\n"


def test_one_whose_key_is_revoked_holds_changes_up_until_they_are_taken_out(team: Team) -> None:
    me = team.me
    me.flux("recipients", "add", BOB, "--yes")
    bob = me.gnupg.fingerprint(BOB)
    revocation = (team.bob.gnupg.path / "openpgp-revocs.d" / f"{bob}.rev").read_text()
    me.gnupg.gpg("--import", stdin=revocation.replace(":-----", "-----").encode())
    done = me.flux("recipients", "add", EVE, "--yes", check=False)
    assert (done.code, f"Somebody <{BOB}> is revoked" in done.err) == (4, True), done.err
    assert b"REVOKED" in me.flux("recipients", "ls").out
    assert me.git("status", "--porcelain") == ""
    me.flux("recipients", "remove", BOB, "--yes")
    me.flux("recipients", "add", EVE, "--yes")
    assert me.readers("one") == {ME, EVE}
