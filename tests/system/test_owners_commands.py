"""Two owners of one store, alice with gpg and bob with ssh: what they type and what they read."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux_secret.wiring.approving import bench
from simulators.owned import ssh_key
from simulators.person import Done, Person, person

ALICE, BOB = "alice@example.org", "bob@example.org"
OWNERS = ".flux-secret/owners.yaml"
REFS = "refs/flux-secret/approvals/"


@dataclass(frozen=True)
class Team:
    """Two people, one host."""

    alice: Person
    bob: Person
    host: Path
    ssh: Path

    def refs(self) -> list[str]:
        words = ("git", "-C", self.host, "for-each-ref", "--format=%(refname)", REFS)
        return self.alice.run(*words).out.decode().split()

    def bob_approves(self, *words: str, check: bool = True) -> Done:
        return self.bob.flux(
            "owners", "approve", *words, "--ssh-key", str(self.ssh), "-y", check=check
        )

    @property
    def text(self) -> str:
        fingerprint = self.alice.gnupg.fingerprint(ALICE)
        public = " ".join(self.ssh.with_suffix(".pub").read_text().split()[:2])
        return (
            "version: 1\nowners:\n"
            f'  alice: {{keys: ["openpgp:{fingerprint}"], contact: {ALICE}}}\n'
            f'  bob: {{keys: ["{public}"]}}\n'
            "paths:\n"
            '  "": {owners: [alice, bob]}\n'
            "  demo/prod: {owners: [alice, bob], approvals: 2, rotateEvery: 90d,\n"
            '              readers: {apps: ["demo-*"], clusters: [prod]}, contact: "#team"}\n'
        )


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with ExitStack() as stack:
        alice = stack.enter_context(person(tmp_path / "alice", [ALICE]))
        bob = stack.enter_context(person(tmp_path / "bob", [BOB]))
        alice.knows(bob, BOB)
        bob.knows(alice, ALICE)
        host = tmp_path / "host.git"
        alice.run("git", "init", "-q", "--bare", host)
        alice.makes_store(ALICE, BOB)
        for name in ("demo/prod/db", "demo/dev/db"):
            alice.flux("store", "insert", name, stdin=f"first of {name}\n".encode())
        alice.git("remote", "add", "origin", str(host))
        made = Team(alice, bob, host, ssh_key(tmp_path, "bobs").ssh or tmp_path)
        alice.flux("owners", "edit", "--file", "-", stdin=made.text.encode())
        alice.flux("store", "sync")
        bob.run("git", "clone", "-q", host, bob.store)
        yield made


def test_a_production_password_changes_when_both_owners_have_agreed(team: Team) -> None:
    team.alice.flux("store", "insert", "-f", "demo/prod/db", stdin=b"second\n")
    team.alice.flux("store", "sync")
    first = team.alice.flux("owners", "approve", ".", "demo/prod", "-y")
    said = first.out.decode()
    assert "changed  demo/prod/db  (alice, 20" in said
    assert "demo/prod is not approved" not in said
    assert "demo/prod at" in said
    assert "the signature of bob is missing" in said
    assert "second" not in said + first.err
    assert len(team.refs()) == 1

    team.bob.flux("store", "sync")
    check = team.bob.flux("owners", "check", check=False)
    assert check.code == 1
    assert "demo/prod: waits for its owners: the signature of bob is missing" in check.out.decode()
    second = team.bob_approves("demo/prod")
    assert "  approved" in second.out.decode()
    assert len(team.refs()) == 2
    again = team.alice.flux("owners", "approve", ".")
    assert "nothing waits for an approval" in again.out.decode()


def test_values_are_shown_only_to_whom_asks(team: Team) -> None:
    team.alice.flux("store", "insert", "-f", "demo/prod/db", stdin=b"second\n")
    team.alice.flux("store", "sync")
    words = ("owners", "approve", "demo/prod", "--dry-run")
    assert b"first of" not in team.alice.flux(*words).out
    said = team.alice.flux(*words, "--show-values").out.decode()
    assert "- demo/prod/db: first of demo/prod/db\n" in said
    assert "+ demo/prod/db: second\n" in said
    assert not team.refs()
    log = team.alice.flux("audit", "log", "--entry", "demo/prod/db", "--kind", "read", "-o", "json")
    old, new = [
        (line["details"]["commit"], line["details"]["blob"])
        for line in json.loads(log.out)["records"]
        if line["details"]["command"] == "owners approve"
    ]
    for commit, blob in (old, new):
        assert team.alice.git("rev-parse", f"{commit}:demo/prod/db.gpg") == blob
    assert new[0] == team.alice.git("rev-parse", "HEAD")
    assert old[1] != new[1]


def test_who_gains_is_said_before_it_is_signed(team: Team) -> None:
    carol = "carol@example.org"
    with person(team.host.parent / "carol", [carol]) as other:
        team.alice.knows(other, carol)
        team.alice.flux("recipients", "add", carol, "-y")
    team.alice.flux("store", "sync")
    said = team.alice.flux("owners", "approve", "demo/prod", "--dry-run").out.decode()
    assert "carol" in said
    assert "+ " in said
    assert "reads demo/prod/db: .gpg-id names it" in said


def test_who_reads_what_is_new_and_what_is_no_entry_is_said_before_it_is_signed(
    team: Team,
) -> None:
    mallory = "mallory@example.org"
    with person(team.host.parent / "mallory", [mallory]) as other:
        team.alice.knows(other, mallory)
        stolen = other.gnupg.fingerprint(mallory)
    team.alice.writes_file("demo/prod/later/.gpg-id", f"{stolen}\n")
    team.alice.has({"demo/prod/new": b"x\n"}, [ALICE, BOB, mallory])
    team.alice.flux("store", "sync")
    said = team.alice.flux("owners", "approve", "demo/prod", "--dry-run").out.decode()
    assert "  new      demo/prod/new  (alice, 20" in said
    assert "  file     demo/prod/later/.gpg-id\n" in said
    assert re.search(r"  \+ 0x[0-9A-F]{16} .* reads demo/prod/new: it is new\n", said)
    assert "demo/dev/db" not in said


def test_a_key_that_is_exchanged_beside_a_change_is_said_before_it_is_signed(
    team: Team, tmp_path: Path
) -> None:
    """Whoever pushes it with somebody's own change would else be an owner from then on."""
    team.alice.git("rm", "-q", "demo/prod/db.gpg")
    team.alice.git("commit", "-qm", "nothing of it stays")
    team.alice.has({"demo/prod/other": b"x\n"}, [ALICE, BOB])
    mallory = ssh_key(tmp_path, "mallory").ssh or tmp_path
    old, new = (
        " ".join(key.with_suffix(".pub").read_text().split()[:2]) for key in (team.ssh, mallory)
    )
    text = team.text.replace(old, new).replace('"demo-*"', '"*"').replace("90d", "900d")
    team.alice.writes_file(OWNERS, text)
    team.alice.git("commit", "-qam", "other rules")
    team.alice.flux("store", "sync")
    said = team.alice.flux("owners", "approve", "demo/prod", "--dry-run").out.decode()
    assert re.search(r"  \+ bob with SHA256:\S+ answers for demo/prod/", said)
    assert re.search(r"  - bob with SHA256:\S+ answers for demo/prod/", said)
    rule = "2 of alice, bob; read by apps {}; clusters prod; rotated every {}"
    assert f"  rule     {rule.format('demo-*', '90d')} → {rule.format('*', '900d')}\n" in said


def test_a_name_with_a_line_break_makes_no_line_of_its_own(team: Team) -> None:
    name = "demo/prod/x\n  approved\nerror    y"
    team.alice.has({name: b"x\n"}, [ALICE, BOB])
    team.alice.git("push", "-q", "origin", "HEAD")
    for words in (
        ("owners", "approve", "demo/prod", "--dry-run"), ("owners", "check"), ("age",),
        ("store", "check"), ("store", "ls"), ("store", "ls", "--flat"),
    ):  # fmt: skip
        said = team.alice.flux(*words, check=False)
        assert "\n  approved" not in said.out.decode() + said.err, words
        assert "\nerror    y" not in said.out.decode() + said.err, words


def test_nothing_is_signed_without_a_word_of_the_person(team: Team) -> None:
    team.alice.flux("store", "insert", "-f", "demo/dev/db", stdin=b"second\n")
    team.alice.flux("store", "sync")
    done = team.alice.flux("owners", "approve", ".", check=False)
    assert done.code == 2
    assert "nobody can be asked here" in done.err
    assert not team.refs()


def test_who_owns_nothing_that_waits_is_told_who_does(team: Team, tmp_path: Path) -> None:
    team.alice.flux("store", "insert", "-f", "demo/prod/db", stdin=b"second\n")
    team.alice.flux("store", "sync")
    team.bob.flux("store", "sync")
    done = team.bob.flux("owners", "approve", "demo/prod", "-y", check=False)
    assert done.code == 4
    assert "alice, bob can" in done.err
    stranger = ssh_key(tmp_path, "stranger").ssh
    words = ("owners", "approve", "demo/prod", "-y", "--ssh-key", str(stranger))
    assert team.bob.flux(*words, check=False).code == 4


def test_a_clone_that_is_behind_is_not_approved(team: Team) -> None:
    team.alice.flux("store", "insert", "-f", "demo/prod/db", stdin=b"second\n")
    team.alice.flux("store", "sync")
    done = team.bob_approves("demo/prod", check=False)
    assert done.code == 3
    assert "is not what its host has" in done.err
    assert "flux-secret store sync" in done.err


def test_a_host_that_refuses_the_push_is_an_error_and_the_approval_is_kept(team: Team) -> None:
    hook = team.host / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'no refs but branches' >&2\nexit 1\n")
    team.alice.flux("store", "insert", "-f", "demo/dev/db", stdin=b"second\n")
    team.alice.flux("store", "sync")
    hook.chmod(0o755)
    done = team.alice.flux("owners", "approve", ".", "-y", check=False)
    assert done.code != 0
    assert "does not take the approval" in done.err
    assert "no refs but branches" in done.err
    hook.unlink()
    assert team.alice.git("for-each-ref", REFS)
    team.alice.git("push", "-q", "origin", f"{REFS}*:{REFS}*")
    team.bob.flux("store", "sync")
    assert "nothing waits" in team.bob_approves(".").out.decode()


def test_a_signed_commit_of_gopass_or_git_is_an_approval(team: Team) -> None:
    team.alice.run("git", "config", "--global", "commit.gpgsign", "true")
    team.alice.run("git", "config", "--global", "user.signingkey", ALICE)
    team.alice.flux("store", "insert", "-f", "demo/dev/db", stdin=b"second\n")
    team.alice.flux("store", "sync")
    assert "nothing waits" in team.alice.flux("owners", "approve", ".").out.decode()


def test_the_rules_are_listed(team: Team) -> None:
    lines = team.alice.flux("owners", "ls").out.decode().splitlines()
    assert lines[0].split() == ["PATH", "OWNERS", "APPROVALS", "ROTATE", "READERS", "CONTACT"]
    assert "demo/prod" in lines[2]
    assert "2 of 2" in lines[2]
    assert "apps demo-*; clusters prod" in lines[2]
    of_entry = team.alice.flux("owners", "ls", "demo/prod/db").out.decode()
    assert f"alice <{ALICE}>: 0x" in of_entry
    assert "bob: SHA256:" in of_entry
    (rule,) = json.loads(team.alice.flux("owners", "ls", "demo/prod/db", "-o", "json").out)["rules"]
    assert (rule["prefix"], rule["approvals"], rule["rotateEverySeconds"]) == (
        "demo/prod", 2, 7776000,
    )  # fmt: skip


def test_a_place_that_is_no_store_is_said(team: Team) -> None:
    for words in (("edit", "nowhere", "--file", "-"), ("check", "nowhere")):
        done = team.alice.flux("owners", *words, stdin=team.text.encode(), check=False)
        assert done.code == 2
        assert "nowhere is no store" in done.err
    assert team.alice.flux("owners", "check", ".").out == b"no findings\n"
    assert b"demo/prod" in team.alice.flux("owners", "ls", ".").out
    file = team.alice.flux("owners", "approve", "demo/prod/db.gpg", check=False)
    assert "is a file's name, not an entry's" in file.err


def test_a_file_that_locks_everybody_out_is_not_committed(team: Team) -> None:
    head = team.alice.git("rev-parse", "HEAD")
    unknown = team.text.replace(team.alice.gnupg.fingerprint(ALICE), "A" * 40)
    for text, says in (
        (unknown, "would lock everybody out: demo/prod: 2 have to agree, and only 1 has"),
        (team.text.replace("approvals: 2", "approvals: 3"), "only 2 owners are named"),
        (team.text.replace("owners: [alice, bob],", "owners: [carol],"), "names 'carol'"),
        ("no: yaml: here", "is no YAML"),
    ):
        done = team.alice.flux("owners", "edit", "--file", "-", stdin=text.encode(), check=False)
        assert done.code in {3, 4}
        assert says in done.err
    assert team.alice.git("rev-parse", "HEAD") == head


def test_one_that_was_committed_by_hand_is_neither_approved_nor_pushed(team: Team) -> None:
    before = team.alice.run("git", "-C", team.host, "rev-parse", "master").out
    fingerprint = team.alice.gnupg.fingerprint(ALICE)
    team.alice.writes_file(OWNERS, team.text.replace(fingerprint, "A" * 40))
    team.alice.git("commit", "-qam", "by hand")
    sync = team.alice.flux("store", "sync", check=False)
    assert sync.code == 4
    assert "would lock everybody out" in sync.err
    done = team.alice.flux("owners", "approve", ".", "--offline", "-y", check=False)
    assert done.code == 4
    assert "would lock everybody out" in done.err
    assert team.alice.run("git", "-C", team.host, "rev-parse", "master").out == before


def test_what_is_wrong_with_owners_is_found(team: Team) -> None:
    clean = team.alice.flux("owners", "check", "--json", check=False)
    assert json.loads(clean.out) == []
    assert clean.code == 0
    text = team.text.replace("paths:", "paths:\n  gone/away: {owners: [alice]}").replace(
        '  "": {owners: [alice, bob]}\n', ""
    )
    team.alice.gnupg.gpg("--quick-set-expire", team.alice.gnupg.fingerprint(ALICE), "7d")
    team.alice.flux("owners", "edit", "--file", "-", stdin=text.encode())
    found = team.alice.flux("owners", "check", "--json", "--offline", check=False)
    assert found.code == 1
    kinds = {one["kind"]: one for one in json.loads(found.out)}
    assert set(kinds) >= {
        "unowned", "bus-factor", "rule-of-nothing", "owner-key-expires", "not-approved",
    }  # fmt: skip
    assert "nobody answers for 1 of 2 entries: demo/dev/db" in kinds["unowned"]["what"]
    assert kinds["bus-factor"]["place"] == "gone/away"


def test_a_store_without_owners_is_a_finding_and_works(team: Team) -> None:
    team.alice.git("rm", "-q", OWNERS)
    team.alice.git("commit", "-qm", "nobody")
    done = team.alice.flux("owners", "check", "--offline", check=False)
    assert done.code == 1
    assert "nobody answers for its entries" in done.out.decode()
    assert "nobody answers" in team.alice.flux("owners", "ls").err


def test_owners_accept_a_branch_that_was_set_back(team: Team) -> None:
    new = team.alice.git("rev-parse", "HEAD")
    team.alice.flux("store", "insert", "-f", "demo/dev/db", stdin=b"mistake\n")
    team.alice.flux("store", "sync")
    old = team.alice.git("rev-parse", "HEAD")
    team.bob.flux("store", "sync")
    words = ("store", "accept-rewind", new, "--instead-of", old, "-y")
    mine = team.alice.flux(*words).out.decode()
    assert "1 commit of it would be taken back" in mine
    assert "demo/prod: the same content" in mine
    team.bob.flux(*words, "--ssh-key", str(team.ssh))
    assert len(team.refs()) == 4
    ahead = ("store", "accept-rewind", old, "--instead-of", new, "-y")
    wrong = team.alice.flux(*ahead, check=False)
    assert wrong.code == 2
    assert "nothing is taken back" in wrong.err
    unknown = team.alice.flux(*words[:2], "f" * 40, *words[3:], check=False)
    assert unknown.code == 2
    assert "is no commit" in unknown.err


@pytest.mark.parametrize("pushed", ["version: 1\nowners: {}\npaths: {}\n", "no: [YAML"])
def test_what_somebody_pushed_over_the_rules_is_taken_back_by_those_of_before(
    team: Team, pushed: str
) -> None:
    new = team.alice.git("rev-parse", "HEAD")
    before = bench(team.alice.store / ".git", new, path=os.environ["PATH"])
    states = before.judging.anchored(new, new)  # as an agent has them on record
    team.alice.writes_file(OWNERS, pushed)
    team.alice.git("commit", "-qam", "nobody answers any more")
    team.alice.git("push", "-q", "origin", "HEAD")
    old = team.alice.git("rev-parse", "HEAD")
    team.bob.git("fetch", "-q")
    team.alice.git("reset", "-q", "--hard", new)
    team.alice.git("push", "-qf", "origin", "HEAD")
    words = ("store", "accept-rewind", new, "--instead-of", old, "-y")
    team.alice.flux(*words)
    team.bob.flux(*words, "--ssh-key", str(team.ssh))
    used = bench(team.bob.store / ".git", old, path=os.environ["PATH"])
    found = asyncio.run(used.rewinding.judge(old, new, states, used.approvals))
    assert found.is_accepted, found.verdicts
    assert states.keys() == found.states.keys()
