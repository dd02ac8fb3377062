"""The page of Flux v1's traps names for each what shows that we do not fall into it."""

from __future__ import annotations

import ast
import re

import pytest

from architecture.conftest import DOCS, ROOT

PAGE = DOCS / "flux-v1-traps.md"
_CELLS = re.compile(r"(?<!\\)\|")
_NAMED = re.compile(r"`(tests/[^`]+)`")


def rows() -> list[tuple[str, str, str]]:
    """Give (Flux v1, here, shown by) of every row of every table."""
    found = []
    for line in PAGE.read_text().splitlines():
        if line.startswith("| ") and not line.startswith("| Flux v1 |"):
            trap, here, shown = (cell.strip() for cell in _CELLS.split(line)[1:-1])
            found.append((trap, here, shown))
    return found


def missing(name: str) -> bool:
    path, _, function = name.partition("::")
    file = ROOT / path
    if not function:
        return not (path.startswith("tests/vectors/") and file.is_file())
    if not file.is_file():
        return True
    tree = ast.parse(file.read_bytes())
    functions = [
        one for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return function not in {one.name for one in functions}


def test_every_trap_has_a_test_that_exists() -> None:
    assert len(rows()) > 35
    wrong = [
        (trap, name)
        for trap, here, shown in rows()
        for name in _NAMED.findall(shown) or ["nothing"]
        if not trap or not here or missing(name)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "name",
    [
        "tests/unit/nowhere.py::test_a",
        "tests/architecture/test_traps.py::test_that_is_not_there",
        "tests/vectors/flux_yaml/that_is_not_there",
        "tests/architecture/test_traps.py",
    ],
)
def test_a_test_that_is_not_there_is_seen(name: str) -> None:
    assert missing(name)
