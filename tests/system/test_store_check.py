"""What is wrong in a store is found, by real programs' data, and mended where nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulators.person import Person, person

ME, BOB = "me@example.org", "bob@example.org"
Found = set[tuple[str, str, str]]


@pytest.fixture
def me(tmp_path: Path) -> Iterator[Person]:
    with person(tmp_path / "me", [ME, BOB]) as made:
        made.makes_store(f"0x{made.gnupg.fingerprint(ME)[-16:]}")
        made.has({"one": b"1\n", "apps/db": b"2\n"}, [ME])
        made.flux("recipients", "update")
        yield made


def found(one: Person, *words: str) -> Found:
    done = one.flux("store", "check", "--json", *words, check=False)
    listed = json.loads(done.out)
    assert done.code == int(any(item["severity"] != "ok" for item in listed)), done.err
    assert all(item["remedy"] for item in listed if item["severity"] != "ok")
    return {(item["severity"], item["kind"], item["place"]) for item in listed}


def commit(one: Person) -> None:
    one.git("add", "-A")
    one.git("commit", "-qm", "By hand")


def test_a_store_as_we_and_pass_make_it_is_fine(me: Person) -> None:
    assert found(me) == found(me, "--decrypt") == set()
    done = me.flux("store", "check")
    assert done.out == (
        b"the root store: 2 entries looked at, none decrypted (--decrypt), no findings\n"
    )


def other_readers(one: Person) -> None:
    (one.store / "one.gpg").write_bytes(one.gnupg.encrypt(b"1\n", [ME, BOB]))
    commit(one)


def not_for_bob(one: Person) -> None:
    text = (one.store / ".gpg-id").read_text()
    one.writes_file(".gpg-id", f"{text}0x{one.gnupg.fingerprint(BOB)[-16:]}\n")
    commit(one)


def armored(one: Person) -> None:
    (one.store / "one.gpg").write_bytes(one.gnupg.encrypt(b"1\n", [ME], "--armor"))
    commit(one)


def carriage_returns(one: Person) -> None:
    text = (one.store / ".gpg-id").read_bytes()
    (one.store / ".gpg-id").write_bytes(text.replace(b"\n", b"\r\n"))
    commit(one)


def no_export(one: Person) -> None:
    for file in (one.store / ".public-keys").iterdir():
        file.unlink()
    commit(one)


def wrong_export(one: Person) -> None:
    file = next((one.store / ".public-keys").iterdir())
    file.write_bytes(one.gnupg.public_key(BOB))
    commit(one)


def older_subkey(one: Person) -> None:
    one.gnupg.gpg(
        "--passphrase", "", "--faked-system-time", "20401231T000000!", "--quick-add-key",
        one.gnupg.fingerprint(ME), "cv25519", "encr", "0",
    )  # fmt: skip


def open_to_all(one: Person) -> None:
    one.store.chmod(0o755)
    (one.store / "one.gpg").chmod(0o644)


def hidden_and_others_were_named(one: Person) -> None:
    (one.store / "one.gpg").write_bytes(one.gnupg.encrypt(b"1\n", [BOB, ME], "--throw-keyids"))
    text = (one.store / ".gpg-id").read_text()
    one.writes_file(".gpg-id", f"{ME}\n")
    commit(one)
    key = f"0x{one.gnupg.fingerprint(BOB)[-16:]}"
    one.writes_file(".gpg-id", f"{text}{key}\n")
    one.writes_file(f".public-keys/{key}", one.gnupg.public_key(BOB).decode())
    (one.store / "apps/db.gpg").write_bytes(one.gnupg.encrypt(b"2\n", [ME, BOB]))
    commit(one)


@pytest.mark.parametrize(
    ("damage", "kinds"),
    [
        (other_readers, {("error", "readers", "one")}),
        (
            not_for_bob,
            {
                ("error", "readers", "one"),
                ("error", "readers", "apps/db"),
                ("warning", "export-missing", ".public-keys/BOB"),
            },
        ),
        (armored, {("warning", "armored", "one.gpg")}),
        (carriage_returns, {("warning", "carriage-returns", ".gpg-id")}),
        (no_export, {("warning", "export-missing", ".public-keys/ME")}),
        (wrong_export, {("error", "export-wrong", ".public-keys/ME")}),
        (open_to_all, {("warning", "open-files", "the root store")}),
        (hidden_and_others_were_named, {("error", "past-readers", "one")}),
    ],
)
def test_what_can_be_repaired_is_in_one_commit(
    me: Person, damage: Callable[[Person], None], kinds: Found
) -> None:
    damage(me)
    keys = {name: f"0x{me.gnupg.fingerprint(email)[-16:]}" for name, email in NAMES.items()}
    expected = set()
    for severity, kind, place in kinds:
        folder, _, name = place.rpartition("/")
        expected.add((severity, kind, f"{folder}/{keys[name]}" if name in keys else place))
    assert found(me) == expected
    before = me.commits
    done = me.flux("store", "check", "--fix")
    assert "repaired" in done.out.decode()
    assert me.commits == before + (damage is not open_to_all)
    assert me.git("status", "--porcelain") == ""
    assert found(me, "--decrypt") == set()
    assert me.can_read("one") == b"1\n"


NAMES = {"ME": ME, "BOB": BOB}


def test_what_needs_a_decision_is_found_and_left(me: Person) -> None:
    me.writes_file("notes.txt", "pw: 1234\n")
    me.writes_file("config", "[core]\n\tautopush = false\n\treadonly = true\n")
    me.writes_file("apps/.hidden/x.gpg", "x")
    me.writes_file("apps/db/.gpg-id", f"{ME}\n")
    me.writes_file(".public-keys/0x0000000000000000", "")
    me.writes_file("text.gpg", "pw: 1234\n")
    (me.store / "One.gpg").write_bytes((me.store / "one.gpg").read_bytes())
    (me.store / "nowhere.gpg").symlink_to("none.gpg")
    (me.store / "out.gpg").symlink_to("/etc/hostname")
    commit(me)
    (me.store / "new.gpg").write_bytes((me.store / "one.gpg").read_bytes())
    me.gnupg.gpg("--quick-set-expire", me.gnupg.fingerprint(ME), "20d")
    left = found(me, "--fix")
    assert left == {
        ("error", "plaintext", "notes.txt"),
        ("error", "plaintext", "text.gpg"),
        ("error", "lookup", "apps/db"),
        ("error", "unreadable", "nowhere.gpg"),
        ("error", "unreadable", "out.gpg"),
        ("warning", "config", "config"),
        ("warning", "hidden", "apps/.hidden/x.gpg"),
        ("warning", "export-of-nobody", ".public-keys/0x0000000000000000"),
        ("warning", "twins", "One"),
        ("warning", "uncommitted", "new.gpg"),
        *(("warning", "key-expires", f"{place}: {key(me)}") for place in KEPT),
    }
    assert (me.store / "notes.txt").exists()


KEPT = (".gpg-id", "apps/db/.gpg-id")


def key(one: Person) -> str:
    return f"0x{one.gnupg.fingerprint(ME)[-16:]} Somebody <{ME}>"


def test_entries_that_do_not_decrypt_are_found_when_they_are_tried(me: Person) -> None:
    whole = (me.store / "one.gpg").read_bytes()
    (me.store / "one.gpg").write_bytes(whole[:-20] + b"\0" * 20)
    (me.store / "apps/db.gpg").write_bytes(me.gnupg.encrypt(b"", [ME]))
    commit(me)
    assert found(me) == set()
    assert found(me, "--decrypt") == {
        ("error", "undecrypted", "one"),
        ("error", "undecrypted", "apps/db"),
    }


def test_a_merge_that_gopass_left_is_found(me: Person) -> None:
    (me.store / ".git" / "MERGE_HEAD").write_text(me.git("rev-parse", "HEAD") + "\n")
    assert ("error", "unfinished", "the root store") in found(me)


@pytest.mark.parametrize("what", ["empty", "link", "many"])
def test_a_recipients_file_that_cannot_be_used_stops_writing_and_is_found(
    me: Person, what: str
) -> None:
    file = me.store / ".gpg-id"
    if what == "empty":
        file.write_text("# nobody\n\n")
    elif what == "link":
        file.unlink()
        file.symlink_to("config")
    else:
        file.write_text("".join(f"0x{number:016X}\n" for number in range(10_000)))
    commit(me)
    kinds = {(severity, kind) for severity, kind, _ in found(me)}
    assert ("error", "key-unusable" if what == "many" else "recipients-file") in kinds
    for words in (("store", "insert", "two"), ("recipients", "add", BOB, "--yes")):
        done = me.flux(*words, stdin=b"2\n", check=False)
        assert done.code == 4, done.err
        assert len(done.err) < 2000
    assert me.git("status", "--porcelain") == ""


def test_only_recipients_are_looked_at_on_request(me: Person) -> None:
    me.writes_file("notes.txt", "pw: 1234\n")
    other_readers(me)
    done = me.flux("recipients", "check", "--json", check=False)
    assert done.code == 1
    assert [item["kind"] for item in json.loads(done.out)] == ["readers"]
    assert "apps is no store" in me.flux("store", "check", "apps", check=False).err


def test_a_key_that_is_bound_with_sha1_is_found(me: Person) -> None:
    old = ("--cert-digest-algo", "SHA1", "--passphrase", "")
    me.gnupg.gpg(*old, "--quick-generate-key", "Old <old@example.org>", "rsa2048", "cert,sign", "0")
    me.gnupg.gpg(
        *old, "--quick-add-key", me.gnupg.fingerprint("old@example.org"), "rsa2048", "encr"
    )
    me.flux("recipients", "add", "old@example.org", "--yes")
    assert {kind for _, kind, _ in found(me)} == {"key-weak"}
    assert me.readers("one") == {ME, "old@example.org"}
