"""What holds for every file: its size, its first sentence, and what it may not name."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import pygit2
import pytest

from architecture.conftest import ROOT, SOURCE

MAX_LINES = 400
# Built from parts, so that this file does not name them itself.
_REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("proxy", "golang", "org"),
        ("sum", "golang", "org"), ("goproxy", "io"), ("registry", "npmjs", "org"),
        ("crates", "io"), ("deb", "debian", "org"),
    )
]  # fmt: skip
_PLACES = [
    "/".join(parts)
    for parts in (
        ("", "work", "main"), ("", "work", "shared"), ("", "opt", "wheels"), ("", "root", ".cache"),
        ("", "root", ".pyenv"), ("", "root", "go", ""), ("", "tmp", "team"), (".library", ""),
    )
]  # fmt: skip
_FORBIDDEN = re.compile("|".join(map(re.escape, _REGISTRIES + _PLACES)))


def ours() -> list[Path]:
    """Give every file that is tracked, or would be: new ones that are not ignored."""
    pygit2.settings.owner_validation = False  # read only; the clone may be somebody else's
    repository = pygit2.Repository(str(ROOT))
    new = [
        name
        for name, flags in repository.status().items()
        if flags & pygit2.enums.FileStatus.WT_NEW
    ]
    names = {entry.path for entry in repository.index} | set(new)
    return sorted(file for name in names if (file := ROOT / name).is_file())


def test_no_file_names_a_package_registry_or_a_place_of_one_machine() -> None:
    files = ours()
    assert ROOT / "Makefile" in files
    named = [
        f"{file.relative_to(ROOT)}: {match.group()}"
        for file in files
        for match in _FORBIDDEN.finditer(file.read_bytes().decode(errors="replace"))
    ]
    assert named == []


@pytest.mark.parametrize(
    "text", [f"https://files.{_REGISTRIES[1]}/x", f"{_PLACES[0]}/src", f"--index {_REGISTRIES[0]}"]
)
def test_a_named_registry_or_place_is_seen(text: str) -> None:
    assert _FORBIDDEN.search(text)


def test_no_module_is_longer_than_a_person_keeps_in_mind() -> None:
    long = {
        str(file.relative_to(SOURCE)): lines
        for file in SOURCE.rglob("*.py")
        if (lines := len(file.read_text().splitlines())) > MAX_LINES
    }
    assert long == {}


def test_every_module_opens_with_one_sentence_about_itself(
    modules: Mapping[str, ast.Module],
) -> None:
    silent = [file for file, tree in modules.items() if not (ast.get_docstring(tree) or "").strip()]
    assert silent == []


def test_only_settings_reads_the_environment(modules: Mapping[str, ast.Module]) -> None:
    readers = {
        file
        for file, tree in modules.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"})
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    }
    assert readers == {
        "flux_secret/settings/environment.py",
        "flux_secret/settings/person.py",
        "flux_secret/settings/settings.py",
    }
