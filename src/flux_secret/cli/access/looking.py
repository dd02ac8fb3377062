"""The flags of `access who|what|graph`: where to look; and how a way is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import click

from flux_secret.access.assemble import BINDS, CLAIMED, PART
from flux_secret.access.graph import Edge, Graph, Kind, Node, Reached
from flux_secret.cli import voice
from flux_secret.cli.looking_options import delivery_options, looking_flags
from flux_secret.settings.access import AccessSettings
from flux_secret.wiring.graphs import graph_of

F = TypeVar("F", bound=Callable[..., Any])
_WORDS: Final[Mapping[Kind, str]] = {
    Kind.PLACE: "every Secret of", Kind.RECIPIENTS: "", Kind.GRANT: "",
    Kind.BUNDLE: "what is delivered by",
}  # fmt: skip
_PLAIN: Final = frozenset({CLAIMED, PART, BINDS})


def looking_options(command: F) -> F:
    """Add where to look."""
    for option in reversed((
        click.option("--store", metavar="NAME[=FOLDER]", multiple=True,
                     help="A mounted store, or a clone under a name. Default: all mounted."),
        delivery_options,
        click.option("--cluster-name", default="", metavar="NAME",
                     help="How owners' rules name the cluster; else those about clusters do not "
                     "count."),
        click.option("--through-pods", is_flag=True,
                     help="Count who may start pods, or open a shell in one, too."),
    )):  # fmt: skip
        command = option(command)
    return command


def looked(given: Mapping[str, Any]) -> Graph:
    """Make the graph of what the flags name; say what is odd about it."""
    own = ("store", "through_pods", "cluster_name")
    flags = looking_flags(given, **{name: given[name] for name in own})
    return asyncio.run(graph_of(AccessSettings.load(flags)))


def say_limits(graph: Graph) -> None:
    """Say what is in doubt, and what nobody looked at."""
    for one in graph.findings:
        voice.warn(one)
    for one in graph.unseen:
        voice.note(f"not seen: {one}")


def named(graph: Graph, node: Node) -> str:
    """Name a node for people."""
    words = _WORDS.get(node.kind, node.kind.value)
    name = "the cluster" if node.kind is Kind.PLACE and node.name == "*" else node.name
    label = graph.labels.get(node, "")
    return " ".join(filter(None, (words, name, label and f"({label})")))


def told(graph: Graph, reached: Reached) -> str:
    """Tell a way: what lies between its ends, each with why one comes there if that says more."""
    steps = [
        f"{named(graph, edge.target)}" + (f" [{edge.why}]" if edge.why not in _PLAIN else "")
        for edge in reached.way[:-1]
    ]
    last = reached.way[-1].why
    return " → ".join(steps if steps and last in _PLAIN else [*steps, last])


def way_json(way: Iterable[Edge]) -> list[dict[str, str]]:
    """Give a way for programs."""
    return [{"from": str(one.source), "to": str(one.target), "why": one.why} for one in way]
