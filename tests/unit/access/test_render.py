"""What programs are given of a graph: sorted, stable, and unbroken by any name."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.access.graph import Edge, Graph, Kind, Node
from flux_secret.access.render import RENDERERS, dot, mermaid, to_json

HOSTILE = [
    'a"]; evil [label="x', "a\\", 'a\\"', "a\nevil -> b", "a<br/>b", '"]\n  evil["x', "a|b", "end",
    "#quot;", "&quot;", "`x`", "\u202eabc", "\x1b[2J", "a]b[c", "é", "\udcff", "%%{init}%%", "-->",
]  # fmt: skip
NODE = re.compile(r'  (\w+) \[shape=\w+, label="((?:[^"\\]|\\n)*)"\];')
EDGE = re.compile(r'  (\w+) -> (\w+) \[tooltip="[^"\\]*"(?:, style=dashed)?\];')
M_NODE = re.compile(r'  (\w+)\["((?:[^"<>`&\[\]]|<br/>)*)"\]')
M_EDGE = re.compile(r"  (\w+) (?:-->|-\.->) (\w+)")


def graph_of(names: list[str]) -> Graph:
    nodes = [Node(Kind.ENTRY, name) for name in names]
    key = Node(Kind.KEY, "F")
    edges = [Edge(key, node, node.name, carries=number % 2 == 0) for number, node in
             enumerate(nodes)]  # fmt: skip
    return Graph.of(edges, labels={key: names[0] if names else ""}, findings=names)


def read_dot(text: str) -> tuple[list[str], int]:
    first, *lines, last = text.split("\n")
    assert (first, lines[0], lines[1], last) == (
        "digraph access {", "  rankdir=LR;", "  node [fontname=sans];", "}",
    )  # fmt: skip
    nodes = [match[1] for line in lines[2:] if (match := NODE.fullmatch(line))]
    edges = [match for line in lines[2:] if (match := EDGE.fullmatch(line))]
    assert len(nodes) + len(edges) == len(lines) - 2
    assert {end for edge in edges for end in edge.groups()} <= {*nodes}
    return nodes, len(edges)


def read_mermaid(text: str) -> tuple[list[str], int]:
    first, *lines = text.split("\n")
    assert first == "flowchart LR"
    nodes = [match[1] for line in lines if (match := M_NODE.fullmatch(line))]
    edges = [match for line in lines if (match := M_EDGE.fullmatch(line))]
    assert len(nodes) + len(edges) == len(lines)
    assert {end for edge in edges for end in edge.groups()} <= {*nodes}
    return nodes, len(edges)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_from_outside_stays_inside_its_label(name: str) -> None:
    graph = graph_of([name])
    assert read_dot(dot(graph)) == (read_dot(dot(graph))[0], 1)
    assert len(read_mermaid(mermaid(graph))[0]) == 2
    assert len(json.loads(to_json(graph))["nodes"]) == 2
    for text in (dot(graph), mermaid(graph), to_json(graph)):
        assert text.isascii()


@given(st.lists(st.text(), unique=True))
def test_any_names_give_as_many_nodes_and_edges_as_there_are(names: list[str]) -> None:
    graph = graph_of(names)
    expected = (len(graph.nodes), len(graph.edges))
    for nodes, edges in (read_dot(dot(graph)), read_mermaid(mermaid(graph))):
        assert (len({*nodes}), edges) == expected
    tree = json.loads(to_json(graph))
    assert (len(tree["nodes"]), len(tree["edges"])) == expected


def test_json_says_what_is_known_and_what_is_not() -> None:
    one, other = Node(Kind.KEY, "F"), Node(Kind.ENTRY, "e")
    graph = Graph.of([Edge(one, other, "why", carries=False)], labels={one: "Bob"},
                     findings=["odd"], unseen=["nodes"])  # fmt: skip
    tree = json.loads(to_json(graph))
    key, entry = tree["nodes"]
    assert (key["kind"], key["name"], key["label"]) == ("key", "F", "Bob")
    assert tree["edges"] == [{"from": key["id"], "to": entry["id"], "why": "why", "carries": False}]
    assert (tree["version"], tree["findings"], tree["unseen"]) == (1, ["odd"], ["nodes"])


@pytest.mark.parametrize("form", sorted(RENDERERS))
def test_another_node_changes_no_other_line(form: str) -> None:
    before, after = (RENDERERS[form](graph_of(names)) for names in (["b"], ["a", "b", "c"]))
    if form == "json":
        ids = [{one["id"] for one in json.loads(text)["nodes"]} for text in (before, after)]
        assert ids[0] < ids[1]
    else:
        same = {line for line in before.split("\n") if '["F' not in line and "F\\n" not in line}
        kept = set(after.split("\n"))
        assert {line for line in same if "key" not in line} <= kept
