"""`flux-secret access what`: everything that a person, a key or an App can come to, and how."""

from __future__ import annotations

from typing import Any

import click

from flux_secret.access.graph import Graph, Reached
from flux_secret.access.queries import What
from flux_secret.access.queries import what as asked
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
@click.argument("name", metavar="PERSON|KEY|APP")
@looking_options
@click.option("-o", "--output", type=click.Choice(("table", "json", "yaml")), default="table",
              show_default=True, help="How it is written.")  # fmt: skip
def what(name: str, output: str, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Show what a person, a key, an App, or somebody of the cluster can come to, and how.

    A person is named by their address, a key by its id, an App by NAMESPACE/NAME; a user, a group,
    a service account, a workload or a Secret of the cluster may be named, too.
    """
    graph = looked(given)
    found = asked(graph, name)
    if output != "table":
        say_data({"found": [_data(one) for one in found], "findings": list(graph.findings),
                  "unseen": list(graph.unseen)}, output)  # fmt: skip
        return
    for number, one in enumerate(found):
        if number:
            voice.say("")
        _say(graph, one)
    say_limits(graph)


def _say(graph: Graph, one: What) -> None:
    entries = voice.counted(len(one.entries), "entry", "entries")
    secrets = f", {voice.counted(len(one.secrets), 'Secret')}" if one.secrets else ""
    voice.say(f"{named(graph, one.node)}: {entries}{secrets}")
    for edge in one.answers:
        voice.say(f"answers for {edge.target.name} ({edge.why.partition(': ')[2]})")
    rows = [
        (named(graph, found.node), told(graph, found)) for found in (*one.entries, *one.secrets)
    ]
    if rows:
        for line in table(("WHAT", "HOW"), rows):
            voice.say(line)


def _data(one: What) -> dict[str, Any]:
    def reached(found: Reached) -> dict[str, Any]:
        return {"name": found.node.name, "way": way_json(found.way)}

    return {
        "kind": one.node.kind.value,
        "name": one.node.name,
        "entries": [reached(found) for found in one.entries],
        "secrets": [reached(found) for found in one.secrets],
        "answersFor": [edge.target.name for edge in one.answers],
    }
