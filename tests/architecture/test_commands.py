"""Every command has a page, every page a command, and a page names every option."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import pytest

from architecture.conftest import DOCS, ROOT

PAGES = DOCS / "commands"


@pytest.fixture(scope="module")
def commands() -> Mapping[str, click.Command]:
    """Every command under the name that people type, groups opened: `store ls`."""
    from flux_secret.cli.main import main

    return dict(_opened(main, ""))


def _opened(group: click.Group, prefix: str) -> list[tuple[str, click.Command]]:
    opened: list[tuple[str, click.Command]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            opened += _opened(command, f"{prefix}{name} ")
        else:
            opened.append((prefix + name, command))
    return opened


def test_commands_and_pages_are_the_same(commands: Mapping[str, click.Command]) -> None:
    pages = {page.stem.replace("-", " ") for page in PAGES.glob("*.md")}
    assert pages == {name.replace("-", " ") for name in commands}


def test_a_page_is_headed_by_the_name_of_its_command(
    commands: Mapping[str, click.Command],
) -> None:
    headings = {page.read_text().splitlines()[0] for page in PAGES.glob("*.md")}
    assert headings == {f"# flux-secret {name}" for name in commands}


def test_a_page_names_every_option_and_its_default(commands: Mapping[str, click.Command]) -> None:
    missing = []
    for name, command in commands.items():
        text = (PAGES / f"{name.replace(' ', '-')}.md").read_text()
        rows = [line for line in text.splitlines() if line.startswith("| `-")]
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                long = max(option.opts, key=len)
                row = next((row for row in rows if f"`{long}" in row or f" {long}" in row), None)
                if row is None or not _says_default(row, option):
                    missing.append(f"{name}: {long}")
    assert missing == []


def _says_default(row: str, option: click.Option) -> bool:
    return not option.show_default or f"`{option.default}`" in row


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    pages = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")]
    assert pages
    assert [page for page in pages if page not in navigation] == []


def test_the_makefile_has_every_target_that_people_are_told_of(
    project: Mapping[str, Any],
) -> None:
    assert project["project"]["readme"] == "README.md"
    makefile = (ROOT / "Makefile").read_text()
    told = [
        "setup",
        "demo",
        "check",
        "fmt",
        "lint",
        "type",
        "test",
        "test-cluster",
        "bench",
        "docs",
    ]
    assert [name for name in told if f"\n{name}:" not in makefile] == []
