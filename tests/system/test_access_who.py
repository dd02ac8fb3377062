"""`access who` and `what` of real stores: gpg's and age's keys, and whose they say they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulators.person import Done, Person, person

ME, BOB, EVE = "me@example.org", "bob@example.org", "eve@example.org"


@dataclass(frozen=True)
class Team:
    """I have a store that Bob reads too; Eve has a key."""

    me: Person
    bob: Person
    eve: Person

    def id(self, email: str) -> str:
        who = {ME: self.me, BOB: self.bob, EVE: self.eve}[email]
        return who.gnupg.fingerprint(email)


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with ExitStack() as stack:
        me, bob, eve = (
            stack.enter_context(person(tmp_path / email.partition("@")[0], [email]))
            for email in (ME, BOB, EVE)
        )
        me.knows(bob, BOB)
        me.makes_store(ME, BOB)
        me.has({"apps/db": b"db\n", "apps/prod/db": b"prod\n"}, [ME, BOB])
        yield Team(me, bob, eve)


def asked(who: Person, *words: str, check: bool = True) -> Done:
    return who.flux("access", *words, "--no-cluster", check=check)


def readers(who: Person, entry: str) -> dict[str, str]:
    """Give the keys that can read an entry, and whose each says it is."""
    tree: dict[str, Any] = json.loads(asked(who, "who", entry, "-o", "json").out)
    return {one["name"]: one.get("label", "") for one in tree["people"] if one["kind"] == "key"}


def test_pass_keeps_no_keys_and_the_keyring_says_whose_they_are(team: Team) -> None:
    assert readers(team.me, "apps/db") == {
        team.id(ME): f"Somebody <{ME}>", team.id(BOB): f"Somebody <{BOB}>",
    }  # fmt: skip
    table = asked(team.me, "who", "apps/db").out.decode()
    assert f"{team.id(BOB)} (Somebody <{BOB}>)" in table
    assert "nobody answers for it" in table


def test_somebody_without_the_keys_sees_ids_and_everybody_whom_messages_name(team: Team) -> None:
    eve = team.eve
    eve.run("git", "clone", "-q", team.me.store, eve.store)
    found = readers(eve, "apps/db")
    assert all(name == "" or "does not keep" in name for name in found.values())
    assert len(found) == 4  # two lines of the file, and two subkeys that nobody here knows


def test_a_store_that_keeps_keys_needs_no_keyring(team: Team) -> None:
    me, eve = team.me, team.eve
    for email in (ME, BOB):
        key = me.gnupg.public_key(email).decode()
        me.writes_file(f".public-keys/{email}", key)
    me.git("add", "-A")
    me.git("commit", "-qm", "Keys")
    eve.run("git", "clone", "-q", me.store, eve.store)
    assert set(readers(eve, "apps/db")) == {team.id(ME), team.id(BOB)}


def test_whom_a_message_is_for_counts_beside_the_file(team: Team) -> None:
    me = team.me
    me.knows(team.eve, EVE)
    me.has({"apps/db": b"db\n"}, [ME, EVE])
    found = asked(me, "who", "apps/db", "-o", "json")
    tree = json.loads(found.out)
    keys = {one["name"]: one["way"][-1]["why"] for one in tree["people"] if one["kind"] == "key"}
    eves = next(why for name, why in keys.items() if name not in {team.id(ME), team.id(BOB)})
    assert "which the recipients file does not name" in eves
    assert [note.split()[-2] for note in tree["notes"]] == [f"<{BOB}>"]
    assert "not encrypted to" in tree["notes"][0]


def test_what_is_committed_counts(team: Team) -> None:
    """A file that is changed and not committed reaches nobody; nor is a message changed by it."""
    me, bob = team.me, team.id(BOB)

    def why() -> str:
        tree = json.loads(asked(me, "who", "apps/db", "-o", "json").out)
        (one,) = [one for one in tree["people"] if one["name"] == bob]
        return str(one["way"][-1]["why"])

    me.writes_file("apps/.gpg-id", f"{team.id(ME)}\n")
    assert why() == "it is the nearest recipients file"
    me.git("add", "-A")
    me.git("commit", "-qm", "Mine alone")
    assert why() == "it is encrypted to this key, which the recipients file does not name"
    me.has({"apps/db": b"db\n"}, [ME])
    assert bob not in readers(me, "apps/db")


def test_who_answers_is_told_from_the_owners_file(team: Team) -> None:
    me = team.me
    me.writes_file(".flux-secret/owners.yaml", (
        f"version: 1\nowners:\n  bob: {{keys: ['openpgp:{team.id(BOB)}']}}\n"
        "paths:\n  apps/prod: {owners: [bob]}\n"
    ))  # fmt: skip
    me.git("add", "-A")
    me.git("commit", "-qm", "Owners")
    said = asked(me, "who", "apps/prod/db").out.decode()
    assert said.startswith("bob answers for it: .flux-secret/owners.yaml, apps/prod\n")
    what = asked(me, "what", "bob").out.decode()
    assert "answers for apps/prod/db (.flux-secret/owners.yaml, apps/prod)" in what
    me.writes_file(".flux-secret/owners.yaml", "version: 7\n")
    me.git("commit", "-qam", "Broken")
    assert "owners.yaml" in asked(me, "who", "apps/db").err


def test_what_names_a_person_a_key_or_its_end(team: Team) -> None:
    whole = team.id(BOB)
    for name in (BOB, whole, whole[-16:], f"0x{whole[-16:].lower()}", whole[-8:]):
        said = asked(team.me, "what", name).out.decode()
        assert ("entry apps/db" in said, "entry apps/prod/db" in said) == (True, True), name


def test_a_store_without_a_repository_is_read_as_it_lies_there(team: Team, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / ".gpg-id").write_text(f"{team.id(ME)}\n")
    (plain / "db.gpg").write_bytes(team.me.gnupg.encrypt(b"x\n", [ME]))
    done = asked(team.me, "who", "mine/db", f"--store=mine={plain}", "-o", "json")
    assert any(one["name"] == team.id(ME) for one in json.loads(done.out)["people"])


def test_an_age_store_names_its_recipients_by_their_keys(team: Team, tmp_path: Path) -> None:
    key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN bob@pc"
    place = tmp_path / "age"
    place.mkdir()
    (place / ".age-recipients").write_text(f"{key}\n{ssh}\n")
    (place / "db.age").write_bytes(b"age-encryption.org/v1\n-> X25519 x\ny\n--- z\n")
    done = asked(team.me, "who", "mine/db", f"--store=mine={place}", "-o", "json")
    people = {one["name"]: one.get("label", "") for one in json.loads(done.out)["people"]}
    assert people[key] == ""
    assert people[" ".join(ssh.split()[:2])] == "bob@pc"


def test_what_is_not_there_is_told_with_what_is_like_it(team: Team) -> None:
    wrong = asked(team.me, "who", "apps/bd", check=False)
    assert (wrong.code, "did you mean apps/db" in wrong.err) == (2, True)
    nobody = asked(team.me, "what", "mallory", check=False)
    assert (nobody.code, "no person, key or App mallory" in nobody.err) == (2, True)


def test_no_passphrase_is_asked_for_and_nothing_decrypted(team: Team) -> None:
    """The private keys may be anywhere else."""
    me = team.me
    for file in (me.gnupg.path / "private-keys-v1.d").iterdir():
        file.unlink()
    assert team.id(BOB) in readers(me, "apps/db")
