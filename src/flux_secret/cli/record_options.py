"""The flags that say where an agent keeps its record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from flux_secret.settings import Flags

F = TypeVar("F", bound=Callable[..., Any])
_DEFAULTS: Final = Flags()

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--record-dir", type=click.Path(path_type=Path), metavar="DIRECTORY",
                 help="Keep the record there: a folder on a volume, which replicas may share."),
    click.option("--record-name", default=_DEFAULTS.record_name, show_default=True,
                 metavar="NAME", help="What this cluster's chains are called."),
    click.option("--record-keep", default=_DEFAULTS.record_keep, show_default=True,
                 metavar="SIZE", help="How much each replica keeps there; 0 keeps all."),
    click.option("--record-signing-key", metavar="KEY",
                 help="Imported key that signs it. Default: --git-signing-key, else one that can."),
    click.option("--record-git-url", metavar="URL",
                 help="Push it to a branch of this repository, too."),
    click.option("--record-git-branch", default=_DEFAULTS.record_git_branch, show_default=True,
                 metavar="BRANCH", help="The branch; it has nothing in common with others."),
    click.option("--record-git-interval", default=_DEFAULTS.record_git_interval,
                 show_default=True, metavar="DURATION", help="Push at least this often."),
    click.option("--record-pseudonyms", type=click.Path(path_type=Path), metavar="FILE",
                 help="Hide entry names under the key in this file."),
)  # fmt: skip


def record_options(command: F) -> F:
    """Add them to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
