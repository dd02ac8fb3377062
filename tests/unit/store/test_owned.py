"""Who may read what of a store, as its owners say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import AccessError, ReadRefusedError
from flux_secret.model.approval import State
from flux_secret.model.delivery import Read, StoreRevision
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.target import Source, Target
from flux_secret.outside.workers.messages import packed, unpacked
from flux_secret.store.crypto.age import AgeDecryptor
from flux_secret.store.crypto.ageidentities import Identities
from flux_secret.store.interface import Decryptors
from flux_secret.store.owned import ReadRule, ReadRules
from flux_secret.store.pinned import OpenedPins, PinnedStore, Pins
from flux_secret.store.reader import About, PinnedStores
from flux_secret.store.recorded import Reads
from flux_secret.store.standing import Standing, read_standing
from flux_secret.store.tree import StoreTree
from unit.store.test_advance import A, B, config_map
from unit.store.test_reader import APPS, FakeCommit, FakeDecryptor, whole

TARGET = Target(
    Source(GitUrl.parse("file:///ops"), "main"), "", frozenset({APPS}), app="dev/demo-a"
)
DECRYPTORS = Decryptors(FakeDecryptor(), AgeDecryptor(Identities()))
FILES = {
    "prod/db.gpg": b"ENC:db\n",
    "prod/link.gpg": b"->db.gpg",
    "prod/out.gpg": b"->../free.gpg",
    "free.gpg": b"ENC:free\n",
    "in.gpg": b"->prod/db.gpg",
    "beside.gpg": b"->free.gpg",
}


def pinned(
    *rules: ReadRule, cluster: str = "", files: Mapping[str, bytes] = FILES
) -> tuple[PinnedStores, list[Read]]:
    reads: list[Read] = []
    about = About(rules={APPS: rules}, cluster=cluster)
    trees = {APPS: StoreTree(FakeCommit(files))}
    return PinnedStores(TARGET, trees, DECRYPTORS, Reads(reads), about), reads


@pytest.mark.parametrize(
    ("apps", "clusters", "says"),
    [
        (None, None, ""),
        (("dev/demo-*",), None, ""),
        (("*",), ("*",), ""),
        (("other", "*/demo-a"), ("prod-eu",), ""),
        (("demo-*",), None, "its owners let demo-* read it"),
        (("dev/demo-",), None, "its owners let dev/demo- read it"),
        (("dev.demo-a",), None, "its owners let dev.demo-a read it"),
        ((), None, "its owners let nobody read it"),
        (None, ("test",), "its owners let clusters test read it, and this one is 'prod-eu'"),
        (None, (), "its owners let clusters nobody read it, and this one is 'prod-eu'"),
    ],
)
def test_a_rule_names_applications_and_clusters(
    apps: Sequence[str] | None, clusters: Sequence[str] | None, says: str
) -> None:
    rule = ReadRule(
        "prod",
        None if apps is None else tuple(apps),
        None if clusters is None else tuple(clusters),
    )
    assert rule.refuses("dev/demo-a", "prod-eu") == says


def test_a_cluster_without_a_name_is_among_all_and_no_others() -> None:
    assert ReadRule("", None, ("*",)).refuses("x", "") == ""
    assert "this one has no name" in ReadRule("", None, ("prod",)).refuses("x", "")


@given(name=st.text("ab/", max_size=12), pattern=st.text("ab/*", max_size=8))
def test_a_pattern_means_what_the_expression_for_it_means(name: str, pattern: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    fits = re.fullmatch(expression, name) is not None
    assert (ReadRule("", (pattern,)).refuses(name, "") == "") == fits


def test_no_pattern_takes_long() -> None:
    """Whoever owns a path writes it: the whole agent would wait."""
    assert ReadRule("", ("*a" * 100 + "*b",)).refuses("a" * 1000, "")


def test_the_longest_prefix_counts() -> None:
    whole_store, prod, entry = ReadRule(""), ReadRule("prod"), ReadRule("prod/db")
    rules = ReadRules([whole_store, prod, entry])
    assert rules.of("prod/db") is entry
    assert rules.of("prod/db/x") is entry
    assert rules.of("prod/dbx") is prod
    assert rules.of("production") is whole_store
    assert ReadRules([prod]).of("production") is None


async def test_what_owners_do_not_let_it_read_is_refused_noted_and_not_listed() -> None:
    reader, reads = pinned(ReadRule("prod", ("other",)))
    with pytest.raises(ReadRefusedError, match="its owners let other read it") as refused:
        await reader.read(whole("apps/prod/db"))
    assert ".flux-secret/owners.yaml in store apps" in refused.value.remedy
    assert reads[0].error is refused.value
    assert [str(one) for one in await reader.entries("")] == [
        "apps/beside", "apps/free", "apps/in"
    ]  # fmt: skip


async def test_a_link_from_elsewhere_is_no_way_around_a_rule() -> None:
    reader, _ = pinned(ReadRule("prod", ("other",)))
    with pytest.raises(ReadRefusedError):
        await reader.read(whole("apps/in"))
    reader, _ = pinned(ReadRule("prod"))
    assert (await reader.read(whole("apps/in"))).reveal() == b"db\n"
    assert (await reader.read(whole("apps/beside"))).reveal() == b"free\n"


async def test_a_link_out_of_an_owned_path_is_refused() -> None:
    reader, _ = pinned(ReadRule("prod"))
    assert (await reader.read(whole("apps/prod/link"))).reveal() == b"db\n"
    with pytest.raises(AccessError, match="is a link to apps/free, for which its owners do not"):
        await reader.read(whole("apps/prod/out"))


def test_a_read_that_would_be_refused_now_does_not_repeat() -> None:
    before, _ = pinned()
    now, _ = pinned(ReadRule("prod", ()))
    read = Read(whole("apps/prod/db"), APPS, "c", "prod/db.gpg")
    assert before.would_repeat(read)
    assert not now.would_repeat(read)


async def test_a_worker_keeps_the_rules() -> None:
    rules = (ReadRule("prod", None, ("prod-*",)),)
    pins = Pins({APPS: PinnedStore(Path("/s"), StoreRevision(A), rules)}, cluster="test")
    there = OpenedPins(
        unpacked(packed(pins)), lambda _place, _commit: FakeCommit(FILES), DECRYPTORS
    )
    async with there.reader(TARGET, []) as reader:
        with pytest.raises(ReadRefusedError, match="this one is 'test'"):
            await reader.read(whole("apps/prod/db"))
        assert (await reader.read(whole("apps/free"))).reveal() == b"free\n"


def test_what_owners_agreed_to_is_on_record() -> None:
    states = {"": State(A, "1" * 64), "prod/db": State(B, "2" * 64)}
    wrote = Standing(StoreName("apps"), B, states=states, anchor=A)
    assert read_standing(config_map(wrote)) == wrote
