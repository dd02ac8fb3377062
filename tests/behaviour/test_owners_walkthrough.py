"""The walkthrough goes on: two owners, and a production password that changes (docs/owners.md)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulators.owned import ssh_key
from simulators.person import Person, person
from simulators.world import FIRST, SECOND, World

RULES = """\
version: 1
owners:
  person1: {{keys: ["openpgp:{first}"], contact: person1@example.org}}
  person2: {{keys: ["{second}"]}}
paths:
  "": {{owners: [person1, person2]}}
  demo: {{owners: [person1, person2], approvals: 2, contact: "#team-demo"}}
"""


@pytest.fixture
def team(world: World, tmp_path: Path) -> Iterator[tuple[Person, Person]]:
    """Two people, each with a machine, a clone and only their own private key."""
    world.store.git("config", "receive.denyCurrentBranch", "updateInstead")
    with ExitStack() as stack:
        people = []
        for name in ("person1", "person2"):
            one = stack.enter_context(person(tmp_path / name))
            one.gnupg.gpg("--import", stdin=world.gnupg.private_key(f"{name}@example.org"))
            for other in world.readers:
                one.gnupg.gpg("--import", stdin=world.gnupg.public_key(other))
            one.run("git", "clone", "-q", world.store.path, one.store)
            people.append(one)
        yield people[0], people[1]


def test_a_production_password_changes_with_two_owners(
    world: World, team: tuple[Person, Person], tmp_path: Path
) -> None:
    first, second = team
    key = ssh_key(tmp_path, "id_ed25519")
    world.deliver()  # its namespace
    assert world.secret()[0] == FIRST

    # who answers for what, and a commit that the agent is told to trust
    text = RULES.format(first=first.gnupg.fingerprint("person1@example.org"), second=key.key)
    first.flux("owners", "edit", "--file", "-", stdin=text.encode())
    first.flux("store", "sync")
    anchor = f"--store-anchor=apps={world.store.head}"
    done = world.deliver(anchor)
    assert (done.code, "approved" in done.err) == (0, False)
    second.flux("store", "sync")
    assert second.flux("owners", "check").out == b"no findings\n"

    # a change waits; what was delivered stays
    second.flux("store", "insert", "-f", "demo", stdin=SECOND)
    second.flux("store", "sync")
    done = world.deliver(anchor)
    assert done.code == 0
    assert "the signature of person1, person2 is missing" in done.err
    assert "flux-secret owners approve apps demo" in done.err
    assert world.secret()[0] == FIRST

    # both look at it, and agree
    sign = ("owners", "approve", ".", "demo", "--ssh-key", str(key.ssh), "-y")
    assert "the signature of person1 is missing" in second.flux(*sign).out.decode()
    assert "the signature of person1 is missing" in world.deliver(anchor).err
    first.flux("store", "sync")
    assert "changed  demo  (" in first.flux("owners", "approve", "demo", "-n").out.decode()
    assert "  approved\n" in first.flux("owners", "approve", "demo", "-y").out.decode()
    done = world.deliver(anchor)
    assert (done.code, "approved" in done.err) == (0, False)
    assert world.secret()[0] == SECOND

    # somebody puts the old file back
    old = first.git("rev-list", "--max-count=1", "--skip=1", "HEAD", "--", "demo.gpg")
    first.git("checkout", "-q", old, "--", "demo.gpg")
    first.git("commit", "-qm", "it worked before")
    first.git("push", "-q", "origin", "HEAD")
    assert "is not approved" in world.deliver(anchor).err
    assert world.secret()[0] == SECOND


def test_a_new_owner_is_agreed_to_by_those_who_own_today(
    world: World, team: tuple[Person, Person], tmp_path: Path
) -> None:
    first, _ = team
    key, carol = ssh_key(tmp_path, "id_ed25519"), ssh_key(tmp_path, "carol")
    text = RULES.format(first=first.gnupg.fingerprint("person1@example.org"), second=key.key)
    first.flux("owners", "edit", "--file", "-", stdin=text.encode())
    first.flux("store", "sync")
    anchor = f"--store-anchor=apps={world.store.head}"
    world.deliver(anchor)
    more = text.replace("paths:", f'  carol: {{keys: ["{carol.key}"]}}\npaths:').replace(
        "[person1, person2], approvals: 2", "[person1, person2, carol], approvals: 1"
    )
    first.flux("owners", "edit", "--file", "-", stdin=more.encode())
    first.flux("store", "insert", "-f", "demo", stdin=SECOND)
    first.flux("store", "sync")
    hers = ("owners", "approve", "demo", "--ssh-key", str(carol.ssh), "-y")
    assert first.flux(*hers, check=False).code == 4
    said = first.flux("owners", "approve", "demo", "-y").out.decode()
    assert "rule     2 of person1, person2 → 1 of carol, person1, person2" in said
    assert "the signature of person2 is missing" in world.deliver(anchor).err
    first.flux("owners", "approve", "demo", "--ssh-key", str(key.ssh), "-y")
    world.deliver(anchor)
    assert world.secret()[0] == SECOND
