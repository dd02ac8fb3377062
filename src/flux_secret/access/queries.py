"""Graph + what a person asks → answers with the way that leads there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.access.graph import Edge, Graph, Kind, Node, Reached
from flux_secret.errors import UsageError

PEOPLE: Final = (Kind.PERSON, Kind.KEY)
"""Who reads from the store."""
CLUSTER: Final = (
    Kind.APP, Kind.SECRET, Kind.USER, Kind.GROUP, Kind.ACCOUNT, Kind.WORKLOAD,
)  # fmt: skip
"""What gets it in the cluster, and who may read it there."""
ASKED: Final = (
    Kind.PERSON, Kind.KEY, Kind.APP, Kind.USER, Kind.GROUP, Kind.ACCOUNT, Kind.WORKLOAD,
    Kind.SECRET,
)  # fmt: skip
"""What `what` may be asked about."""
_NEAR: Final = 3
_MIN_ID: Final = 8  # hex digits by which a key may be named
_CHANGED: Final = frozenset("0123456789ABCDEF")


@dataclass(frozen=True, slots=True)
class Who:
    """Everybody and everything that can come to one entry's value."""

    entry: Node
    owners: tuple[Edge, ...]
    said: tuple[Edge, ...]
    """What else is to be known of it."""
    people: tuple[Reached, ...]
    cluster: tuple[Reached, ...]


@dataclass(frozen=True, slots=True)
class What:
    """What one of them can come to."""

    node: Node
    entries: tuple[Reached, ...]
    secrets: tuple[Reached, ...]
    answers: tuple[Edge, ...]
    """What they answer for."""


def who(graph: Graph, name: str) -> Who:
    """Say who can come to an entry's value; raise `UsageError` for an entry that is not there."""
    entry = Node(Kind.ENTRY, name)
    if not graph.has(entry):
        raise _unknown(graph, name, "entry", (Kind.ENTRY,))
    about = graph.about(entry)
    owners = tuple(edge for edge in about if edge.source.kind is Kind.PERSON)
    above = [one for one in graph.above(entry) if one.node.kind in PEOPLE]
    below = [one for one in graph.below(entry) if one.node.kind in CLUSTER]
    return Who(
        entry, owners, tuple(edge for edge in about if edge not in owners),
        tuple(sorted(above, key=_of)), tuple(sorted(below, key=_of)),
    )  # fmt: skip


def what(graph: Graph, text: str) -> list[What]:
    """Say what everything that a text may mean can come to; raise `UsageError` for nothing."""
    found = [node for node in graph.nodes if node.kind in ASKED and is_meant(graph, node, text)]
    if not found:
        raise _unknown(graph, text, "person, key or App", ASKED)
    return [_what(graph, node) for node in found]


def _what(graph: Graph, node: Node) -> What:
    reached = graph.below(node) if node.kind in PEOPLE else graph.above(node)
    entries = [one for one in reached if one.node.kind is Kind.ENTRY]
    around = reached if node.kind is not Kind.APP else _delivered(graph, node)
    secrets = [one for one in around if one.node.kind is Kind.SECRET]
    if node.kind in PEOPLE:
        secrets = []  # they read entries; that the same values lie in Secrets gives them no more
    answers = [edge for edge in graph.about(node) if edge.target.kind is Kind.ENTRY]
    return What(
        node, tuple(sorted(entries, key=_of)), tuple(sorted(secrets, key=_of)), tuple(answers)
    )


def _delivered(graph: Graph, app: Node) -> Sequence[Reached]:
    return [
        Reached(edge.target, (edge,))
        for edge in graph.about(app)
        if edge.target.kind is Kind.SECRET
    ]


def around(graph: Graph, text: str) -> Graph:
    """Give the part of the graph that is connected with what a text may mean.

    Everything that a value passes before it and after it; raises `UsageError` for nothing.
    """
    entry = Node(Kind.ENTRY, text)
    meant = [node for node in graph.nodes if node.kind in ASKED and is_meant(graph, node, text)]
    meant += [entry] if graph.has(entry) else []
    if not meant:
        raise _unknown(graph, text, "entry, person, key or App", (Kind.ENTRY, *ASKED))
    ways = [
        one for node in meant for one in (*graph.below(node), *graph.above(node))
    ]  # fmt: skip
    kept = {*meant, *(one.node for one in ways)}
    edges = [edge for edge in graph.edges if edge.source in kept and edge.target in kept]
    edges += [edge for node in meant for edge in graph.about(node)]
    return Graph.of(edges, kept, graph.labels, graph.findings, graph.unseen)


def is_meant(graph: Graph, node: Node, text: str) -> bool:
    """Say whether a person may mean this: by its name, a key's id, an address, a part after `/`."""
    name = node.name
    if text in {name, str(node)} or name.rpartition("/")[2] == text != "":
        return True
    if node.kind is Kind.PERSON:
        return name.casefold() == text.casefold()
    if node.kind is Kind.KEY:
        digits = text.upper().removeprefix("0X")
        if len(digits) >= _MIN_ID and {*digits} <= _CHANGED:
            return name.upper().endswith(digits)
        label = graph.labels.get(node, "")
        return text.casefold() == label.casefold() != ""
    return False


def _unknown(graph: Graph, asked: str, noun: str, kinds: Sequence[Kind]) -> UsageError:
    names = [node.name for node in graph.nodes if node.kind in kinds]
    near = difflib.get_close_matches(asked, names, n=_NEAR) or [*_ending(names, asked)][:_NEAR]
    hint = f"did you mean {' or '.join(ascii(one)[1:-1] for one in near)}?" if near else ""
    listing = "flux-secret access graph -o json lists all there are"
    return UsageError(
        f"there is no {noun} {ascii(asked)[1:-1]} in the graph",
        remedy=f"{hint} {listing}".strip(),
    )


def _ending(names: Sequence[str], asked: str) -> Iterator[str]:
    return (name for name in names if asked and name.endswith(f"/{asked}"))


def _of(one: Reached) -> Node:
    return one.node
