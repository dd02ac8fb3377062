"""The flags of Flux v1 about the sync marker and signatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from flux_secret.cli.options import go_bool
from flux_secret.settings import Flags

F = TypeVar("F", bound=Callable[..., Any])
_DEFAULTS: Final = Flags()

_SHARED: tuple[Callable[[Any], Any], ...] = (
    click.option("--git-verify-signatures-mode", default=_DEFAULTS.git_verify_signatures_mode,
                 show_default=True, metavar="MODE",
                 help="Deliver only signed commits: none, all or first-parent."),
    click.option("--sync-state", default=_DEFAULTS.sync_state, show_default=True, metavar="STATE",
                 help="Where the sync marker is kept: git (a tag) or secret (an annotation)."),
    click.option("--git-sync-tag", default=_DEFAULTS.git_sync_tag, show_default=True,
                 metavar="TAG", help="The tag; must differ between agents."),
    click.option("--git-label", metavar="LABEL", help="The same; wins over --git-sync-tag."),
    click.option("--k8s-secret-name", default=_DEFAULTS.k8s_secret_name, show_default=True,
                 metavar="NAME", help="The Secret whose annotation is the marker."),
    go_bool("--git-readonly", "Push nothing; means --sync-state=secret."),
    go_bool("--git-verify-signatures", "The same as --git-verify-signatures-mode=all."),
)  # fmt: skip

_AGENT: tuple[Callable[[Any], Any], ...] = (
    click.option("--git-user", default=_DEFAULTS.git_user, show_default=True, metavar="NAME",
                 help="Who the sync tag names as its tagger."),
    click.option("--git-email", default=_DEFAULTS.git_email, show_default=True,
                 metavar="ADDRESS", help="The tagger's address."),
    click.option("--git-signing-key", metavar="KEY",
                 help="Imported key that signs the sync tag. Default: it is not signed."),
    click.option("--git-notes-ref", default="flux", hidden=True,
                 help="Accepted as Flux v1 has it; notes belong to image automation."),
)  # fmt: skip

_ONE_SHOT: tuple[Callable[[Any], Any], ...] = (
    go_bool("--allow-stale", "When a git host does not answer, deliver what was fetched last."),
)


def marker_options(command: F) -> F:
    """Add the flags that say where the marker is and what must be signed."""
    return _with(_SHARED, command)


def agent_marker_options(command: F) -> F:
    """Add these, and the flags that say how the marker is moved."""
    return marker_options(_with(_AGENT, command))


def deliver_marker_options(command: F) -> F:
    """Add these, and what only a person who waits may choose."""
    return marker_options(_with(_ONE_SHOT, command))


def every_marker_option(command: F) -> F:
    """Add them all: for a command that is given what any of the others is."""
    return agent_marker_options(_with(_ONE_SHOT, command))


def _with(options: tuple[Callable[[Any], Any], ...], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command
