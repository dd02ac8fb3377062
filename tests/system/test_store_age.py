"""age stores: what we write gopass 1.16 and age read, and the other way round."""

from __future__ import annotations

import os
import pty
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.person import Person, person

PASSPHRASE = "correct horse"


@pytest.fixture
def me(tmp_path: Path, gopass: Path) -> Iterator[Person]:
    with person(tmp_path / "me", gopass=gopass) as made:
        made.env.update(GOPASS_HOMEDIR=str(made.home), PASSWORD_STORE_DIR="")
        made.env["GOPASS_AGE_PASSWORD"] = PASSPHRASE
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Person]:
    """Somebody with age and a plain identity, as passage keeps it."""
    if shutil.which("age") is None:
        pytest.skip("no age here")
    with person(tmp_path / "other") as made:
        (made.home / ".passage").mkdir()
        made.run("age-keygen", "-o", ".passage/identities")
        yield made


def public(one: Person) -> str:
    return one.run("age-keygen", "-y", ".passage/identities").out.decode().strip()


def ssh_public(one: Person, kind: str) -> str:
    (one.home / ".ssh").mkdir(mode=0o700, exist_ok=True)
    one.run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", f".ssh/id_{kind}")
    return (one.home / f".ssh/id_{kind}.pub").read_text().strip()


def test_gopass_and_we_read_and_write_the_same_age_store(me: Person) -> None:
    me.flux("store", "init", "--crypto", "age")
    me.flux("store", "insert", "demo/db", stdin=b"pw\nuser: joe\n\xff\x00\n")
    assert me.gopasses("ls", "--flat").out == b"demo/db\n"
    assert me.gopasses("show", "demo/db", "user").out == b"joe"
    me.gopasses("insert", "-f", "demo/new", stdin=b"by gopass\n")
    assert me.flux("store", "show", "demo/new").out == b"by gopass\n"
    me.flux("store", "mv", "demo/new", "old")
    me.flux("store", "insert", "-f", "old", stdin=b"by us\n")
    assert me.gopasses("show", "-o", "old").out == b"by us"
    assert (me.store / ".gitattributes").read_bytes() == b"*.age binary\n"


def test_a_store_that_gopass_made_is_found_to_be_one_of_age(me: Person, other: Person) -> None:
    identity = (other.home / ".passage/identities").read_text().splitlines()[-1]
    me.gopasses("age", "identities", "add", identity, public(other))
    me.gopasses("init", "--crypto", "age", "--storage", "gitfs", public(other))
    me.gopasses("insert", "-f", "db", stdin=b"pw\n")
    root = Path(me.gopasses("config", "mounts.path").out.decode().strip())
    assert me.flux("store", "show", "db").out == b"pw\n"
    me.flux("store", "insert", "more", stdin=b"x\n")
    decrypted = other.run("age", "-d", "-i", ".passage/identities", str(root / "more.age"))
    assert decrypted.out == b"x\n"


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_ssh_keys_open_what_they_are_recipients_of(me: Person, other: Person, kind: str) -> None:
    me.flux("store", "init", "--crypto", "age")
    me.flux("store", "insert", "db", stdin=b"pw\n")
    me.flux("recipients", "add", "--yes", ssh_public(other, kind), public(other))
    other.env["PASSWORD_STORE_DIR"] = str(me.store)
    (other.home / ".passage/identities").unlink()
    assert other.flux("store", "show", "db").out == b"pw\n"
    by_age = other.run("age", "-d", "-i", f".ssh/id_{kind}", str(me.store / "db.age"))
    assert by_age.out == b"pw\n"
    assert b"you" in other.flux("recipients", "ls").out


def test_who_leaves_cannot_read_what_is_written_anew(me: Person, other: Person) -> None:
    me.flux("store", "init", "--crypto", "age")
    me.flux("store", "insert", "db", stdin=b"pw\n")
    me.flux("recipients", "add", "--yes", public(other))
    other.env["PASSWORD_STORE_DIR"] = str(me.store)
    assert other.flux("store", "show", "db").out == b"pw\n"
    me.flux("recipients", "remove", "--yes", public(other))
    done = other.flux("store", "show", "db", check=False)
    assert (done.code, "not encrypted to a key of yours" in done.err) == (4, True), done.err
    assert me.gopasses("show", "-o", "db").out == b"pw"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("age1nonsense", "no age key"),
        ("github:somebody", "never asked"),
        ("age1pq1" + "q" * 80, "post-quantum"),
        ("ecdsa-sha2-nistp256 AAAA", "no age key"),
        ("AGE-SECRET-KEY-1QQQQ", "private key"),
    ],
)
def test_a_recipient_that_cannot_be_encrypted_to_stops_the_write(
    me: Person, line: str, why: str
) -> None:
    me.flux("store", "init", "--crypto", "age")
    me.flux("store", "insert", "db", stdin=b"pw\n")
    before = (me.store / "db.age").read_bytes()
    with (me.store / ".age-recipients").open("a") as file:
        file.write(f"{line}\n")
    done = me.flux("store", "insert", "-f", "db", stdin=b"new\n", check=False)
    assert (done.code, why in done.err) == (4, True), done.err
    assert "QQQQ" not in done.err
    assert (me.store / "db.age").read_bytes() == before


def test_without_the_passphrase_nothing_opens_and_nothing_is_made(me: Person) -> None:
    me.env["GOPASS_AGE_PASSWORD"] = ""
    done = me.flux("store", "init", "--crypto", "age", check=False)
    assert (done.code, "no passphrase to keep" in done.err) == (4, True), done.err
    assert not me.store.exists()
    me.env["GOPASS_AGE_PASSWORD"] = PASSPHRASE
    me.flux("store", "init", "--crypto", "age")
    me.flux("store", "insert", "db", stdin=b"pw\n")
    me.env["GOPASS_AGE_PASSWORD"] = "another"
    done = me.flux("store", "show", "db", check=False)
    assert (done.code, "passphrase does not open" in done.err, done.out) == (4, True, b"")


def test_a_damaged_entry_is_never_a_wrong_value(me: Person) -> None:
    me.flux("store", "init", "--crypto", "age")
    me.flux("store", "insert", "db", stdin=b"pw\n")
    entry = me.store / "db.age"
    whole = entry.read_bytes()
    for bad in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), whole[:40], b"", b"pw\n"):
        entry.write_bytes(bad)
        done = me.flux("store", "show", "db", check=False)
        assert (done.code, "damaged" in done.err, done.out) == (4, True, b""), done.err


def test_check_counts_readers_and_never_says_that_they_are_the_right_ones(
    me: Person, other: Person
) -> None:
    me.flux("store", "init", "--crypto", "age")
    me.flux("store", "insert", "db", stdin=b"pw\n")
    assert b"db: does not say whom it is for" in me.flux("store", "check").out
    with (me.store / ".age-recipients").open("a") as file:
        file.write(f"{public(other)}\n")
    me.git("commit", "-qam", "by hand")
    done = me.flux("reencrypt", "--dry-run", check=False)
    assert b"1 hidden recipients fewer" in done.out, (done.out, done.err)
    me.flux("reencrypt")
    assert other.run("age", "-d", "-i", ".passage/identities", me.store / "db.age").out == b"pw\n"


def test_two_peoples_edits_of_one_age_entry_are_merged(me: Person, tmp_path: Path) -> None:
    host = tmp_path / "host.git"
    me.run("git", "init", "-q", "--bare", host)
    me.flux("store", "init", "--crypto", "age", "--mount", "one")
    one = Path(me.gopasses("config", "mounts.one.path").out.decode().strip())
    me.run("git", "-C", one, "remote", "add", "origin", host)
    me.flux("store", "insert", "one/db", stdin=b"pw\nuser: a\nport: 1\n")
    me.flux("store", "sync", "one")
    me.flux("store", "clone", str(host), "two")
    me.run("git", "config", "-f", ".config/gopass/config", "core.autopush", "false")
    me.flux("store", "insert", "one/db", "user", stdin=b"b")
    me.flux("store", "insert", "two/db", "port", stdin=b"2")
    me.flux("store", "sync", "one")
    me.flux("store", "sync", "two")
    assert me.flux("store", "show", "two/db").out == b"pw\nuser: b\nport: 2\n"


def test_the_passphrase_is_asked_for_on_the_terminal_alone(me: Person) -> None:
    me.flux("store", "init", "--crypto", "age")
    me.flux("store", "insert", "db", stdin=b"pw\n")
    me.env["GOPASS_AGE_PASSWORD"] = ""
    child, terminal = pty.fork()
    if child == 0:
        words = [sys.executable, "-m", "flux_secret", "store", "show", "--reveal", "db"]
        os.chdir(me.home)
        os.execve(words[0], words, me.environment)  # noqa: S606 -- in a terminal of its own
    said = b""
    while b"identities: " not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, f"{PASSPHRASE}\n".encode())
    while chunk := _read(terminal):
        said += chunk
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, said
    assert said.endswith(b"pw\r\n")
    assert PASSPHRASE.encode() not in said


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1000)
    except OSError:  # Linux says so at the end
        return b""
