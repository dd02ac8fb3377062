"""A file in git's configuration syntax, which gopass uses too ⇄ its names and values."""

from __future__ import annotations

from pathlib import Path

import pygit2

from flux_secret.errors import ConfigurationError


def read_config(file: Path) -> list[tuple[str, str]]:
    """Give `section.sub.name` → value in their order; nothing when there is no such file.

    A value may be given several times; the last one counts. What a file includes is not read.
    """
    if not file.is_file():
        return []
    try:
        config = pygit2.Config(str(file))
        return [(entry.name, entry.value or "true") for entry in config]
    except (pygit2.GitError, OSError, ValueError) as error:
        raise ConfigurationError(
            f"{file} cannot be read as a configuration: {error}",
            remedy=f"look at it: git config --file {file} --list",
        ) from None


def set_config(file: Path, name: str, value: str) -> None:
    """Set one name of a configuration, as `git config --file` does; the rest keeps its bytes."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        pygit2.Config(str(file))[name] = value
    except (pygit2.GitError, OSError, ValueError) as error:
        raise ConfigurationError(
            f"{file} cannot be changed: {error}", remedy="look at its rights with `ls -l`"
        ) from None
