"""`flux-secret access graph`: the whole graph, or what is connected with one thing of it."""

from __future__ import annotations

from typing import Any

import click

from flux_secret.access.queries import around
from flux_secret.access.render import RENDERERS
from flux_secret.cli import voice
from flux_secret.cli.access.looking import looked, looking_options, say_limits


@click.command()
@click.argument("about", required=False)
@looking_options
@click.option("-o", "--output", type=click.Choice(tuple(sorted(RENDERERS))), default="mermaid",
              show_default=True, help="For Graphviz, for Markdown, or for programs.")  # fmt: skip
def graph(about: str | None, output: str, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Write the graph from people and keys to Secrets and what runs with them.

    ABOUT is an entry, a person, a key or an App: then only what is connected with it.
    """
    whole = looked(given)
    shown = around(whole, about.strip("/")) if about else whole
    voice.say(RENDERERS[output](shown))
    if output != "json":
        say_limits(whole)
