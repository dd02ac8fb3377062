"""How we speak: facts on stdout, failures on stderr, each with its remedy.

No capital at the start and no full stop at the end of a failure, as age's `tui.go` has it; object
lines are kubectl's own words. Text from outside has its control characters escaped before it is
shown (terminal escapes in branch names, commit subjects, API messages).
"""

from __future__ import annotations

import click

from flux_secret.errors import FluxSecretError
from flux_secret.model.change import Action, Change
from flux_secret.model.delivery import Delivery
from flux_secret.model.finding import Finding, Level
from flux_secret.reconcile.round import Round

_COLOURS = {
    Action.CREATED: "green",
    Action.CONFIGURED: "yellow",
    Action.ADOPTED: "yellow",
    Action.RELEASED: "yellow",
    Action.DELETED: "red",
    Action.FAILED: "red",
}


def printable(text: str) -> str:
    """Escape what a terminal would obey; line breaks and tabs stay."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text
    )


def inline(text: str) -> str:
    """Escape line breaks and tabs, too: what stands in a line makes no line of its own."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def counted(number: int, one: str, more: str = "") -> str:
    """Write a number with its noun: `1 entry`, `2 entries`."""
    return f"{number} {one if number == 1 else more or f'{one}s'}"


def say(text: str, *, err: bool = False) -> None:
    """State a fact on stdout; on stderr where stdout holds a value."""
    click.echo(printable(text), err=err)


def warn(text: str) -> None:
    """State something to look at on stderr."""
    click.secho(f"warning: {printable(text)}", fg="yellow", err=True)


def note(text: str) -> None:
    """State on stderr what a person should know, though nothing is wrong."""
    click.echo(f"note: {printable(text)}", err=True)


def fail(failure: FluxSecretError, *, about: str = "") -> None:
    """State a failure and its remedy on stderr."""
    prefix = f"{about}: " if about else ""
    _fail(prefix + failure.what, failure.remedy)


def _fail(what: str, remedy: str) -> None:
    click.secho(f"error: {printable(what)}", fg="red", err=True)
    if remedy:
        click.echo(f"  remedy: {printable(remedy)}", err=True)


def report_finding(finding: Finding) -> None:
    """Print one thing that `doctor` looked at, and what to do about it."""
    colour = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}[finding.level]
    level = click.style(f"{finding.level.value:<8}", fg=colour)
    click.echo(f"{level} {inline(finding.about)}: {inline(finding.says)}")
    if finding.remedy:
        click.echo(f"{'':<8}   remedy: {inline(finding.remedy)}")


def report_round(done: Round, *, word: str = "delivered") -> None:
    """Print what a round did, object by object, and then what went wrong."""
    for delivery in done.deliveries:
        _report_delivery(delivery, word)
    _report_notes(done)
    for change in done.swept:
        _report_change(change)
    if done.sweep_error is not None:
        fail(done.sweep_error, about="removing what is no longer wanted")
    for sync in done.syncs:
        for note in sync.notes:
            warn(note)
        if sync.error is not None:
            warn(f"{sync.error.what} ({sync.error.remedy})")


def report_changes(delivery: Delivery) -> None:
    """Print what one delivery did, object by object, and then what went wrong."""
    for change in delivery.changes:
        _report_change(change)
    if delivery.error is not None:
        fail(delivery.error)


def _report_notes(done: Round) -> None:
    """Print each note once: a host that is down is the same news for every target."""
    about: dict[str, list[str]] = {}
    for delivery in done.deliveries:
        for note in [*delivery.notes, *map(str, [*delivery.held, *delivery.remarks])]:
            about.setdefault(note, []).append(delivery.target.name)
    for note, names in about.items():
        more = f" and {len(names) - 1} more" * (len(names) > 1)
        warn(f"{names[0]}{more}: {note}")


def _report_delivery(delivery: Delivery, word: str) -> None:
    at = f" at {delivery.revision}" if delivery.revision else ""
    for change in delivery.changes:
        _report_change(change)
    if delivery.error is not None:
        fail(delivery.error, about=f"{delivery.target.name}{at}")
        say(f"{delivery.target.name}: not {word}; what the cluster had stays as it was")
    else:
        held = len(delivery.changes.failed)
        rest = f", {held} failed" if held else ""
        count = len(delivery.changes)
        objects = f"{count} object{'s' * (count != 1)}"
        say(f"{delivery.target.name}: {word}{at} ({objects}{rest})")


def _report_change(change: Change) -> None:
    click.secho(printable(str(change)), fg=_COLOURS.get(change.action))
    if change.error is not None:
        _fail(change.failure, change.error.remedy)
