"""Ways round owners: by names, by damaged trees, by signatures that were used up, by a lost memory.

What is asserted is the ciphertext that would be read, as the agent reads it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from flux_secret.errors import IntegrityError
from flux_secret.model.approval import Purpose, State, Statement
from flux_secret.model.delivery import StoreRevision
from flux_secret.model.names import StoreName
from flux_secret.model.store import NO_ANCHOR
from flux_secret.outside.objects import Commit
from flux_secret.store.composed import opened
from flux_secret.store.standing import Standing
from flux_secret.store.tree import StoreTree
from flux_secret.wiring.owners import Owners
from simulators.gnupg import Home, home
from simulators.owned import OWNERS, OwnedStore, Signatory, people_yaml, ssh_key
from simulators.repositories import Content

ONE = "  demo/prod: {owners: [alice, bob]}\n"
FILES: Mapping[str, Content] = {
    ".gpg-id": "0xALICE\n",
    "demo/prod/db.gpg": "production 1",
    "demo/dev/db.gpg": "development 1",
    "other.gpg": "other",
}


@pytest.fixture(scope="module")
def gnupg() -> Iterator[Home]:
    with home() as made:
        made.signing_key("alice@example.org")
        yield made


@pytest.fixture
def alice(gnupg: Home) -> Signatory:
    return Signatory("alice", gnupg)


@pytest.fixture
def bob(tmp_path: Path) -> Signatory:
    return ssh_key(tmp_path, "bob")


@pytest.fixture
def mallory(tmp_path: Path) -> Signatory:
    return ssh_key(tmp_path, "mallory")


@pytest.fixture
def store(tmp_path: Path, alice: Signatory, bob: Signatory) -> OwnedStore:
    return OwnedStore.create(tmp_path / "store", [alice, bob], ONE, FILES)


async def read(store: OwnedStore, name: str) -> str:
    """Give what an agent would decrypt."""
    found = await store.judge()
    approved = tuple((prefix, one.commit) for prefix, one in sorted(found.states.items()))
    revision = StoreRevision(found.head, approved=approved)
    located = opened(Commit, store.git_dir, revision).find(name)
    return located.tree.ciphertext(located.blob).decode() if located else "-"


def with_rule(store: OwnedStore, who: Signatory, prefix: str, rules: str) -> str:
    people = [*store.people, who]
    return (
        f"version: 1\nowners:\n{people_yaml(people)}paths:\n{rules}"
        f"  {prefix}: {{owners: [{who.name}]}}\n"
    )


@pytest.mark.parametrize("extension", [".gpg", ".age"])
async def test_a_rule_for_an_entrys_file_takes_no_entry_from_its_owners(
    tmp_path: Path, alice: Signatory, bob: Signatory, mallory: Signatory, extension: str
) -> None:
    rules = "  demo/prod/db: {owners: [alice, bob], approvals: 2}\n"
    recipients = ".gpg-id" if extension == ".gpg" else ".age-recipients"
    files = {recipients: "x\n", f"demo/prod/db{extension}": "production 1"}
    store = OwnedStore.create(tmp_path / "store", [alice, bob], rules, files)
    text = with_rule(store, mallory, f"demo/prod/db{extension}", rules)
    store.commit({OWNERS: text, f"demo/prod/db{extension}": "evil"}, by=mallory)
    await store.approve(mallory)
    assert await read(store, "demo/prod/db") == "production 1"


async def test_a_signed_commit_that_was_used_up_counts_no_second_time_in_another_armor(
    store: OwnedStore, alice: Signatory
) -> None:
    git = store.repository.git
    was = store.commit({"demo/prod/db.gpg": "leaked"}, by=alice)
    assert await read(store, "demo/prod/db") == "leaked"
    git("checkout", "-q", "HEAD~1", "--", "demo/prod/db.gpg")
    store.commit({}, by=alice, text="back")
    assert await read(store, "demo/prod/db") == "production 1"
    # mallory writes the same commit with a comment in its armor: another id, the same signature
    text = git("cat-file", "commit", was)
    text = text.replace("SIGNATURE-----\n", "SIGNATURE-----\n Comment: again\n", 1)
    again = git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode()).strip()
    assert again != was
    git("merge", "-q", "--no-ff", "-s", "ours", "-m", "merge", again)
    store.commit({"demo/prod/db.gpg": "leaked"})
    assert await read(store, "demo/prod/db") == "production 1"


async def test_the_same_from_the_anchor_on(store: OwnedStore, alice: Signatory) -> None:
    git, anchor = store.repository.git, store.states
    was = store.commit({"demo/prod/db.gpg": "leaked"}, by=alice)
    git("checkout", "-q", "HEAD~1", "--", "demo/prod/db.gpg")
    store.commit({}, by=alice, text="back")
    text = git("cat-file", "commit", was)
    text = text.replace("SIGNATURE-----\n", "SIGNATURE-----\n Comment: again\n", 1)
    again = git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode()).strip()
    git("merge", "-q", "--no-ff", "-s", "ours", "-m", "merge", again)
    store.commit({"demo/prod/db.gpg": "leaked"})
    store.states = anchor
    assert await read(store, "demo/prod/db") == "production 1"


async def test_a_rule_that_came_after_the_anchor_is_taken_over_by_nobody_later(
    store: OwnedStore, alice: Signatory, mallory: Signatory
) -> None:
    anchor = store.states
    rules = f"{ONE}  demo/dev: {{owners: [alice]}}\n"
    store.commit({OWNERS: store.text(store.people, rules)}, by=alice)
    assert await read(store, "demo/dev/db") == "development 1"
    assert "demo/dev" in store.states
    text = with_rule(store, mallory, "demo/dev", ONE)
    head = store.commit({OWNERS: text, "demo/dev/db.gpg": "evil"}, by=mallory)
    content = store.bench().judging.content(head, "demo/dev")
    store.keep(
        Statement(Purpose.CHANGE, store.first, "demo/dev", None, State(head, content)), mallory
    )
    assert await read(store, "demo/dev/db") == "development 1"
    store.states = anchor  # as after the loss of its memory
    assert await read(store, "demo/dev/db") == "development 1"


@pytest.mark.parametrize("evil_first", [True, False])
async def test_a_name_that_stands_twice_in_a_folder_makes_nothing_count(
    tmp_path: Path, alice: Signatory, bob: Signatory, evil_first: bool
) -> None:
    rules = f"  '': {{owners: [alice]}}\n{ONE}"
    store = OwnedStore.create(tmp_path / "store", [alice, bob], rules, FILES)
    repository = store.repository
    good = repository.git("rev-parse", "HEAD:demo/prod").strip()
    evil = repository.tree(("100644", b"db.gpg", repository.blob(b"evil")))
    both = [("40000", b"prod", evil), ("40000", b"prod", good)]
    dev = repository.git("rev-parse", "HEAD:demo/dev").strip()
    demo = repository.tree(("40000", b"dev", dev), *(both if evil_first else reversed(both)))
    lines = repository.git("ls-tree", "HEAD").splitlines()
    entries = []
    for line in lines:
        about, _, name = line.partition("\t")
        mode, _, one = about.split()
        entries.append((mode.lstrip("0"), name.encode(), demo if name == "demo" else one))
    repository.commit_tree(repository.tree(*entries))
    assert await read(store, "demo/prod/db") == "production 1"
    (held,) = {one.problem for one in (await store.judge()).held}
    assert "'prod' stands there twice" in held


async def test_the_recipients_file_at_the_root_does_not_exchange_an_entry_for_one_of_age(
    tmp_path: Path, alice: Signatory, bob: Signatory
) -> None:
    files = {
        ".gpg-id": "x\n",
        ".age-recipients": "x\n",
        "demo/prod/.gpg-id": "x\n",
        "demo/prod/db.gpg": "new",
        "demo/prod/db.age": "old",
    }
    store = OwnedStore.create(tmp_path / "store", [alice, bob], ONE, files)
    assert await read(store, "demo/prod/db") == "new"
    store.commit({".gpg-id": None})
    assert await read(store, "demo/prod/db") == "new"


async def test_a_folder_called_like_an_entrys_file_is_owned_by_those_above(
    tmp_path: Path, alice: Signatory, bob: Signatory
) -> None:
    rules = f"  demo: {{owners: [alice]}}\n{ONE}"
    files = {**FILES, "demo/prod.gpg/x.gpg": "good"}
    store = OwnedStore.create(tmp_path / "store", [alice, bob], rules, files)
    assert await read(store, "demo/prod.gpg/x") == "good"
    store.commit({"demo/prod.gpg/x.gpg": "evil"})
    assert await read(store, "demo/prod.gpg/x") == "good"


async def test_a_rewound_head_with_a_broken_owners_file_is_refused_as_any_other(
    store: OwnedStore,
) -> None:
    old = store.repository.head
    store.repository.git("checkout", "-q", "--orphan", "x")
    head = store.commit({OWNERS: "nonsense: ["})
    used = store.bench()
    found = await used.rewinding.judge(old, head, store.states, ())
    assert not found.is_accepted
    assert "no YAML" in found.verdicts[0].problem


async def test_too_many_files_of_keys_are_refused_as_a_revocation_could_be_among_them(
    store: OwnedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flux_secret.access.keys.MAX_FILES", 3)
    store.commit({".public-keys/1": "1", ".public-keys/2": "2"})
    store.bench()
    store.commit({".public-keys/3": "3"})
    with pytest.raises(IntegrityError, match="more than 3 files of keys"):
        store.bench()


async def test_the_folders_of_keys_and_rules_hold_no_entry(
    tmp_path: Path, alice: Signatory, bob: Signatory
) -> None:
    rules = "  '': {owners: [alice, bob]}\n"
    store = OwnedStore.create(tmp_path / "store", [alice, bob], rules, FILES)
    store.commit({".public-keys/x.gpg": "evil", ".flux-secret/y.gpg": "evil"})
    assert await read(store, ".public-keys/x") == "-"


async def test_a_change_that_somebody_puts_back_at_once_counts_when_its_owners_have_signed_it(
    store: OwnedStore, alice: Signatory
) -> None:
    """The agent sees only the newest commit, in which nothing seems to have changed."""
    first, name = store.repository.head, StoreName.parse("apps")
    store.commit({"demo/prod/db.gpg": "rotated"}, by=alice)
    signed = store.repository.head
    store.commit({"demo/prod/db.gpg": "production 1"})
    owners = Owners(os.environ["PATH"], lambda _store: NO_ANCHOR)
    standing = Standing(name, store.repository.head, states=store.states, began=first)
    agreed = await owners.judge(store.git_dir, standing, "")
    assert agreed.standing.states["demo/prod"].commit == signed
    assert [one.prefix for one in agreed.held] == ["demo/prod"]


async def test_who_judges_many_rules_leaves_others_their_turn(
    tmp_path: Path, alice: Signatory, bob: Signatory
) -> None:
    rules = "".join(f"  team/{n}: {{owners: [alice, bob]}}\n" for n in range(20))
    store = OwnedStore.create(tmp_path / "store", [alice, bob], rules, FILES)
    store.commit({"other.gpg": "x"})
    judging = asyncio.create_task(store.judge())
    turns = 0
    while not judging.done():  # as an agent's leases, which have to be renewed meanwhile
        await asyncio.sleep(0)
        turns += 1
    assert turns > 20
    assert not judging.result().held


async def test_who_looks_through_many_new_commits_leaves_others_their_turn(
    tmp_path: Path, alice: Signatory, bob: Signatory
) -> None:
    """Whoever may push can push thousands that touch nothing owned."""
    rules = "".join(f"  team/{n}: {{owners: [alice, bob]}}\n" for n in range(20))
    store = OwnedStore.create(tmp_path / "store", [alice, bob], rules, FILES)
    owners = Owners(os.environ["PATH"], lambda _: NO_ANCHOR)
    known = Standing(StoreName.parse("apps"), store.repository.head)
    known = (await owners.judge(store.git_dir, known, "")).standing
    for n in range(20):
        store.repository.commit({"other.gpg": f"{n}"})
    new = replace(known, commit=store.repository.head)
    judging = asyncio.create_task(owners.judge(store.git_dir, new, ""))
    turns = 0
    while not judging.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 20
    assert {one.commit for one in judging.result().standing.states.values()} == {new.commit}


ELSEWHERE = "1234567890123456789012345678901234567890"


@pytest.mark.parametrize(
    "place", [".public-keys/x", ".flux-secret/keys/x", OWNERS, ".gpg-id", "demo/prod/.gpg-id"]
)
async def test_a_submodule_in_a_stores_history_keeps_nothing_from_its_readers(
    store: OwnedStore, place: str
) -> None:
    """What it names is in no clone: who took it for a file would miss an object for ever."""
    git = store.repository.git
    git("update-index", "--add", "--cacheinfo", f"160000,{ELSEWHERE},{place}")
    git("commit", "-qm", "a submodule")
    assert await read(store, "demo/prod/db") == "production 1"
    assert await read(store, "other") == "other"
    git("revert", "--no-edit", "HEAD")
    assert await read(store, "demo/prod/db") == "production 1"
    assert not (await store.judge()).held


async def test_a_submodule_in_an_entrys_place_is_no_entry(store: OwnedStore) -> None:
    for place in ("demo/prod/db.gpg", "demo/dev/db.gpg"):
        words = ("update-index", "--add", "--cacheinfo", f"160000,{ELSEWHERE},{place}")
        store.repository.git(*words)
    store.repository.git("commit", "-qm", "submodules")
    assert await read(store, "demo/prod/db") == "production 1"
    assert await read(store, "demo/dev/db") == "-"
    assert StoreTree(Commit(store.git_dir, store.repository.head)).names == ("other",)
