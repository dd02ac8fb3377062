"""Owned folders are read each at its own commit, and everything else at the head."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from flux_secret.errors import AccessError, EntryNotFoundError
from flux_secret.model.delivery import Read, StoreRevision
from flux_secret.model.giturl import GitUrl
from flux_secret.model.target import Source, Target
from flux_secret.outside.workers.messages import packed, unpacked
from flux_secret.store.composed import AnyTree, ComposedTree, opened
from flux_secret.store.crypto.age import AgeDecryptor
from flux_secret.store.crypto.ageidentities import Identities
from flux_secret.store.interface import Decryptors
from flux_secret.store.pinned import OpenedPins, PinnedStore, Pins
from flux_secret.store.reader import PinnedStores
from flux_secret.store.recorded import Reads
from unit.store.test_reader import APPS, FakeCommit, FakeDecryptor, whole

HEAD, OLD, OLDER = "f" * 40, "a" * 40, "b" * 40
TARGET = Target(Source(GitUrl.parse("file:///ops"), "main"), "demo", frozenset({APPS}))
PLACE = Path("/store.git")
DECRYPTORS = Decryptors(FakeDecryptor(), AgeDecryptor(Identities()))
AT_HEAD = {
    ".gpg-id": b"0xAAAA\n0xEVIL\n",
    "open.gpg": b"ENC:open, new",
    "demo/dev.gpg": b"ENC:dev, new",
    "demo/prod/db.gpg": b"ENC:moved here",
    "demo/prod/evil.gpg": b"ENC:added",
    "demo/prod/free/x.gpg": b"ENC:x, new",
}
AT_OLD = {
    ".gpg-id": b"0xAAAA\n",
    "open.gpg": b"ENC:open, old",
    "demo/dev.gpg": b"ENC:dev, old",
    "demo/prod/db.gpg": b"ENC:approved",
    "demo/prod/gone.gpg": b"ENC:still there",
    "demo/prod/free/x.gpg": b"ENC:x, old",
}


class Commits:
    """A bare repository; blobs are found whichever commit has them."""

    def __init__(self, commits: Mapping[str, Mapping[str, bytes]]) -> None:
        self.commits = commits
        self.opened: list[str] = []

    def open(self, _repository: Path, commit: str) -> FakeCommit:
        self.opened.append(commit)
        made = FakeCommit(self.commits[commit])
        made.commit = commit
        return made


def store(
    *approved: tuple[str, str], commits: Mapping[str, Mapping[str, bytes]] | None = None
) -> AnyTree:
    kept = Commits(commits or {HEAD: AT_HEAD, OLD: AT_OLD})
    return opened(kept.open, PLACE, StoreRevision(HEAD, approved=approved))


async def value(tree: AnyTree, name: str, reads: list[Read] | None = None) -> bytes:
    reader = PinnedStores(TARGET, {APPS: tree}, DECRYPTORS, Reads([] if reads is None else reads))
    return (await reader.read(whole(f"apps/{name}"))).reveal().rstrip()


async def test_what_owners_have_not_agreed_to_is_read_as_it_was() -> None:
    tree, reads = store(("demo/prod", OLD)), list[Read]()
    assert await value(tree, "demo/prod/db", reads) == b"approved"
    assert await value(tree, "demo/prod/gone", reads) == b"still there"
    assert await value(tree, "demo/dev", reads) == b"dev, new"
    assert await value(tree, "open", reads) == b"open, new"
    assert [read.commit for read in reads] == [OLD, OLD, HEAD, HEAD]


async def test_an_entry_that_was_added_is_not_there_and_the_reason_names_the_commit() -> None:
    reads = list[Read]()
    with pytest.raises(EntryNotFoundError, match=f"in store apps at {OLD[:12]}"):
        await value(store(("demo/prod", OLD)), "demo/prod/evil", reads)
    assert [read.commit for read in reads] == [OLD]


async def test_the_longest_prefix_counts_and_an_entry_may_be_one() -> None:
    tree = store(("demo/prod", OLD), ("demo/prod/free", HEAD))
    assert await value(tree, "demo/prod/free/x") == b"x, new"
    assert await value(tree, "demo/prod/db") == b"approved"
    tree = store(("demo/prod/db", OLD))
    assert await value(tree, "demo/prod/db") == b"approved"
    assert await value(tree, "demo/prod/evil") == b"added"


async def test_the_whole_store_may_be_owned() -> None:
    tree = store(("", OLD), ("demo/prod", HEAD))
    assert await value(tree, "open") == b"open, old"
    assert await value(tree, "demo/prod/db") == b"moved here"


def test_only_what_counts_is_listed() -> None:
    tree = store(("demo/prod", OLD), ("demo/prod/free", HEAD))
    assert tree.names == ("demo/dev", "demo/prod/db", "demo/prod/free/x", "demo/prod/gone", "open")


def test_recipients_are_those_that_were_agreed_to() -> None:
    tree = store(("demo/prod", OLD))
    assert tree.at("demo/prod/db").wanted_recipients("demo/prod/db") == ("0xAAAA",)
    assert tree.at("open").wanted_recipients("open") == ("0xAAAA", "0xEVIL")


async def test_a_link_leads_to_nothing_that_nobody_agreed_to() -> None:
    commits = {
        HEAD: {"a/x.gpg": b"->../b/y.gpg", "b/y.gpg": b"ENC:unapproved"},
        OLD: {"a/x.gpg": b"->../b/y.gpg", "b/y.gpg": b"ENC:approved"},
    }
    tree = store(("a", HEAD), ("b", OLD), commits=commits)
    assert await value(tree, "a/x") == b"approved"
    tree = store(("b", OLD), commits={HEAD: {**commits[HEAD], "b/z.gpg": b"->y.gpg"}, OLD: {
        "b/y.gpg": b"->z.gpg", "b/z.gpg": b"->y.gpg"}})  # fmt: skip
    with pytest.raises(AccessError, match="in circles"):
        await value(tree, "a/x")


async def test_a_store_may_have_changed_from_openpgp_to_age_meanwhile() -> None:
    head = {".age-recipients": b"age1\n", "demo/prod/db.age": b"", "open.age": b""}
    tree = store(("demo/prod", OLD), commits={HEAD: head, OLD: AT_OLD})
    assert tree.names == ("demo/prod/db", "demo/prod/free/x", "demo/prod/gone", "open")
    assert await value(tree, "demo/prod/db") == b"approved"


def test_a_store_whose_head_counts_is_opened_once() -> None:
    kept = Commits({HEAD: AT_HEAD})
    assert not isinstance(opened(kept.open, PLACE, StoreRevision(HEAD)), ComposedTree)
    assert kept.opened == [HEAD]


async def test_a_worker_reads_the_same() -> None:
    revision = StoreRevision(HEAD, approved=(("demo/prod", OLD),), approvals="0123")
    pins = Pins({APPS: PinnedStore(PLACE, revision)})
    kept = Commits({HEAD: AT_HEAD, OLD: AT_OLD})
    there = OpenedPins(unpacked(packed(pins)), kept.open, DECRYPTORS)
    async with there.reader(TARGET, []) as reader:
        assert (await reader.read(whole("apps/demo/prod/db"))).reveal() == b"approved\n"
        assert reader.revisions == {APPS: revision}


def test_what_was_seen_of_a_store_changes_with_its_approvals() -> None:
    assert StoreRevision(HEAD).seen == HEAD
    assert StoreRevision(OLD, head=HEAD).seen == HEAD
    assert StoreRevision(HEAD, approvals="0123").seen == f"{HEAD}+0123"
