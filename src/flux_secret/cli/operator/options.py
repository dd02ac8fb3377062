"""Which cluster, and where its keys lie: the options that every command for its keys has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[F], F]

cluster_option: Final[Option[Any]] = click.option(
    "--cluster", "--cluster-name", "cluster", required=True, metavar="NAME",
    help="The cluster's name in the store.",
)  # fmt: skip
admin_option: Final[Option[Any]] = click.option(
    "--from", "admin", default="", metavar="STORE[/PREFIX]",
    help="Your own store, which keeps the keys. Default: the root store.",
)  # fmt: skip
