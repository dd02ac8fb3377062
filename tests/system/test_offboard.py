"""Somebody leaves, or a key is lost: what they know, down to nothing; by real gpg, age, gopass."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulators.person import Person, person

ME, BOB, EVE = "me@example.org", "bob@example.org", "bobby@example.org"
PEM = b"-----BEGIN KEY-----\n%s\n-----END KEY-----\n"


@pytest.fixture
def me(tmp_path: Path, gopass: Path) -> Iterator[Person]:
    with person(tmp_path / "me", [ME, BOB, EVE], gopass=gopass) as made:
        for other in (BOB, EVE):
            made.gnupg.gpg("--yes", "--delete-secret-keys", made.gnupg.fingerprint(other))
        made.gopasses("config", "core.autopush", "false")
        made.makes_store(ME)
        made.has({"mine": b"pw0\n", "apps/db": b"pw1\nuser: joe\n", "apps/key": PEM % b"AAAA",
                  "apps/bare": b"\nuser: joe\ntoken: t1\n"}, [ME])  # fmt: skip
        made.flux("recipients", "add", BOB, "--folder", "apps", "--yes")
        yield made


def asked(one: Person, *words: str, code: int = 1) -> dict[str, Any]:
    done = one.flux("offboard", *words, "-o", "json", check=False)
    assert done.code == code, done.err or done.out
    told: dict[str, Any] = json.loads(done.out)
    return told


def due(one: Person, *words: str, code: int = 1) -> list[str]:
    told = asked(one, *words, code=code)
    return [item["entry"] for store in told["stores"] for item in store["values"] if item["due"]]


def changed(one: Person, name: str, text: bytes) -> None:
    one.flux("store", "insert", "-f", name, stdin=text)


def test_the_list_goes_down_to_nothing_as_values_are_changed(me: Person) -> None:
    """By flux-secret, by gopass and by pass; and taking Bob out is a part of it, and not enough."""
    me.flux("store", "mv", "apps/db", "apps/moved")
    first = me.flux("offboard", BOB, check=False)
    assert first.code == 1
    shown = first.out.decode()
    assert "they could decrypt 4 versions of 4 entries" in shown
    assert "remove   apps" in shown
    assert "--remove" in first.err
    assert "is not enough" in first.err
    assert "4 things left" in first.err

    done = me.flux("offboard", BOB, "--remove", "--yes", check=False)
    assert (done.code, "3 things left" in done.err) == (1, True), done.err
    assert me.readers("apps/moved") == {ME}
    assert due(me, BOB) == ["apps/bare", "apps/key", "apps/moved"]

    changed(me, "apps/moved", b"new\nuser: joe\n")
    assert due(me, BOB) == ["apps/bare", "apps/key"]
    me.gopasses("insert", "-m", "-f", "apps/key", stdin=PEM % b"BBBB")
    assert due(me, BOB) == ["apps/bare"]
    me.passes("insert", "-m", "-f", "apps/bare", stdin=b"\nuser: joe\ntoken: t2\n")
    told = asked(me, BOB, code=0)
    assert told["left"] == 0
    assert [item["what"] for item in told["stores"][0]["values"]] == [["user"], ["user"]]
    ended = me.flux("offboard", BOB)
    assert "nothing is left to do" in ended.err

    changed(me, "elsewhere", b"pw1\n")
    assert due(me, BOB) == ["elsewhere"], "a value that comes back is known, under any name"


def test_everything_that_names_a_person_leads_to_their_key(me: Person) -> None:
    bob = me.gnupg.fingerprint(BOB)
    listed = me.gnupg.gpg("--with-colons", "--list-keys", bob).decode().splitlines()
    subkey = next(line.split(":")[4] for line in listed if line.startswith("sub:"))
    for text in (BOB, bob, bob.lower(), f"0x{bob[-16:]}", bob[-16:], subkey, f"<{BOB}>"[1:-1]):
        told = asked(me, text)
        assert [key["fingerprint"] for key in told["stores"][0]["keys"]] == [bob], text
        assert told["left"] == 4, text


@pytest.mark.parametrize("is_in_history", [True, False])
def test_a_key_that_nobody_has_any_more(me: Person, *, is_in_history: bool) -> None:
    """It left long ago; no keyring has it, and the store's copy went with it."""
    bob = me.gnupg.fingerprint(BOB)
    if not is_in_history:
        me.git("rm", "-q", "-r", ".public-keys")
        me.git("commit", "-q", "--amend", "-m", "Never was there")
    me.flux("recipients", "remove", BOB, "--folder", "apps", "--yes")
    me.gnupg.gpg("--yes", "--delete-keys", bob)
    assert not (me.store / ".public-keys" / f"0x{bob[-16:]}").exists()
    for text in (bob, bob[-16:], *([BOB] if is_in_history else [])):
        assert due(me, text) == ["apps/bare", "apps/db", "apps/key"], text
    changed(me, "apps/bare", b"\ntoken: t2\n")
    changed(me, "apps/db", b"new\n")
    changed(me, "apps/key", PEM % b"C")
    assert due(me, bob, code=0) == []


def test_what_is_encrypted_to_them_all_the_same_is_to_be_mended(me: Person) -> None:
    me.flux("recipients", "remove", BOB, "--folder", "apps", "--yes")
    (me.store / "mine.gpg").write_bytes(me.gnupg.encrypt(b"pw0\n", [ME, BOB]))
    me.git("commit", "-qam", "By hand")
    told = asked(me, BOB)
    assert told["stores"][0]["encrypted_all_the_same"] == ["mine"]
    assert "mine" in due(me, BOB)
    me.flux("reencrypt")
    assert asked(me, BOB)["stores"][0]["encrypted_all_the_same"] == []


def test_hidden_recipients_and_what_i_cannot_read_count_as_known(me: Person) -> None:
    (me.store / "apps/db.gpg").write_bytes(me.gnupg.encrypt(b"pw9\n", [ME, BOB], "--throw-keyids"))
    (me.store / "apps/theirs.gpg").write_bytes(me.gnupg.encrypt(b"x\n", [BOB]))
    me.git("add", "-A")
    me.git("commit", "-qm", "Hidden, and theirs")
    values = {item["entry"]: item for item in asked(me, BOB)["stores"][0]["values"]}
    assert values["apps/db"]["certain"] is True
    assert (values["apps/theirs"]["certain"], values["apps/theirs"]["due"]) == (False, True)
    assert b"apps/theirs   everything ?" in me.flux("offboard", BOB, check=False).out


def test_a_subkey_that_nobody_knows_any_more_counts_as_theirs_where_they_were_named(
    me: Person,
) -> None:
    """Bob had another subkey once; only the message of then names it."""
    bob = me.gnupg.fingerprint(BOB)
    (me.store / "apps/db.gpg").write_bytes(me.gnupg.encrypt(b"pw7\n", [ME, EVE]))
    me.git("commit", "-qam", "To what was Bob's then")
    (me.store / "mine.gpg").write_bytes(me.gnupg.encrypt(b"pw8\n", [ME, EVE]))
    me.git("commit", "-qam", "The same, where Bob was never named")
    me.flux("recipients", "remove", BOB, "--folder", "apps", "--yes")
    me.gnupg.gpg("--yes", "--delete-keys", me.gnupg.fingerprint(EVE))
    changed(me, "apps/key", PEM % b"C")
    changed(me, "apps/bare", b"\ntoken: t2\n")
    assert due(me, bob) == ["apps/db"]


def test_owners_and_what_is_not_known_are_told(me: Person) -> None:
    me.writes_file(".flux-secret/owners.yaml", f"""\
version: 1
owners:
  alice: {{keys: ["openpgp:{me.gnupg.fingerprint(ME)}"], contact: alice@example.org}}
paths:
  apps: {{owners: [alice], contact: "#team"}}
""")  # fmt: skip
    me.git("add", "-A")
    me.git("commit", "-qm", "Owners")
    told = asked(me, BOB)
    value = next(one for one in told["stores"][0]["values"] if one["entry"] == "apps/db")
    assert (value["owners"], value["contacts"]) == (["alice"], ["#team", "alice@example.org"])
    assert (value["delivered"], bool(told["deliveries_unknown"])) == (None, True)
    ever = {one["entry"]: one["versions"] for one in told["stores"][0]["ever"]}
    assert ever == {"apps/bare": 1, "apps/db": 1, "apps/key": 1}


def test_age_stores_tell_the_same(me: Person) -> None:
    if shutil.which("age-keygen") is None:
        pytest.skip("no age here")
    me.env.update(GOPASS_HOMEDIR=str(me.home), PASSWORD_STORE_DIR="", GOPASS_AGE_PASSWORD="horse")
    me.flux("store", "init", "--crypto", "age", "--mount", "new")
    me.run("age-keygen", "-o", "bob.txt")
    bob = me.run("age-keygen", "-y", "bob.txt").out.decode().strip()
    me.flux("store", "insert", "new/old", stdin=b"a\n")
    me.flux("recipients", "add", bob, "--store", "new", "--yes")
    me.flux("store", "insert", "new/db", stdin=b"b\n")
    assert due(me, bob) == ["new/db", "new/old"]
    done = me.flux("offboard", bob, "--remove", "--yes", check=False)
    assert (done.code, "2 things left" in done.err) == (1, True), done.err
    changed(me, "new/db", b"c\n")
    me.gopasses("insert", "-f", "new/old", stdin=b"d\n")
    assert due(me, bob, code=0) == []


def test_what_is_wrong_is_said(me: Person) -> None:
    me.flux("recipients", "add", EVE, "--folder", "other", "--yes")
    for words, says in (
        (["nobody@example.org"], "no store of yours ever knew"),
        (["0123456789ABCDEF"], "no store of yours ever knew"),
        (["b"], "means 3 keys"),
        ([""], "nobody is named"),
        ([BOB, "--store", "apps/db"], "is no store"),
        ([BOB, "--remove"], "--yes"),
    ):
        done = me.flux("offboard", *words, check=False)
        assert (done.code, says in done.err) == (2, True), done.err
    assert BOB in me.readers("apps/db"), "nothing was changed"


def test_a_key_of_an_entry_without_a_password_may_be_called_harmless(me: Person) -> None:
    me.flux("recipients", "remove", BOB, "--folder", "apps", "--yes")
    changed(me, "apps/bare", b"\nuser: joe\ntoken: t1\nmore: x\n")
    assert "apps/bare" in due(me, BOB)
    assert "apps/bare" not in due(me, BOB, "--harmless", "token")


def test_a_folder_without_history_forgets_and_what_they_know_is_told_once(me: Person) -> None:
    shutil.rmtree(me.store / ".git")
    done = me.flux("offboard", BOB, "--remove", "--yes", check=False)
    assert (done.code, "3 things left" in done.err) == (1, True), done.err
    assert me.readers("apps/db") == {ME}
    assert me.flux("offboard", BOB, check=False).code == 2, "nothing there knows him any more"
    aged = me.flux("age", "--due", check=False)
    assert (aged.code, "has no git history" in aged.err) == (3, True), aged.err
