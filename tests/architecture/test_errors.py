"""The exception tree is one thing, told three times: docstring, classes, page."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass

from architecture.conftest import DOCS
from flux_secret import errors

PAGE = DOCS / "errors.md"
_BRANCH = re.compile(r"^(?P<stem>[│ ]*[├└]── )(?P<name>\w+)\s+(?P<code>\d+)?\s*(?P<words>.*)$")


@dataclass(frozen=True)
class Kind:
    """One class of errors."""

    name: str
    parent: str
    exit_code: int


def drawn() -> list[Kind]:
    """Read the tree in the docstring; a branch without a code has its parent's."""
    lines = (errors.__doc__ or "").split("\n\n", 1)[1].strip().splitlines()
    path = [Kind(lines[0], "Exception", errors.FluxSecretError.exit_code)]
    kinds = [path[0]]
    for line in lines[1:]:
        match = _BRANCH.match(line)
        assert match is not None, line
        assert match["words"], f"{match['name']} is not explained"
        del path[len(match["stem"]) // 4 :]
        code = int(match["code"] or path[-1].exit_code)
        path.append(Kind(match["name"], path[-1].name, code))
        kinds.append(path[-1])
    return kinds


def written() -> list[Kind]:
    return [
        Kind(name, parent.__name__, kind.exit_code)
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, errors.FluxSecretError)
        for parent in kind.__bases__
    ]


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    assert drawn() == written()


def test_the_page_names_every_error_under_its_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \|(.*)\|$", PAGE.read_text(), re.MULTILINE)
    named = {
        (name, int(code)) for code, cells in rows for name in re.findall(r"`(\w+Error)`", cells)
    }
    assert named == {(kind.name, kind.exit_code) for kind in written()} - {("FluxSecretError", 70)}


def test_the_page_has_one_row_an_exit_code_and_all_that_the_design_fixes() -> None:
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)]
    assert codes == [0, 1, 2, 3, 4, 5, 6, 7, 70, 130]


def test_only_what_may_succeed_next_time_is_called_retryable() -> None:
    retryable = {
        name
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and getattr(kind, "retryable", False)
    }
    assert retryable == {"UnreachableError", "RecordError"}
