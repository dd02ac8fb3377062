"""A command's name → its module, imported when somebody calls it: a person waits for one only.

Every command that is found here is recorded as the table in `recorded` says.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from flux_secret.cli.recorded import recorded


class LazyGroup(click.Group):
    """A group whose command `some-name` is `some_name` of module `PACKAGE.some_name`."""

    def __init__(self, *args: Any, names: Sequence[str], package: str, **more: Any) -> None:  # noqa: ANN401 -- click's own signature
        super().__init__(*args, **more)
        self._names = tuple(sorted(names))
        self._package = package
        self._recorded: dict[str, click.Command] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command."""
        del ctx
        return list(self._names)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant; name those that are like it when there is none."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as failure:
            near = difflib.get_close_matches(args[0], self._names, n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"{failure.message}{hint}", failure.ctx) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Name commands for a shell without importing any: a person waits for it at each TAB."""
        found = [CompletionItem(name) for name in self._names if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None when there is no such."""
        del ctx
        if cmd_name not in self._names:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(f"{self._package}.{name}"), name)
        assert isinstance(command, click.Command)  # noqa: S101 -- the names are our own
        if isinstance(command, click.Group):
            return command
        return self._recorded.setdefault(name, recorded(command))
