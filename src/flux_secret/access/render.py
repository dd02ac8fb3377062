"""Graph → Graphviz, Mermaid or JSON: sorted, stable, and no name breaks the syntax.

Names come from outside: an entry, a user id of a key or a Role may be called anything. In JSON they
are strings; in the others every character that is not plainly harmless is written as its number.
A node's id is made of its kind and name, so another node changes no id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from flux_secret.access.graph import Edge, Graph, Kind, Node

_SHAPES: Final[Mapping[Kind, str]] = {
    Kind.PERSON: "egg", Kind.KEY: "cds", Kind.RECIPIENTS: "note", Kind.ENTRY: "folder",
    Kind.APP: "component", Kind.BUNDLE: "box", Kind.SECRET: "box3d", Kind.PLACE: "tab",
    Kind.GRANT: "hexagon", Kind.USER: "ellipse", Kind.GROUP: "doubleoctagon",
    Kind.ACCOUNT: "ellipse", Kind.WORKLOAD: "cylinder",
}  # fmt: skip
_HARMLESS: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _./@:,()+-="
)
_DIGITS: Final = 12  # of a digest: 48 bits, far more than a graph has nodes
_DEL, _SURROGATES = 0x7F, range(0xD800, 0xE000)


def dot(graph: Graph) -> str:
    """Write it for Graphviz."""
    lines = ["digraph access {", "  rankdir=LR;", "  node [fontname=sans];"]
    for node in graph.nodes:
        label = "\\n".join(_dotted(line) for line in _label(graph, node))
        lines.append(f'  {_id(node)} [shape={_SHAPES[node.kind]}, label="{label}"];')
    for edge in graph.edges:
        style = "" if edge.carries else ", style=dashed"
        tip = _dotted(edge.why)
        lines.append(f'  {_id(edge.source)} -> {_id(edge.target)} [tooltip="{tip}"{style}];')
    return "\n".join([*lines, "}"])


def mermaid(graph: Graph) -> str:
    """Write it for Mermaid, as GitHub and GitLab show it in Markdown."""
    lines = ["flowchart LR"]
    for node in graph.nodes:
        label = "<br/>".join(_numbered(line) for line in _label(graph, node))
        lines.append(f'  {_id(node)}["{label}"]')
    for edge in graph.edges:
        arrow = "-->" if edge.carries else "-.->"
        lines.append(f"  {_id(edge.source)} {arrow} {_id(edge.target)}")
    return "\n".join(lines)


def to_json(graph: Graph) -> str:
    """Write it for programs: everything that is known, and what is not."""
    tree = {
        "version": 1,
        "nodes": [
            {
                "id": _id(node), "kind": node.kind.value, "name": _clean(node.name),
                **({"label": _clean(graph.labels[node])} if node in graph.labels else {}),
            }
            for node in graph.nodes
        ],
        "edges": [_edge(edge) for edge in graph.edges],
        "findings": [_clean(one) for one in graph.findings],
        "unseen": list(graph.unseen),
    }  # fmt: skip
    return json.dumps(tree, indent=1, ensure_ascii=True)


RENDERERS: Final[Mapping[str, Callable[[Graph], str]]] = {
    "dot": dot, "json": to_json, "mermaid": mermaid,
}  # fmt: skip


def _edge(edge: Edge) -> dict[str, object]:
    return {
        "from": _id(edge.source), "to": _id(edge.target), "why": _clean(edge.why),
        "carries": edge.carries,
    }  # fmt: skip


def _id(node: Node) -> str:
    digest = hashlib.sha256(f"{node.kind.value}\0{node.name}".encode(errors="surrogatepass"))
    return f"{node.kind.value}_{digest.hexdigest()[:_DIGITS]}"


def _label(graph: Graph, node: Node) -> Iterator[str]:
    yield node.kind.value
    yield node.name
    if graph.labels.get(node):
        yield graph.labels[node]


def _dotted(text: str) -> str:
    """Write a quoted string of Graphviz: a backslash and a quote are the two that mean something.

    As HTML entities, which Graphviz reads in labels, for everything else that is not harmless.
    """
    return "".join(char if char in _HARMLESS else f"&#{_code(char)};" for char in text)


def _numbered(text: str) -> str:
    return "".join(char if char in _HARMLESS else f"#{_code(char)};" for char in text)


def _code(char: str) -> int:
    """Give a character's number; what is none of its own, or a control, is the replacement."""
    code = ord(char)
    return 0xFFFD if code < ord(" ") or code == _DEL or code in _SURROGATES else code


def _clean(text: str) -> str:
    """Write bytes that are no text as JSON can."""
    return text.encode(errors="replace").decode()
