"""The architecture page and import-linter tell the same layers, in the same order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from architecture.conftest import DOCS, SOURCE

PAGE = DOCS / "architecture.md"


def layers(project: Mapping[str, Any]) -> list[list[str]]:
    contract = next(
        contract
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    assert contract["exhaustive"]
    return [re.findall(r"\w+", layer) for layer in contract["layers"]]


def test_the_page_draws_the_layers_that_are_enforced(project: Mapping[str, Any]) -> None:
    drawn = re.search(r"```layers\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert drawn is not None
    assert [re.findall(r"\w+", line) for line in drawn[1].splitlines()] == layers(project)


def test_every_room_has_a_section_in_the_order_of_the_layers(project: Mapping[str, Any]) -> None:
    sections = re.findall(r"^### `(\w+)`", PAGE.read_text(), re.MULTILINE)
    assert sections == [room for layer in layers(project) for room in layer]


def test_every_section_says_what_goes_in_and_what_comes_out() -> None:
    sections = PAGE.read_text().split("\n### ")[1:]
    silent = [section.splitlines()[0] for section in sections if " → " not in section]
    assert silent == []


def test_every_room_is_in_a_layer(project: Mapping[str, Any]) -> None:
    package = SOURCE / "flux_secret"
    rooms = {file.stem for file in package.glob("*.py")} - {"__init__"}
    rooms |= {file.parent.name for file in package.glob("*/__init__.py")}
    assert rooms == {room for layer in layers(project) for room in layer}
