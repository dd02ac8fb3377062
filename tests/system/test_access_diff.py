"""`access diff` in a clone with git alone: each way to gain something of a store is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulators.gnupg import Home, home
from simulators.measured import measured

ALICE, BOB, EVE = "alice@example.org", "bob@example.org", "eve@example.org"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@dataclass
class Store:
    """A store's clone, and everybody's keys, which the command never sees."""

    root: Path
    keys: Home

    def git(self, *words: str) -> str:
        env = {
            "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org",
        }  # fmt: skip
        done = subprocess.run(
            ["git", "-C", self.root, *words], env=env, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def writes(self, path: str, data: str | bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)

    def id(self, email: str) -> str:
        return f"0x{self.keys.fingerprint(email)[-16:]}"

    def keeps(self, email: str, name: str = "") -> None:
        self.writes(f".public-keys/{name or self.id(email)}", self.keys.public_key(email))

    def has(self, name: str, *emails: str, text: str = "value\n") -> None:
        self.writes(f"{name}.gpg", self.keys.encrypt(text.encode(), emails))

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", "Change")
        return self.git("rev-parse", "HEAD")

    def diff(self, revisions: str = "HEAD~1..HEAD", *more: str, where: Path | None = None) -> Done:
        """Run it as a pull request's job does: with git, without gpg, keys and a home."""
        bin_ = self.root.parent / "bin"
        if not bin_.exists():
            bin_.mkdir()
            git = shutil.which("git")
            assert git is not None
            (bin_ / "git").symlink_to(git)
        env = {"PATH": str(bin_), "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", **measured()}
        done = subprocess.run(
            [sys.executable, "-m", "flux_secret", "access", "diff", revisions, *more],
            env=env, cwd=where or self.root, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def gained(self) -> list[str]:
        """Give whose gains are told, one line each."""
        done = self.diff()
        assert done.code in {0, 1}, done.err
        gained = done.out.partition("#### Gained")[2].partition("####")[0]
        assert bool(gained) <= (done.code == 1)
        return [line for line in gained.split("\n") if line.startswith("| ")][1:]


@pytest.fixture(scope="module")
def keys() -> Iterator[Home]:
    with home() as one:
        for email in (ALICE, BOB, EVE):
            one.curve25519(email)
        yield one


@pytest.fixture
def store(tmp_path: Path, keys: Home) -> Store:
    one = Store(tmp_path / "clone", keys)
    one.root.mkdir()
    one.git("init", "-q")
    for email in (ALICE, BOB):
        one.keeps(email)
    one.writes(".gpg-id", f"{one.id(ALICE)}\n")
    one.writes("dev/.gpg-id", f"{one.id(ALICE)}\n{one.id(BOB)}\n")
    one.has("prod/db", ALICE)
    one.has("prod/api", ALICE)
    one.has("dev/db", ALICE, BOB)
    one.commit()
    return one


def test_a_change_of_a_value_is_nobodys_gain(store: Store) -> None:
    store.has("prod/db", ALICE, text="another\n")
    store.has("prod/new", ALICE)
    store.commit()
    done = store.diff()
    assert (done.code, done.err) == (0, "")
    assert "Nobody gains." in done.out
    assert "<code>prod/new</code>" in done.out
    assert ALICE in done.out.partition("New entries")[2]


def test_a_recipient_who_is_added_gains_what_lies_below(store: Store) -> None:
    store.writes(".gpg-id", f"{store.id(ALICE)}\n{store.id(BOB)}\n")
    store.commit()
    (line,) = store.gained()
    assert BOB in line
    assert "2: <code>prod/api</code>, <code>prod/db</code>" in line


def test_a_recipients_file_above_an_entry_counts(store: Store) -> None:
    store.writes("prod/.gpg-id", f"{store.id(BOB)}\n")
    store.commit()
    (line,) = store.gained()
    assert (BOB in line, "prod/.gpg-id counts, no longer .gpg-id" in line) == (True, True)


def test_a_recipients_file_that_leaves_lets_the_one_above_count(store: Store) -> None:
    store.writes(".gpg-id", f"{store.id(ALICE)}\n{store.id(BOB)}\n")
    store.writes("prod/.gpg-id", f"{store.id(ALICE)}\n")
    store.commit()
    (store.root / "prod/.gpg-id").unlink()
    store.commit()
    (line,) = store.gained()
    assert BOB in line


@pytest.mark.parametrize("anew", [False, True])
def test_an_entry_that_moves_is_the_gain_of_who_reads_there(store: Store, anew: bool) -> None:
    (store.root / "prod/api.gpg").rename(store.root / "dev/api.gpg")
    if anew:
        store.has("dev/api", ALICE, BOB)
    store.commit()
    (line,) = store.gained()
    assert BOB in line
    assert ("it may be prod/api, encrypted anew" if anew else "it was prod/api") in line


def test_a_message_for_more_than_its_recipients_file_names_is_told(store: Store) -> None:
    store.has("prod/db", ALICE, BOB)
    store.commit()
    (line,) = store.gained()
    assert (BOB in line, "no recipients file names" in line) == (True, True)


def test_a_message_for_a_key_that_nobody_knows_is_told(store: Store) -> None:
    store.has("prod/db", ALICE, EVE)
    store.commit()
    (line,) = store.gained()
    assert "a key that the store does not keep" in line


def test_a_message_that_hides_whom_it_is_for_is_told(store: Store) -> None:
    data = store.keys.encrypt(b"value\n", [ALICE, EVE], "--throw-keyids")
    store.writes("prod/db.gpg", data)
    store.commit()
    (line,) = store.gained()
    assert "somebody whom the message does not name" in line


def test_a_key_file_that_takes_a_recipients_place_is_a_gain(store: Store) -> None:
    store.keeps(EVE, name=store.id(ALICE))
    store.commit()
    (line,) = store.gained()
    assert EVE in line
    assert f"holds this key, which is not {store.id(ALICE)}" in line
    assert "3: <code>dev/db</code>" in line


def test_a_second_key_in_a_recipients_file_is_a_gain(store: Store) -> None:
    both = store.keys.public_key(ALICE) + store.keys.public_key(EVE)
    store.writes(f".public-keys/{store.id(ALICE)}", both)
    store.commit()
    (line,) = store.gained()
    assert EVE in line
    assert "holds 2 public keys" in store.diff().out


def test_a_name_that_comes_to_mean_another_key_is_a_gain(store: Store) -> None:
    """gopass allows names in `.gpg-id`; each key file that fits may be meant."""
    store.writes(".gpg-id", "somebody <alice@example.org>\n")
    store.commit()
    other = store.root.parent / "other"
    other.mkdir(mode=0o700)
    impostor = Home(other)
    impostor.curve25519(ALICE)
    try:
        store.writes(".public-keys/zzz", impostor.public_key(ALICE))
        store.commit()
        (line,) = store.gained()
        assert impostor.fingerprint(ALICE) in line
        assert "a name, which means this key because .public-keys/zzz says so" in line
    finally:
        subprocess.run(
            ["gpgconf", "--homedir", other, "--kill", "all"], check=False, capture_output=True
        )


def test_a_subkey_that_is_put_into_somebodys_key_file_hides_nobody(store: Store) -> None:
    """Eve's subkey behind Alice's key, without Alice's signature: it is not Alice's."""
    alice, eve = (
        store.keys.gpg("--export", store.keys.fingerprint(email)) for email in (ALICE, EVE)
    )
    at = eve.index(b"\xb8\x38\x04")  # a subkey of 56 bytes, version 4 (RFC 9580 §4.2, §5.5.2)
    store.writes(f".public-keys/{store.id(ALICE)}", alice + eve[at:])
    store.has("prod/db", ALICE, EVE)
    store.commit()
    lines = store.gained()
    assert any("expired, or not theirs" in line for line in lines), lines


def test_a_key_that_is_renewed_is_nobodys_gain(store: Store) -> None:
    fingerprint = store.keys.fingerprint(BOB)
    store.keys.gpg("--passphrase", "", "--pinentry-mode", "loopback",
                   "--quick-add-key", fingerprint, "cv25519", "encr", "0")  # fmt: skip
    store.keeps(BOB)
    store.has("dev/db", ALICE, BOB)
    store.commit()
    assert store.gained() == []


def test_a_recipients_file_that_becomes_a_link_cannot_be_told(store: Store) -> None:
    """pass and gopass follow it, to wherever it leads."""
    store.writes("harmless.txt", f"{store.id(ALICE)}\n{store.id(EVE)}\n")
    (store.root / ".gpg-id").unlink()
    (store.root / ".gpg-id").symlink_to("harmless.txt")
    store.commit()
    done = store.diff()
    assert (done.code, "It cannot be told whether somebody gains" in done.out) == (1, True)
    assert ".gpg-id is a link" in done.out


def test_an_entry_that_becomes_a_link_is_read_by_who_reads_where_it_leads(store: Store) -> None:
    (store.root / "prod/db.gpg").unlink()
    (store.root / "prod/db.gpg").symlink_to("../dev/db.gpg")
    store.commit()
    (line,) = store.gained()
    assert (BOB in line, "<code>prod/db</code>" in line) == (True, True)


def test_a_link_out_of_the_store_is_told(store: Store) -> None:
    (store.root / "prod/db.gpg").unlink()
    (store.root / "prod/db.gpg").symlink_to("../../elsewhere.gpg")
    store.commit()
    done = store.diff()
    assert (done.code, "prod/db" in done.out.partition("To look at")[2]) == (1, True)


def test_owners_who_come_and_go_are_told(store: Store) -> None:
    alice, bob = (f"openpgp:{store.keys.fingerprint(one)}" for one in (ALICE, BOB))
    text = (
        f"version: 1\nowners:\n  alice: {{keys: ['{alice}']}}\n  bob: {{keys: ['{bob}']}}\n"
        "paths:\n  prod: {owners: [OWNERS], approvals: NEED}\n"
    )
    first = text.replace("OWNERS", "alice, bob").replace("NEED", "2")
    store.writes(".flux-secret/owners.yaml", first)
    store.commit()
    assert "alice with 0x" in store.gained()[0]
    second = text.replace("OWNERS", "bob").replace("NEED", "1")
    store.writes(".flux-secret/owners.yaml", second)
    store.commit()
    done = store.diff()
    assert done.code == 1
    assert "1 instead of 2 owners have to agree to a change of prod/api, prod/db" in done.out
    assert "| alice with 0x" in done.out.partition("#### Lost")[2]
    store.writes(".flux-secret/owners.yaml", "version: 2\n")
    store.commit()
    broken = store.diff()
    assert broken.code == 1
    assert "nobody answers for anything" in broken.out


def test_a_pull_request_is_compared_with_where_it_began(store: Store) -> None:
    store.git("branch", "topic")
    store.writes("prod/.gpg-id", f"{store.id(BOB)}\n")
    store.commit()
    store.git("checkout", "-q", "topic")
    store.has("prod/new", ALICE)
    store.commit()
    main = store.git("rev-parse", "--abbrev-ref", "@{-1}")
    assert store.diff(f"{main}...topic").code == 0
    assert store.diff(f"{main}...").code == 0
    assert "| Gained" not in store.diff(f"{main}...topic").out
    backwards = store.diff(f"topic..{main}")
    assert (backwards.code, BOB in backwards.out) == (1, True)


def test_a_linked_work_tree_is_a_clone_too(store: Store, tmp_path: Path) -> None:
    store.git("worktree", "add", "-q", str(tmp_path / "linked"))
    assert store.diff("HEAD..HEAD", where=tmp_path / "linked").code == 0


@pytest.mark.parametrize(
    ("revisions", "more", "says"),
    [
        ("nothing..HEAD", (), "nothing is no commit of"),
        ("HEAD..--output=x", (), "--output=x is no commit of"),
        ("HEAD:prod..HEAD", (), "is no commit"),
        ("HEAD..HEAD", ("--store", "absent"), "there is no store absent"),
    ],
)
def test_what_is_wrong_is_said(
    store: Store, revisions: str, more: tuple[str, ...], says: str
) -> None:
    done = store.diff(revisions, *more)
    assert (done.code, says in done.err) == (2, True), done.err


def test_a_folder_that_is_no_clone_is_said(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = store.diff(where=tmp_path / "empty")
    assert (done.code, "is no clone of a store" in done.err) == (2, True)
