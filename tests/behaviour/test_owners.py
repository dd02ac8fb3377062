"""Attacks on an owned path of a store, told as stories: each is pushed, and none is delivered."""

from __future__ import annotations

import asyncio
import re
import shutil
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from behaviour.test_suspending import documents, two_apps
from flux_secret.model.approval import Approval, Purpose, State, Statement
from simulators.agents import Agent, address, agent, until, value
from simulators.owned import OWNERS, OwnedStore, Signatory, people_yaml, ssh_key
from simulators.ownedworld import BOTH, Owned, brought_in
from simulators.person import Person
from simulators.world import FIRST, SECOND, World

QUIET = ("--sync-interval=1h", "--git-poll-interval=1s")
TWO = "  demo: {owners: [person1, person2], approvals: 2}\n"
OTHER = """
apiVersion: v1
kind: Secret
metadata: {{name: other, namespace: {namespace}}}
stringData: {{value: ref+gopass://apps/free}}
"""


@pytest.fixture
def owned(world: World) -> Owned:
    people = [Signatory(name, gnupg=world.gnupg) for name in ("person1", "person2")]
    world.put("free", b"free\n")
    store = brought_in(world, TWO, *people)
    world.ops.commit({"other/secret.yaml": OTHER.format(namespace=world.namespace)})
    made = Owned(world, store)
    world.deliver()  # its namespace
    assert made.delivered() == FIRST
    return made


def test_a_change_counts_when_two_owners_have_signed_it(owned: Owned) -> None:
    commit = owned.put("demo", SECOND)
    done = owned.world.deliver(path=BOTH)
    assert done.code == 0
    assert f"demo at {commit[:12]} is not approved" in done.err
    assert "person1, person2" in done.err
    assert "flux-secret owners approve apps demo" in done.err
    assert owned.world.secret()[0] == FIRST
    owned.approve(owned.first)
    done = owned.world.deliver(path=BOTH)
    assert "the signature of person2 is missing" in done.err
    assert owned.world.secret()[0] == FIRST
    owned.approve(owned.second)
    done = owned.world.deliver(path=BOTH)
    assert (done.code, "approved" in done.err) == (0, False)
    assert owned.world.secret()[0] == SECOND


def test_a_commit_that_an_owner_signs_is_one_signature(owned: Owned) -> None:
    encrypted = owned.world.encrypted(SECOND)
    owned.store.commit({"demo.gpg": encrypted}, by=owned.first)
    done = owned.world.deliver(path=BOTH)
    assert "the signature of person2 is missing" in done.err
    owned.approve(owned.second)
    assert owned.delivered() == SECOND


def test_what_waits_on_one_path_holds_back_no_other(owned: Owned) -> None:
    owned.put("demo", SECOND)
    owned.put("free", b"free, too\n")
    assert owned.delivered() == FIRST
    assert owned.other() == b"free, too"


def test_ciphertext_that_is_moved_to_an_owned_path_is_not_delivered(owned: Owned) -> None:
    free = (owned.world.store.path / "free.gpg").read_bytes()
    owned.world.store.commit({"demo.gpg": free}, "Rename")
    assert owned.delivered() == FIRST


def test_an_old_value_is_not_put_back_and_its_old_approval_is_used_up(owned: Owned) -> None:
    owned.agreed("demo", SECOND)
    assert owned.delivered() == SECOND
    owned.agreed("demo", b"third\n")
    assert owned.delivered() == b"third\n"
    owned.world.store.git("checkout", "--quiet", "HEAD~1", "--", "demo.gpg")
    owned.world.store.git("commit", "--quiet", "--message", "put back")
    assert owned.delivered() == b"third\n"


def test_a_recipient_who_is_added_makes_nothing_count(owned: Owned) -> None:
    stranger = f"0x{owned.world.gnupg.fingerprint('stranger@example.org')[-16:]}"
    ids = (owned.world.store.path / ".gpg-id").read_text()
    readers = [*owned.world.readers, "stranger@example.org"]
    encrypted = owned.world.gnupg.encrypt(SECOND, readers)
    owned.world.store.commit({".gpg-id": f"{ids}{stranger}\n", "demo.gpg": encrypted})
    done = owned.world.deliver(path=BOTH)
    assert "demo at" in done.err
    assert owned.world.secret()[0] == FIRST
    assert owned.other() == b"free"


def test_recipients_that_change_above_an_owned_path_are_a_change_of_it(owned: Owned) -> None:
    stranger = f"0x{owned.world.gnupg.fingerprint('stranger@example.org')[-16:]}"
    ids = (owned.world.store.path / ".gpg-id").read_text()
    owned.world.store.commit({".gpg-id": f"{ids}{stranger}\n"}, "Added recipient")
    done = owned.world.deliver(path=BOTH)
    assert "demo at" in done.err
    assert "is not approved" in done.err


@pytest.mark.parametrize("kind", ["removed", "weakened", "overtaken"])
def test_an_owners_file_that_one_owner_changes_is_not_followed(owned: Owned, kind: str) -> None:
    stranger = Signatory("stranger", gnupg=owned.world.gnupg)
    rules = {
        "removed": None,
        "weakened": owned.store.text(owned.store.people, TWO.replace("2}", "1}")),
        "overtaken": "version: 1\nowners:\n"
        + people_yaml([stranger])
        + "paths:\n  demo: {owners: [stranger]}\n",
    }[kind]
    owned.store.commit({OWNERS: rules}, by=owned.first)
    owned.store.commit({"demo.gpg": owned.world.encrypted(SECOND)}, by=owned.first)
    owned.approve(owned.first, stranger)
    assert owned.delivered() == FIRST
    assert "the signature of person2 is missing" in owned.world.deliver(path=BOTH).err


def test_owners_change_their_file_together(owned: Owned) -> None:
    owned.store.owners(TWO.replace("2}", "1}"))
    owned.approve(owned.first, owned.second)
    assert owned.delivered() == FIRST
    asyncio.run(owned.store.judge())
    owned.put("demo", SECOND)
    owned.approve(owned.second)
    assert owned.delivered() == SECOND


def test_a_forged_approval_counts_for_nothing(owned: Owned) -> None:
    owned.put("demo", SECOND)
    (good,) = owned.approve(owned.first)
    forger = Signatory("stranger", gnupg=owned.world.gnupg)
    owned.store.put(Approval(good.statement, forger.sign(good.statement.encode())))
    owned.store.put(Approval(good.statement, b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n"))
    other = Statement(good.statement.purpose, good.statement.store, "free", None,
                      good.statement.new)  # fmt: skip
    owned.store.put(Approval(other, owned.second.sign(other.encode())))
    owned.store.put(Approval(good.statement, owned.second.sign(other.encode())))
    done = owned.world.deliver(path=BOTH)
    assert owned.world.secret()[0] == FIRST
    assert "the signature of person2 is missing" in done.err
    assert "does not count" in done.err


def test_a_store_that_is_rewound_needs_its_owners(owned: Owned) -> None:
    before = owned.world.store.head
    owned.agreed("demo", SECOND)
    assert owned.delivered() == SECOND
    owned.world.store.git("reset", "--quiet", "--hard", before)
    flag = f"--accept-store-rewind=apps={before}"
    for flags in ((), (flag,)):  # the flag is for stores that nobody owns
        done = owned.world.deliver(*flags, path=BOTH)
        assert done.code == 6
        assert "store accept-rewind" in done.err
        assert owned.world.secret()[0] == SECOND


def test_owners_accept_a_rewind_together_and_once(owned: Owned) -> None:
    before = owned.world.store.head
    owned.agreed("demo", SECOND)
    assert owned.delivered() == SECOND
    after = owned.world.store.head
    judging = owned.store.bench().judging
    old, new = (State(commit, judging.content(commit, "demo")) for commit in (after, before))
    statement = Statement(Purpose.REWIND, owned.store.first, "demo", old, new)
    owned.world.store.git("reset", "--quiet", "--hard", before)
    owned.store.keep(statement, owned.first)
    assert owned.world.deliver(path=BOTH).code == 6
    assert owned.world.secret()[0] == SECOND
    owned.store.keep(statement, owned.second)
    assert owned.delivered() == FIRST
    owned.world.store.git("reset", "--quiet", "--hard", after)
    assert owned.delivered() == SECOND, "what they approved then counts again"
    owned.world.store.git("reset", "--quiet", "--hard", before)
    assert owned.world.deliver(path=BOTH).code == 6, "the acceptance is used up"
    assert owned.world.secret()[0] == SECOND


def test_a_fresh_machine_starts_from_what_is_on_record(owned: Owned) -> None:
    owned.agreed("demo", SECOND)
    assert owned.delivered() == SECOND
    owned.put("demo", b"nobody agreed\n")
    shutil.rmtree(owned.world.root / "cache")
    assert owned.delivered() == SECOND


def test_the_trust_anchor_says_which_owners_file_counts(owned: Owned, tmp_path: Path) -> None:
    evil = Signatory("stranger", gnupg=owned.world.gnupg)
    anchor = owned.world.store.head
    text = "version: 1\nowners:\n" + people_yaml([evil]) + "paths:\n  demo: {owners: [stranger]}\n"
    owned.store.commit({OWNERS: text, "demo.gpg": owned.world.encrypted(SECOND)}, by=evil)
    owned.world.kubectl("delete", "configmaps", "-n", f"{owned.world.namespace}-flux",
                        "-l", "flux-secret.io/store")  # fmt: skip
    done = owned.world.deliver(f"--store-anchor=apps={anchor}", path=BOTH)
    assert done.code == 0, done.err
    assert owned.world.secret()[0] == FIRST
    assert "person1, person2" in done.err
    wrong = owned.world.deliver(f"--store-anchor=apps={'0' * 40}", path=BOTH)
    assert wrong.code == 6
    keys = tmp_path / "keys"
    keys.write_text(f"{owned.first.key} # person1\n")
    unsigned = owned.world.deliver(f"--store-owner-keys=apps={keys}", path=BOTH)
    assert unsigned.code == 6
    assert "is signed by a key of its trust anchor" in unsigned.err
    assert owned.world.secret()[0] == FIRST


def test_keys_as_a_trust_anchor_find_the_commit_that_one_of_them_signed(
    world: World, tmp_path: Path
) -> None:
    alice = ssh_key(tmp_path, "alice")
    store = OwnedStore(world.store, (alice,))
    rules = "  demo: {owners: [alice]}\n"
    store.commit({OWNERS: store.text([alice], rules)}, by=alice)
    keys = tmp_path / "keys"
    keys.write_text(f"# whom we trust\n{alice.key}\n")
    flag = f"--store-owner-keys=apps={keys}"
    assert world.deliver(flag).code == 0
    world.put("demo", SECOND)
    done = world.deliver(flag)
    assert done.code == 0
    assert "the signature of alice is missing" in done.err
    assert world.secret()[0] == FIRST
    world.store.git("reset", "--quiet", "--hard", "HEAD~1")


def test_owners_say_which_applications_and_clusters_may_read(world: World) -> None:
    person = Signatory("person1", gnupg=world.gnupg)
    readers = "readers: {apps: [other], clusters: ['prod-*']}"
    brought_in(world, f"  demo: {{owners: [person1], {readers}}}\n", person)
    done = world.deliver()
    assert done.code == 4
    assert "its owners let clusters prod-* read it, and this one has no name" in done.err
    done = world.deliver("--cluster-name=prod-eu")
    assert done.code == 4
    assert "its owners let other read it" in done.err
    world.ops.commit({"demo/overlay/dev/note.txt": "x"})
    allowed = readers.replace("other", "'demo/*'")
    store = OwnedStore(world.store, (person,))
    store.commit({OWNERS: store.text([person], f"  demo: {{owners: [person1], {allowed}}}\n")},
                 by=person)  # fmt: skip
    assert world.deliver("--cluster-name=prod-eu").code == 0
    assert world.secret()[0] == FIRST


def test_a_link_leads_out_of_no_owned_path(owned: Owned) -> None:
    link = owned.world.store.path / "demo.gpg"
    link.unlink()
    link.symlink_to("free.gpg")
    owned.store.commit({}, text="link")
    assert owned.delivered() == FIRST
    owned.approve(owned.first, owned.second)  # they did not look where it leads
    done = owned.world.deliver(path=BOTH)
    assert done.code == 4
    assert "apps/demo is a link to apps/free, for which its owners do not answer" in done.err
    assert owned.world.secret()[0] == FIRST


def test_a_broken_owners_file_holds_back_what_is_owned_and_nothing_else(owned: Owned) -> None:
    owned.world.store.commit({OWNERS: "version: 1\nowners: {}\npaths: {demo: {owners: []}}\n"})
    owned.put("demo", SECOND)
    owned.put("free", b"free, too\n")
    assert owned.delivered() == FIRST
    assert owned.other() == b"free, too"


def test_a_store_without_owners_works_as_gopass_does(world: World) -> None:
    assert world.deliver().code == 0
    world.put("demo", SECOND)
    done = world.deliver()
    assert (done.code, "approve" in done.err) == (0, False)
    assert world.secret()[0] == SECOND


def metrics(running: Agent) -> str:
    with urllib.request.urlopen(f"{address(running)}/metrics", timeout=10) as answer:  # noqa: S310 -- ours
        return str(answer.read().decode())


def test_an_agent_says_what_waits_and_delivers_it_when_the_signature_comes(
    owned: Owned,
) -> None:
    world = owned.world
    with agent(world, *QUIET) as running:
        until(lambda: value(world) == FIRST)
        owned.put("demo", SECOND)
        until(lambda: running.has_said("msg=approval.missing"))
        until(lambda: "flux_secret_app_unapproved" in metrics(running))
        waits = f'flux_secret_app_unapproved{{name="flux",namespace="{world.namespace}-flux"}}'
        until(lambda: f"{waits} 1.0" in metrics(running))
        events = world.kubectl("get", "events", "-n", f"{world.namespace}-flux", "-o",
                               "jsonpath={.items[*].reason}").out  # fmt: skip
        assert "ApprovalMissing" in events
        assert value(world) == FIRST
        owned.approve(owned.first, owned.second)  # no commit comes with it
        until(lambda: value(world) == SECOND)
        until(lambda: f"{waits} 0.0" in metrics(running))
        assert running.stop() == 0


def a_person(world: World, store: Path) -> Person:
    """Somebody who has both owners' keys, and the store mounted as agents do."""
    home = world.root / "person"
    home.mkdir()
    config = home / ".config/gopass/config"
    config.parent.mkdir(parents=True)
    config.write_text(f'[mounts "apps"]\n\tpath = {store}\n')
    made = Person(home, world.gnupg)
    for words in (("user.name", "person1"), ("user.email", "person1@example.org")):
        made.run("git", "config", "--global", *words)
    made.run("git", "clone", "-q", world.store.path, store)
    return made


def test_the_commands_that_are_named_mend_it(owned: Owned, tmp_path: Path) -> None:
    world, clone = owned.world, tmp_path / "clone"
    world.store.git("config", "receive.denyCurrentBranch", "updateInstead")
    old = world.store.head
    owned.put("demo", SECOND)
    said = world.deliver(path=BOTH).err
    person = a_person(world, clone)
    command = re.search(r"flux-secret (owners approve apps demo[^\n;]*)", said)
    assert command is not None
    done = person.flux(*command[1].split(), "-y", check=False)
    assert done.code == 0, (done.out, done.err)
    assert re.search("the signature of person. is missing", world.deliver(path=BOTH).err)
    owned.approve(owned.first, owned.second)
    assert owned.delivered() == SECOND
    person.run("git", "-C", clone, "fetch", "-q")
    world.store.git("reset", "--quiet", "--hard", old)
    refused = world.deliver(path=BOTH)
    assert refused.code == 6
    command = re.search(r"flux-secret (store accept-rewind [^\n]*)", refused.err)
    assert command is not None
    done = person.flux(*command[1].split(), "-y", check=False)
    assert done.code == 0, (done.out, done.err)
    assert world.deliver(path=BOTH).code == 6, "one of two has agreed"
    assert world.secret()[0] == SECOND


def test_a_trust_anchor_that_is_put_into_the_settings_file_counts_at_once(world: World) -> None:
    person = Signatory("person1", gnupg=world.gnupg)
    anchor = brought_in(world, "  demo: {owners: [person1]}\n", person).repository.head
    with two_apps(world) as (running, file):
        until(lambda: value(world) == FIRST)
        assert running.has_said("msg=owners.trusted_on_first_use")
        trees: list[Any] = list(documents(world))
        for tree in trees:
            if tree["kind"] == "Store":
                tree["spec"]["owners"] = {"anchor": {"commit": anchor}}
        file.write_text(yaml.safe_dump_all(trees))
        until(lambda: running.has_said("msg=owners.anchored"))
        assert anchor in running.log.read_text()
