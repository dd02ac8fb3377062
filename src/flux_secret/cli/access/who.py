"""`flux-secret access who`: everybody and everything that can come to a secret, and how."""

from __future__ import annotations

from typing import Any

import click

from flux_secret.access.graph import Graph, Kind, Reached
from flux_secret.access.queries import Who
from flux_secret.access.queries import who as asked
from flux_secret.cli import voice
from flux_secret.cli.access.looking import (
    looked,
    looking_options,
    named,
    say_limits,
    told,
    way_json,
)
from flux_secret.cli.asking_options import say_data
from flux_secret.cli.tables import table


@click.command()
@click.argument("entry")
@looking_options
@click.option("-o", "--output", type=click.Choice(("table", "json", "yaml")), default="table",
              show_default=True, help="How it is written.")  # fmt: skip
def who(entry: str, output: str, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Show everybody and everything that can come to the value of ENTRY, each with the way."""
    graph = looked(given)
    found = asked(graph, entry.strip("/"))
    if output != "table":
        say_data(_data(graph, found), output)
        return
    for edge in found.owners:
        voice.say(f"{edge.source.name} {edge.why}")
    if not found.owners:
        voice.say("nobody answers for it: no rule of an owners file")
    for edge in found.said:
        voice.say(edge.why)
    _say(graph, "WHO CAN DECRYPT", [one for one in found.people if one.node.kind is Kind.KEY])
    _say(graph, "IN THE CLUSTER", found.cluster)
    say_limits(graph)


def _say(graph: Graph, title: str, reached: tuple[Reached, ...] | list[Reached]) -> None:
    if not reached:
        return
    voice.say("")
    rows = [(named(graph, one.node).removeprefix("key "), told(graph, one)) for one in reached]
    for line in table((title, "HOW"), rows):
        voice.say(line)


def _data(graph: Graph, found: Who) -> dict[str, Any]:
    def reached(one: Reached) -> dict[str, Any]:
        label = graph.labels.get(one.node, "")
        return {
            "kind": one.node.kind.value, "name": one.node.name,
            **({"label": label} if label else {}), "way": way_json(one.way),
        }  # fmt: skip

    return {
        "entry": found.entry.name,
        "owners": [{"owner": edge.source.name, "why": edge.why} for edge in found.owners],
        "notes": [edge.why for edge in found.said],
        "people": [reached(one) for one in found.people],
        "cluster": [reached(one) for one in found.cluster],
        "findings": list(graph.findings),
        "unseen": list(graph.unseen),
    }
