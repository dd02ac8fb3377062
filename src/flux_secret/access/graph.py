"""Nodes and edges, frozen: where a value goes, from a person's key to what runs with it.

    person → key → recipients file → entry → application → Secret → grant → account → workload

An edge that `carries` brings the value, or the right to read it, a step further; one that does not
says something about its ends, as who answers for an entry. Names of kinds are those people type.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final


class Kind(enum.Enum):
    """What a node is."""

    PERSON = "person"
    KEY = "key"
    RECIPIENTS = "recipients"
    """A recipients file: whom it names can read what lies below it."""
    ENTRY = "entry"
    APP = "application"
    BUNDLE = "bundle"
    """What an application delivers, where nobody knows which value is in which Secret."""
    SECRET = "secret"  # noqa: S105 -- a word
    PLACE = "place"
    """Every Secret of a namespace, or of the cluster."""
    GRANT = "grant"
    """A binding of Kubernetes' RBAC."""
    USER = "user"
    GROUP = "group"
    ACCOUNT = "serviceaccount"
    WORKLOAD = "workload"


ORDER: Final[Mapping[Kind, int]] = {kind: number for number, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Node:
    """One thing; two with the same kind and name are the same."""

    kind: Kind
    name: str

    def __hash__(self) -> int:
        """Leave the kind out: an enum's hash is made by Python, and there are many nodes."""
        return hash(self.name)

    def __lt__(self, other: Node) -> bool:
        return (ORDER[self.kind], self.name) < (ORDER[other.kind], other.name)

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """One step, and why it is there."""

    source: Node
    target: Node
    why: str
    carries: bool = True
    """Whether a value, or the right to read it, goes this way."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A node, and one of the shortest ways to it."""

    node: Node
    way: tuple[Edge, ...]
    """In the direction of the edges; empty for where one begins."""


@dataclass(frozen=True)
class Graph:
    """Everything that is known, sorted; and what is known not to be in it."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    labels: Mapping[Node, str] = field(default_factory=dict)
    """More of a name for people: whose a key says it is."""
    findings: tuple[str, ...] = ()
    """What is wrong, or in doubt, in sentences."""
    unseen: tuple[str, ...] = ()
    """What nobody looked at, in sentences."""

    @classmethod
    def of(
        cls, edges: Iterable[Edge], nodes: Iterable[Node] = (),
        labels: Mapping[Node, str] | None = None,
        findings: Iterable[str] = (), unseen: Iterable[str] = (),
    ) -> Graph:  # fmt: skip
        """Sort, and keep each once."""
        kept = sorted({*edges}, key=_edge_key)
        met = {*nodes, *(one.source for one in kept), *(one.target for one in kept)}
        return cls(
            tuple(sorted(met, key=_node_key)), tuple(kept), labels or {},
            tuple(dict.fromkeys(findings)), tuple(dict.fromkeys(unseen)),
        )  # fmt: skip

    def below(self, start: Node) -> list[Reached]:
        """Give what a value comes to from here, the nearest first; without where it begins."""
        return self._reached(start, self._out, forward=True)

    def above(self, end: Node) -> list[Reached]:
        """Give from where a value comes here, the nearest first."""
        return self._reached(end, self._in, forward=False)

    def about(self, node: Node) -> Sequence[Edge]:
        """Give the edges to and from a node that carry nothing."""
        return [edge for edge in self._said.get(node, ()) if not edge.carries]

    def has(self, node: Node) -> bool:
        """Say whether there is such a node."""
        return node in self._set

    @cached_property
    def _set(self) -> frozenset[Node]:
        return frozenset(self.nodes)

    @cached_property
    def _out(self) -> Mapping[Node, Sequence[Edge]]:
        return _by(lambda edge: edge.source, self.edges)

    @cached_property
    def _in(self) -> Mapping[Node, Sequence[Edge]]:
        return _by(lambda edge: edge.target, self.edges)

    @cached_property
    def _said(self) -> Mapping[Node, Sequence[Edge]]:
        found: dict[Node, list[Edge]] = {}
        for edge in self.edges:
            if not edge.carries:
                found.setdefault(edge.source, []).append(edge)
                found.setdefault(edge.target, []).append(edge)
        return found

    @staticmethod
    def _reached(
        start: Node, steps: Mapping[Node, Sequence[Edge]], *, forward: bool
    ) -> list[Reached]:
        """Walk breadth first: the way that is found first is a shortest one."""
        came: dict[Node, Edge | None] = {start: None}
        waiting = deque([start])
        while waiting:
            for edge in steps.get(waiting.popleft(), ()):
                node = edge.target if forward else edge.source
                if node not in came:
                    came[node] = edge
                    waiting.append(node)
        return [Reached(node, _way(node, came, forward)) for node in came if node != start]


def _way(node: Node, came: Mapping[Node, Edge | None], forward: bool) -> tuple[Edge, ...]:  # noqa: FBT001 -- the direction
    """Give the edges between where one began and a node, in the direction of the edges."""
    way: list[Edge] = []
    while (edge := came[node]) is not None:
        way.append(edge)
        node = edge.source if forward else edge.target
    return tuple(reversed(way)) if forward else tuple(way)


def _by(key: Callable[[Edge], Node], edges: Iterable[Edge]) -> Mapping[Node, Sequence[Edge]]:
    found: dict[Node, list[Edge]] = {}
    for edge in edges:
        if edge.carries:
            found.setdefault(key(edge), []).append(edge)
    return found


def _node_key(node: Node) -> tuple[int, str]:
    return ORDER[node.kind], node.name


def _edge_key(edge: Edge) -> tuple[tuple[int, str], tuple[int, str], str, bool]:
    return _node_key(edge.source), _node_key(edge.target), edge.why, edge.carries


def only(nodes: Iterable[Reached], *kinds: Kind) -> Iterator[Reached]:
    """Give those of some kinds."""
    return (one for one in nodes if one.node.kind in kinds)
