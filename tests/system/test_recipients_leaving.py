"""Who leaves could read this, and knows it until it is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulators.person import Person, person

ME, BOB = "me@example.org", "bob@example.org"


@pytest.fixture
def me(tmp_path: Path) -> Iterator[Person]:
    with person(tmp_path / "me", [ME, BOB]) as made:
        made.gnupg.gpg("--yes", "--delete-secret-keys", made.gnupg.fingerprint(BOB))
        made.makes_store(ME)
        made.has({"one": b"pw1\nuser: joe\n", "apps/db": b"pw2\n", "apps/old": b"pw3\n"}, [ME])
        made.flux("recipients", "add", BOB, "--folder", "apps", "--yes")
        yield made


def unchanged(one: Person, *words: str) -> list[dict[str, Any]]:
    done = one.flux("recipients", "remove", BOB, "--json", *words)
    told: dict[str, Any] = json.loads(done.out)
    listed: list[dict[str, Any]] = told["unchanged"]
    return listed


def names(listed: list[dict[str, Any]]) -> list[str]:
    return [item["entry"] for item in listed if item["due"] and item["certain"]]


def test_exactly_what_they_could_read_and_is_the_same_is_listed(me: Person) -> None:
    me.flux("store", "insert", "-f", "apps/old", stdin=b"changed\n")
    me.flux("store", "mv", "apps/db", "apps/renamed")
    dry = unchanged(me, "--folder", "apps", "--dry-run")
    assert names(dry) == ["apps/old", "apps/renamed"]  # Bob could read the change of apps/old too
    done = me.flux("recipients", "remove", BOB, "--folder", "apps", "--yes").out.decode()
    assert "2 values that they could read are still the same" in done
    assert "  apps/renamed (everything)" in done

    me.flux("store", "insert", "-f", "apps/old", stdin=b"changed again\n")
    me.flux("recipients", "add", BOB, "--folder", "empty", "--yes")
    assert names(unchanged(me, "--folder", "empty", "--yes")) == ["apps/renamed"]
    me.flux("store", "insert", "-f", "apps/renamed", stdin=b"new\n")
    me.flux("recipients", "add", BOB, "--folder", "empty", "--yes")
    assert unchanged(me, "--folder", "empty", "--yes") == []


def test_a_key_that_no_keyring_has_any_more_is_known_from_the_stores_history(me: Person) -> None:
    bob = me.gnupg.fingerprint(BOB)
    me.gnupg.gpg("--yes", "--delete-keys", bob)
    me.git("rm", "-q", "-r", ".public-keys")
    me.git("commit", "-qm", "Keys are elsewhere")
    listed = json.loads(
        me.flux("recipients", "remove", f"0x{bob[-16:]}", "--folder", "apps", "--json", "--yes").out
    )
    assert names(listed["unchanged"]) == ["apps/db", "apps/old"]


def test_hidden_recipients_count_by_the_recipients_file_of_their_commit(me: Person) -> None:
    for name, text in (("one", b"pw1\n"), ("apps/db", b"pw2\n")):
        to = [ME, BOB] if name != "one" else [ME]
        (me.store / f"{name}.gpg").write_bytes(me.gnupg.encrypt(text, to, "--throw-keyids"))
    me.git("commit", "-qam", "Hidden")
    assert names(unchanged(me, "--folder", "apps", "--yes")) == ["apps/db", "apps/old"]


def test_what_the_remover_cannot_decrypt_counts_as_unchanged(me: Person) -> None:
    (me.store / "apps/db.gpg").write_bytes(me.gnupg.encrypt(b"bob's\n", [BOB]))
    me.git("commit", "-qam", "For Bob alone")
    done = me.flux("recipients", "remove", BOB, "--folder", "apps", "--json", "--yes",
                   "--keep-going", check=False)  # fmt: skip
    assert done.code == 4
    listed = {item["entry"]: item["certain"] for item in json.loads(done.out)["unchanged"]}
    assert listed == {"apps/db": False, "apps/old": True}
