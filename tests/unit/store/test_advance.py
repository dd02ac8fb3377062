"""Stores go forwards only, whoever of several replicas reads them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from flux_secret.errors import IntegrityError, StoreRewoundError, UnreachableError
from flux_secret.model.delivery import StoreRevision
from flux_secret.model.names import StoreName
from flux_secret.outside.kubernetes import ConflictError
from flux_secret.outside.kubernetes.body import Json, parse
from flux_secret.store.advance import TRIES, Advance
from flux_secret.store.standing import MAX_REWINDS, Standing, read_standing

APPS = StoreName("apps")
A, B, C, X = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)
CONTAINS = {A: A, B: A + B, C: A + B + C, X: A + X}
"""X leads away from B."""


@dataclass
class Repository:
    """A store's mirror and its commits."""

    commit: str = A
    outage: str = ""
    path: Path = Path("/mirror")
    address: str = "https://git.example.org/store"
    here: set[str] = field(default_factory=lambda: {A, B, C, X})
    gone: bool = False
    kept: str = ""
    newer: str = ""
    """What a second fetch gives."""
    fetched: int = 0

    async def fetch(self, _branch: str | None) -> Repository:
        self.fetched += 1
        if self.newer and self.fetched > 1:
            self.commit = self.newer
            self.here.add(self.newer)
        return replace(self)

    def condemn(self) -> None:
        raise AssertionError

    async def has(self, commit: str) -> bool:
        return commit in self.here

    async def leads_to(self, old: str, new: str) -> bool:
        return {old, new} <= self.here and old in CONTAINS[new]

    async def bring(self, commit: str) -> bool:
        if not self.gone:
            self.here.add(commit)
        return commit in self.here

    async def approvals(self) -> str:
        return ""

    async def keep(self, commit: str) -> None:
        self.kept = commit


@dataclass
class Records:
    """The cluster."""

    standing: Standing = field(default_factory=lambda: Standing(APPS))
    reads: int = 0
    meanwhile: list[str] = field(default_factory=list)
    """What other replicas write, each just before we do."""

    async def read(self, _name: StoreName) -> Standing:
        self.reads += 1
        return self.standing

    async def write(self, standing: Standing) -> Standing:
        if self.meanwhile:
            self.standing = replace(
                self.standing, commit=self.meanwhile.pop(0), resource_version=str(self.reads)
            )
        if standing.resource_version != self.standing.resource_version:
            raise ConflictError("changed")
        self.standing = replace(standing, resource_version=f"{standing.resource_version}1")
        return self.standing


@dataclass
class Replica:
    """One agent."""

    records: Records = field(default_factory=Records)
    repository: Repository = field(default_factory=Repository)
    accepted: str = ""

    def __post_init__(self) -> None:
        accepted = {APPS: self.accepted} if self.accepted else {}
        self.gate = Advance(self.records, lambda _name: self.repository, accepted)

    async def reads(self, head: str) -> str:
        self.repository.commit = head
        admitted = await self.gate.admit(APPS, self.repository)
        if admitted.refusal:
            assert admitted.revision.seen == head
            return f"{admitted.revision.commit} and not {head}"
        assert admitted.revision == StoreRevision(head)
        return admitted.revision.commit


async def test_the_first_head_is_trusted_and_each_that_contains_it() -> None:
    one = Replica()
    assert await one.reads(A) == A
    assert await one.reads(C) == C
    assert one.records.standing.commit == one.repository.kept == C
    assert one.records.standing.url == one.repository.address


async def test_a_head_that_is_on_record_asks_the_cluster_nothing() -> None:
    one = Replica()
    await one.reads(A)
    await one.reads(A)
    assert one.records.reads == 1


@pytest.mark.parametrize("head", [A, X])
async def test_what_takes_back_is_refused_and_what_counts_is_read_on(head: str) -> None:
    one = Replica()
    await one.reads(B)
    assert await one.reads(head) == f"{B} and not {head}"
    assert one.records.standing.commit == one.repository.kept == B
    assert await one.reads(C) == C


async def test_another_replica_refuses_what_it_has_never_read_itself() -> None:
    one = Replica()
    await one.reads(B)
    another = Replica(one.records, Repository(here={A}))
    assert await another.reads(A) == f"{B} and not {A}"


async def test_a_commit_that_is_nowhere_is_not_replaced() -> None:
    one = Replica()
    await one.reads(B)
    another = Replica(one.records, Repository(here={A}, gone=True))
    with pytest.raises(StoreRewoundError, match="nothing is read of it"):
        await another.reads(A)


async def test_who_is_late_looks_again_before_anybody_is_blamed() -> None:
    one = Replica()
    await one.reads(B)
    late = Replica(one.records, Repository(here={A}, newer=B))
    admitted = await late.gate.admit(APPS, late.repository)
    assert admitted.revision == StoreRevision(B)
    assert admitted.refusal is None


async def test_an_old_copy_is_not_read_while_the_host_is_silent() -> None:
    one = Replica()
    await one.reads(B)
    late = Replica(one.records, Repository(here={A}, outage="from the last good copy"))
    with pytest.raises(UnreachableError, match="may be older"):
        await late.reads(A)


async def test_replicas_that_write_at_once_agree() -> None:
    one = Replica()
    await one.reads(A)
    one.records.meanwhile = [B]
    assert await one.reads(C) == C
    one.records.meanwhile = [B]
    one.repository.commit = X
    one.records.standing = replace(one.records.standing, commit=A)
    one.gate = Advance(one.records, lambda _name: one.repository, {})
    assert await one.reads(X) == f"{B} and not {X}"


async def test_who_never_gets_a_turn_gives_up() -> None:
    one = Replica()
    await one.reads(A)
    one.records.meanwhile = [A] * TRIES
    with pytest.raises(UnreachableError, match="again and again"):
        await one.reads(B)


async def test_an_accepted_rewind_counts_once() -> None:
    one = Replica(accepted=A)
    await one.reads(B)
    assert await one.reads(A) == A
    assert one.records.standing.rewinds == (A,)
    await one.reads(B)
    assert await one.reads(A) == f"{B} and not {A}"


async def test_an_accepted_rewind_counts_with_what_came_after_it() -> None:
    one = Replica(accepted=X)
    await one.reads(B)
    CONTAINS["e" * 40] = A + X + "e" * 40
    one.repository.here.add("e" * 40)
    assert await one.reads("e" * 40) == "e" * 40


async def test_another_commit_than_the_accepted_one_is_refused() -> None:
    one = Replica(accepted=X)
    await one.reads(B)
    assert await one.reads(A) == f"{B} and not {A}"


def config_map(standing: Standing) -> dict[str, Json]:
    return dict(parse(standing.to_body("flux")))


def test_a_record_is_read_as_it_was_written() -> None:
    wrote = Standing(StoreName("team/apps"), A, "https://git.example.org/store", (B, C))
    assert read_standing(config_map(wrote)) == wrote


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"store.json": "no"},
        {"store.json": f'{{"schema": 2, "store": "apps", "commit": "{A}"}}'},
        {"store.json": f'{{"schema": 1, "store": "other", "commit": "{A}"}}'},
        {"store.json": '{"schema": 1, "store": "apps", "commit": "--upload-pack"}'},
        {"store.json": "[" * 100_000},
    ],
)
def test_a_damaged_record_is_no_empty_one(data: dict[str, Json]) -> None:
    with pytest.raises(IntegrityError, match="is damaged"):
        read_standing({**config_map(Standing(APPS, A)), "data": data})


async def test_old_rewinds_are_forgotten_for_new_ones() -> None:
    spent = tuple(f"{number:040x}" for number in range(MAX_REWINDS))
    one = Replica(Records(Standing(APPS, B, rewinds=spent)), accepted=X)
    assert await one.reads(X) == X
    assert one.records.standing.rewinds == (*spent[1:], X)
