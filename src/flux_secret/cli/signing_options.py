"""The flags of commands by which an owner signs something."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Signing:
    """How it is signed, and what becomes of it."""

    ssh_key: Path | None = None
    offline: bool = False
    yes: bool = False


def signing_options(command: F) -> F:
    """Add the options of `Signing` to a command, which gets them as one, and whose code counts."""

    @functools.wraps(command)
    @click.pass_context
    def given(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401 -- click's own options
        names = [field.name for field in dataclasses.fields(Signing)]
        mine = {name: options.pop(name) for name in names}
        context.exit(command(signing=Signing(**mine), **options))

    for option in reversed((
        click.option("--ssh-key", type=click.Path(path_type=Path), metavar="FILE",
                     help="Sign with this SSH key. Default: your OpenPGP key that owners.yaml "
                     "names."),
        click.option("--offline", is_flag=True,
                     help="Neither fetch nor push; the approval stays here."),
        click.option("-y", "--yes", is_flag=True, help="Do not ask."),
    )):  # fmt: skip
        given = option(given)
    return cast("F", given)
