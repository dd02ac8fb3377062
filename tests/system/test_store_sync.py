"""Two people change one store at once: nobody's edit is lost, and nothing is half merged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulators.person import Person, person

ANN, BOB = "ann@example.org", "bob@example.org"
ENTRY = b"pw\nuser: joe\nurl: example.org\n"


@dataclass(frozen=True)
class Team:
    """Two people, one host."""

    ann: Person
    bob: Person
    host: Path

    def host_git(self, *words: str) -> str:
        return self.ann.run("git", "-C", self.host, *words).out.decode().strip()

    def agree(self) -> None:
        """Assert that both and the host have the same commit, and whole folders."""
        heads = {self.host_git("rev-parse", "master")}
        for one in (self.ann, self.bob):
            heads.add(one.git("rev-parse", "HEAD"))
            assert one.git("status", "--porcelain") == ""
        assert len(heads) == 1


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with ExitStack() as stack:
        ann = stack.enter_context(person(tmp_path / "ann", [ANN]))
        bob = stack.enter_context(person(tmp_path / "bob", [BOB]))
        ann.gnupg.gpg("--import", stdin=bob.gnupg.public_key(BOB))
        bob.gnupg.gpg("--import", stdin=ann.gnupg.public_key(ANN))
        host = tmp_path / "host.git"
        ann.run("git", "init", "-q", "--bare", host)
        ann.makes_store(ANN, BOB)
        ann.flux("store", "insert", "site", stdin=ENTRY)
        ann.flux("store", "insert", "other", stdin=b"other\n")
        ann.git("remote", "add", "origin", str(host))
        ann.flux("store", "sync")
        bob.run("git", "clone", "-q", host, bob.store)
        yield Team(ann, bob, host)


def change(one: Person, name: str, text: bytes) -> None:
    one.flux("store", "insert", "-f", name, stdin=text)


def test_what_one_person_changes_the_other_gets(team: Team) -> None:
    change(team.ann, "site", b"new\n")
    assert b"1 sent" in team.ann.flux("store", "sync").out
    assert b"1 commit received" in team.bob.flux("store", "sync").out
    assert team.bob.can_read("site") == b"new\n"
    team.agree()


def test_changes_of_different_entries_come_together(team: Team) -> None:
    change(team.ann, "site", b"ann\n")
    change(team.bob, "other", b"bob\n")
    team.ann.flux("store", "sync")
    team.bob.flux("store", "sync")
    team.ann.flux("store", "sync")
    for one in (team.ann, team.bob):
        assert (one.can_read("site"), one.can_read("other")) == (b"ann\n", b"bob\n")
    team.agree()


def test_changes_of_different_keys_of_one_entry_are_merged(team: Team) -> None:
    change(team.ann, "site", ENTRY.replace(b"joe", b"ann"))
    change(team.bob, "site", ENTRY.replace(b"example.org", b"bob.example.org"))
    team.ann.flux("store", "sync")
    assert b"site: merged key by key" in team.bob.flux("store", "sync").out
    team.ann.flux("store", "sync")
    wanted = b"pw\nuser: ann\nurl: bob.example.org\n"
    assert (team.ann.can_read("site"), team.bob.can_read("site")) == (wanted, wanted)
    team.agree()


def test_what_a_merge_decrypts_is_on_the_record_of_who_merges(team: Team) -> None:
    change(team.ann, "site", ENTRY.replace(b"joe", b"ann"))
    change(team.bob, "site", ENTRY.replace(b"example.org", b"bob.example.org"))
    team.ann.flux("store", "sync")
    sides = (team.bob.git("rev-parse", "HEAD~1"), team.bob.git("rev-parse", "HEAD"),
             team.host_git("rev-parse", "master"))  # fmt: skip
    team.bob.flux("store", "sync")
    told = json.loads(team.bob.flux("audit", "log", "--kind", "read", "-o", "json").out)["records"]
    line = told[-1]
    assert (line["about"], line["details"]["command"]) == ("site", "store sync")
    assert line["details"]["commits"] == list(sides)
    blobs = [team.bob.git("rev-parse", f"{side}:site.gpg") for side in sides]
    assert line["details"]["blobs"] == blobs


def test_what_cannot_be_merged_is_kept_on_both_sides_and_somebody_is_told(team: Team) -> None:
    change(team.ann, "site", ENTRY.replace(b"pw", b"ann"))
    change(team.bob, "site", ENTRY.replace(b"pw", b"bob"))
    ours = team.bob.git("rev-parse", "HEAD")[:8]
    team.ann.flux("store", "sync")
    done = team.bob.flux("store", "sync", check=False)
    assert (done.code, f"site.ours-{ours}" in done.err) == (1, True), done.err
    assert team.bob.can_read("site").startswith(b"ann\n")
    assert team.bob.can_read(f"site.ours-{ours}").startswith(b"bob\n")
    team.ann.flux("store", "sync")
    team.agree()


def test_an_entry_that_one_removes_and_the_other_changes_survives(team: Team) -> None:
    team.ann.git("rm", "-q", "site.gpg")
    team.ann.git("commit", "-qm", "Remove")
    change(team.bob, "site", b"changed\n")
    team.ann.flux("store", "sync")
    assert b"site: kept" in team.bob.flux("store", "sync").out
    team.ann.flux("store", "sync")
    assert team.ann.can_read("site") == b"changed\n"
    team.agree()


def test_what_gopass_loses_is_not_lost(team: Team) -> None:
    """Both edit one entry; gopass pulls, leaves the merge, and saves again (facts: gopass §4.3)."""
    change(team.ann, "site", ENTRY.replace(b"joe", b"ann"))
    team.ann.flux("store", "sync")
    change(team.bob, "site", ENTRY.replace(b"example.org", b"bob.example.org"))
    pulled = team.bob.git("pull", "--no-rebase", "origin", "master", check=False)
    assert "CONFLICT" in pulled
    assert (team.bob.store / ".git/MERGE_HEAD").exists()
    team.bob.flux("store", "sync")
    assert not (team.bob.store / ".git/MERGE_HEAD").exists()
    assert team.bob.can_read("site") == b"pw\nuser: ann\nurl: bob.example.org\n"
    team.ann.flux("store", "sync")
    team.agree()


def test_marks_that_git_put_into_a_ciphertext_are_no_edit(team: Team) -> None:
    """An armored message, and by chance a short binary one without a NUL, is text to git."""

    def write(one: Person, text: bytes) -> None:
        message = one.gnupg.encrypt(text, [ANN, BOB], "--armor")
        (one.store / "site.gpg").write_bytes(message)
        one.git("commit", "-qam", "By another program")

    write(team.ann, ENTRY)
    team.ann.flux("store", "sync")
    team.bob.flux("store", "sync")
    write(team.ann, ENTRY.replace(b"joe", b"ann"))
    team.ann.flux("store", "sync")
    write(team.bob, ENTRY.replace(b"example.org", b"bob.example.org"))
    team.bob.git("pull", "--no-rebase", "origin", "master", check=False)
    assert b">>>>>>> " in (team.bob.store / "site.gpg").read_bytes()
    assert b"site: merged key by key" in team.bob.flux("store", "sync").out
    assert team.bob.can_read("site") == b"pw\nuser: ann\nurl: bob.example.org\n"
    team.ann.flux("store", "sync")
    team.agree()


def test_an_edit_that_gopass_wrote_during_a_merge_is_not_lost(team: Team) -> None:
    change(team.ann, "site", ENTRY.replace(b"joe", b"ann"))
    team.ann.flux("store", "sync")
    change(team.bob, "site", ENTRY.replace(b"example.org", b"bob.example.org"))
    team.bob.git("pull", "--no-rebase", "origin", "master", check=False)
    written = team.bob.gnupg.encrypt(b"uncommitted\n", [ANN, BOB])
    (team.bob.store / "other.gpg").write_bytes(written)
    assert b"other.gpg: was not committed, and is now" in team.bob.flux("store", "sync").out
    assert team.bob.can_read("other") == b"uncommitted\n"
    team.ann.flux("store", "sync")
    assert team.ann.can_read("other") == b"uncommitted\n"
    team.agree()


def test_plaintext_is_never_committed(team: Team) -> None:
    (team.bob.store / "notes.txt").write_text("a password")
    (team.bob.store / "site.txt").write_text("another")
    team.bob.flux("store", "sync")
    assert team.bob.git("ls-files", "--", "notes.txt", "site.txt") == ""


def test_two_who_let_the_same_person_in_at_once_agree(team: Team) -> None:
    carol = team.ann.gnupg.curve25519("carol@example.org")
    team.bob.gnupg.gpg("--import", stdin=team.ann.gnupg.public_key("carol@example.org"))
    team.ann.gnupg.gpg("--quick-set-expire", carol, "1y")
    for one in (team.ann, team.bob):
        one.flux("recipients", "add", "carol@example.org", "--yes")
    team.ann.flux("store", "sync")
    team.bob.flux("store", "sync")
    team.ann.flux("store", "sync")
    team.agree()
    assert (team.bob.store / ".gpg-id").read_text().count(f"0x{carol[-16:]}") == 1
    assert team.ann.flux("reencrypt").out.startswith(b"root store: 0 of 2")


def test_who_is_let_in_reads_also_what_the_other_side_added_meanwhile(team: Team) -> None:
    carol = team.ann.gnupg.curve25519("carol@example.org")
    team.bob.gnupg.gpg("--import", stdin=team.ann.gnupg.public_key("carol@example.org"))
    (team.ann.store / ".gpg-id").write_text(f"{ANN}\n{BOB}\ncarol@example.org\n")
    team.ann.git("commit", "-qam", "Carol too")
    team.bob.flux("store", "insert", "new", stdin=b"new\n")
    team.ann.flux("store", "sync")
    team.bob.flux("store", "sync")
    packets = team.ann.gnupg.gpg("--list-packets", str(team.bob.store / "new.gpg")).decode()
    assert packets.count(":pubkey enc packet:") == 3
    assert carol
    team.ann.flux("store", "sync")
    team.agree()


def test_recipients_that_both_sides_changed_are_all_there(team: Team) -> None:
    for email in ("carol@example.org", "dave@example.org"):
        team.ann.gnupg.curve25519(email)
        team.bob.gnupg.gpg("--import", stdin=team.ann.gnupg.public_key(email))
    (team.ann.store / ".gpg-id").write_text(f"{ANN}\n{BOB}\ncarol@example.org\n")
    team.ann.git("commit", "-qam", "Carol too")
    (team.bob.store / ".gpg-id").write_text(f"# us\n{ANN}\n{BOB}\ndave@example.org\n")
    team.bob.git("commit", "-qam", "Dave too")
    team.ann.flux("store", "sync")
    team.bob.flux("store", "sync")
    ids = set((team.bob.store / ".gpg-id").read_text().split())
    assert {ANN, BOB, "carol@example.org", "dave@example.org"} <= ids


def test_a_host_that_was_rewritten_is_not_followed_before_somebody_says_so(team: Team) -> None:
    change(team.ann, "site", b"second\n")
    team.ann.flux("store", "sync")
    team.bob.flux("store", "sync")
    team.host_git("update-ref", "refs/heads/master", team.host_git("rev-parse", "master~1"))
    done = team.bob.flux("store", "sync", check=False)
    assert (done.code, "was rewritten" in done.err) == (6, True), done.err
    assert team.bob.can_read("site") == b"second\n"
    assert team.bob.flux("store", "sync", check=False).code == 6
    team.bob.flux("store", "sync", "--accept-rewritten")
    assert team.host_git("rev-parse", "master") == team.bob.git("rev-parse", "HEAD")


def test_a_host_that_is_gone_is_said_and_loses_nothing(team: Team) -> None:
    change(team.bob, "site", b"mine\n")
    shutil.move(team.host, team.host.with_name("away"))
    done = team.bob.flux("store", "sync", check=False)
    assert done.code in {3, 5}
    assert "committed here" in done.err
    assert team.bob.can_read("site") == b"mine\n"


def test_a_host_that_refuses_is_an_error(team: Team) -> None:
    hook = team.host / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'only on Mondays' >&2\nexit 1\n")
    hook.chmod(0o755)
    change(team.bob, "site", b"mine\n")
    done = team.bob.flux("store", "sync", check=False)
    assert done.code == 3
    assert "only on Mondays" in done.err


def test_a_login_in_the_hosts_address_is_not_shown(team: Team) -> None:
    team.bob.git("remote", "set-url", "origin", "https://bob:hunter2@localhost:1/x.git")
    done = team.bob.flux("store", "sync", check=False)
    assert done.code == 5
    assert "hunter2" not in done.err


def test_a_folder_that_somebody_makes_a_submodule_is_followed_there_and_back(team: Team) -> None:
    change(team.ann, "demo/db", b"db\n")
    team.ann.flux("store", "sync")
    team.bob.flux("store", "sync")
    team.bob.git("rm", "-rq", "demo")
    words = ("update-index", "--add", "--cacheinfo", f"160000,{'12' * 20},demo")
    team.bob.git(*words)
    team.bob.git("commit", "-qm", "a submodule")
    team.bob.git("push", "-q")
    team.ann.flux("store", "sync")
    assert team.ann.flux("store", "ls", "--flat").out == b"other\nsite\n"
    team.bob.git("revert", "--no-edit", "HEAD")
    team.bob.git("push", "-q")
    team.ann.flux("store", "sync")
    assert team.ann.can_read("demo/db") == b"db\n"
    team.agree()
