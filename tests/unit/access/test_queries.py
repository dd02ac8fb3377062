"""Who can come to an entry, and what somebody can come to: each with the way."""

from __future__ import annotations

import pytest

from flux_secret.access.assemble import Facts, assemble
from flux_secret.access.graph import Graph, Kind, Node
from flux_secret.access.queries import around, what, who
from flux_secret.access.rbac import Grant, Subject
from flux_secret.errors import UsageError
from flux_secret.model.access import (
    Answering,
    Circle,
    Holder,
    Named,
    Runs,
    Sealed,
    StoreAccess,
    Use,
)

ALICE = Holder("A" * 40, "Alice <alice@example.org>")
BOB = Holder("B" * 40, "Bob <bob@example.org>")
DB, API = "apps/demo/db", "apps/demo/api"


@pytest.fixture
def graph() -> Graph:
    file = Circle(".gpg-id", (Named(ALICE, f"0x{'A' * 16}"),))
    sealed = (Sealed(DB, "1", file, (BOB,)), Sealed(API, "2", file, lacking=(ALICE,)))
    subjects = (Subject("ServiceAccount", "demo/app"), Subject("User", "eve"))
    return assemble(
        Facts(
            (StoreAccess("apps", sealed),),
            owners=(Answering(DB, "alice@example.org", "demo"),),
            uses=(Use("demo/shop", DB, ("demo/db",), "read by its last delivery"),),
            asked=True,
            grants=(Grant("RoleBinding demo/b", "Role demo/r", "demo", (), ("get",), subjects),),
            runs=(Runs("deployment.apps/shop", "demo", "app"),),
        )
    )


def names(found: object) -> list[str]:
    assert isinstance(found, tuple)
    return [str(one.node) for one in found]


def test_who_names_everybody_from_the_key_to_the_workload(graph: Graph) -> None:
    found = who(graph, DB)
    assert names(found.people) == [
        "person alice@example.org", "person bob@example.org", f"key {ALICE.key}", f"key {BOB.key}",
    ]  # fmt: skip
    assert names(found.cluster) == [
        "application demo/shop", "secret demo/db", "user eve", "group system:masters",
        "serviceaccount demo/app", "workload demo/deployment.apps/shop",
    ]  # fmt: skip
    assert [edge.source.name for edge in found.owners] == ["alice@example.org"]
    eve = next(one for one in found.cluster if one.node.name == "eve")
    assert [edge.target.kind for edge in eve.way] == [
        Kind.SECRET, Kind.PLACE, Kind.GRANT, Kind.USER,
    ]  # fmt: skip
    assert [edge.why for edge in who(graph, API).said] == [
        f"the entry is not encrypted to {ALICE} yet"
    ]


@pytest.mark.parametrize(
    ("asked", "entries", "secrets"),
    [
        ("alice@example.org", [API, DB], []),
        ("BOB@example.org", [DB], []),
        ("0x" + "b" * 16, [DB], []),
        ("b" * 40, [DB], []),
        ("Bob <bob@example.org>", [DB], []),
        ("demo/shop", [DB], ["demo/db"]),
        ("eve", [DB], ["demo/db"]),
        ("user eve", [DB], ["demo/db"]),
        ("demo/app", [DB], ["demo/db"]),
        ("demo/db", [DB], []),
    ],
)
def test_what_gives_what_one_can_come_to(
    graph: Graph, asked: str, entries: list[str], secrets: list[str]
) -> None:
    (one,) = what(graph, asked)
    assert [found.node.name for found in one.entries] == entries
    assert [found.node.name for found in one.secrets] == secrets


def test_what_gives_everything_that_a_name_may_mean(graph: Graph) -> None:
    """The App and the workload of a team have one name."""
    assert [one.node.kind for one in what(graph, "shop")] == [Kind.APP, Kind.WORKLOAD]


def test_what_says_what_one_answers_for(graph: Graph) -> None:
    (alice,) = what(graph, "alice@example.org")
    assert [edge.target for edge in alice.answers] == [Node(Kind.ENTRY, DB)]


@pytest.mark.parametrize("asked", ["apps/demo/dbb", "db"])
def test_an_entry_that_is_not_there_is_told_with_what_is_like_it(graph: Graph, asked: str) -> None:
    with pytest.raises(UsageError, match="no entry") as failure:
        who(graph, asked)
    assert DB in failure.value.remedy


@pytest.mark.parametrize("asked", ["mallory", "", "AAAA", "apps/demo/api2"])
def test_somebody_who_is_not_there_is_an_error(graph: Graph, asked: str) -> None:
    with pytest.raises(UsageError, match="no person, key or App"):
        what(graph, asked)


def test_around_keeps_what_is_connected_and_nothing_else(graph: Graph) -> None:
    bob = around(graph, "bob@example.org")
    assert {node.name for node in bob.nodes if node.kind is Kind.ENTRY} == {DB}
    assert Node(Kind.USER, "eve") in bob.nodes
    api = around(graph, API)
    assert Node(Kind.USER, "eve") not in api.nodes
    assert Node(Kind.PERSON, "alice@example.org") in api.nodes
    assert not any(edge.source not in api.nodes for edge in api.edges)
    with pytest.raises(UsageError, match="no entry, person, key or App"):
        around(graph, "mallory")
