"""gopass 1.16, pass and a plain git know nothing of owners, and work beside them as ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulators.person import Person, person

ME, BOB = "me@example.org", "bob@example.org"
OWNERS = ".flux-secret/owners.yaml"
REFS = "refs/flux-secret/approvals/"


@dataclass(frozen=True)
class Team:
    """Two people with gopass, one host."""

    me: Person
    bob: Person
    host: Path

    def host_refs(self, pattern: str = REFS) -> list[str]:
        words = ("git", "-C", self.host, "for-each-ref", "--format=%(refname)", pattern)
        return self.me.run(*words).out.decode().split()


@pytest.fixture
def team(tmp_path: Path, gopass: Path) -> Iterator[Team]:
    with ExitStack() as stack:
        me, bob = (
            stack.enter_context(person(tmp_path / email.partition("@")[0], [email], gopass=gopass))
            for email in (ME, BOB)
        )
        me.knows(bob, BOB)
        bob.knows(me, ME)
        host = tmp_path / "host.git"
        me.run("git", "init", "-q", "--bare", host)
        me.makes_store(ME, BOB)
        me.has({"demo/prod/db": b"first\n", "other": b"other\n"}, [ME, BOB])
        me.git("remote", "add", "origin", str(host))
        mine, his = me.gnupg.fingerprint(ME), bob.gnupg.fingerprint(BOB)
        text = (
            f'version: 1\nowners:\n  me: {{keys: ["openpgp:{mine}"]}}\n'
            f'  bob: {{keys: ["openpgp:{his}"]}}\npaths:\n'
            "  demo/prod: {owners: [me, bob]}\n"
        )
        me.flux("owners", "edit", "--file", "-", stdin=text.encode())
        me.flux("store", "sync")
        bob.run("git", "clone", "-q", host, bob.store)
        for one in (me, bob):
            one.gopasses("config", "core.autopush", "true")
        yield Team(me, bob, host)


def test_an_unsigned_commit_of_gopass_is_approved_afterwards(team: Team) -> None:
    team.me.gopasses("insert", "-f", "demo/prod/db", stdin=b"second\n")
    team.me.gopasses("sync")
    team.bob.gopasses("sync")
    waits = team.bob.flux("owners", "check", check=False)
    assert "demo/prod: waits for its owners: the signature of 1 of bob, me" in waits.out.decode()
    assert "approved" in team.bob.flux("owners", "approve", "demo/prod", "-y").out.decode()
    assert len(team.host_refs()) == 1
    # nobody's gopass sees anything of it, and it goes on
    before = team.me.git("for-each-ref")
    team.me.gopasses("sync")
    assert REFS not in team.me.git("for-each-ref")
    assert before == team.me.git("for-each-ref")
    assert team.me.gopasses("show", "-o", "demo/prod/db").out == b"second"
    team.me.gopasses("insert", "-f", "other", stdin=b"newer\n")
    assert len(team.host_refs()) == 1


def test_gopass_and_pass_see_no_entry_and_leave_the_files(team: Team) -> None:
    before = {path: team.me.git("show", f"HEAD:{path}") for path in [OWNERS]}
    assert "flux-secret" not in team.me.gopasses("ls", "-f").out.decode()
    assert "flux-secret" not in team.me.passes("ls").out.decode()
    team.me.gopasses("fsck")
    team.me.gopasses("--yes", "recipients", "remove", "--force", f"{BOB}")
    team.me.passes("insert", "-m", "new", stdin=b"by pass\n")
    team.me.passes("mv", "new", "newer")
    assert {path: team.me.git("show", f"HEAD:{path}") for path in [OWNERS]} == before
    keys = team.me.git("ls-tree", "--name-only", "HEAD", ".flux-secret/keys/").split()
    assert len(keys) == 2
    assert team.me.git("status", "--porcelain") == ""


def test_store_check_knows_the_files(team: Team) -> None:
    said = team.me.flux("store", "check", check=False).out.decode()
    assert "flux-secret/" not in said


def test_a_plain_clone_has_no_approvals(team: Team, tmp_path: Path) -> None:
    team.me.gopasses("insert", "-f", "demo/prod/db", stdin=b"second\n")
    team.me.gopasses("sync")
    team.me.flux("owners", "approve", "demo/prod", "-y")
    assert team.host_refs()
    team.bob.run("git", "clone", "-q", team.host, tmp_path / "plain")
    refs = team.bob.run("git", "-C", tmp_path / "plain", "for-each-ref").out.decode()
    assert "approvals" not in refs
