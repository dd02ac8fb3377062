"""What the commands of `audit` have in common: which record, and which of its lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from flux_secret.audit.keeper import stamp
from flux_secret.audit.places import BranchPlace, Place, place_at
from flux_secret.audit.selecting import Selection
from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.model.duration import parse_duration
from flux_secret.model.record import Kind
from flux_secret.outside.git.growing import branch_of
from flux_secret.settings.record import DEFAULT_BRANCH, record_folder
from flux_secret.wiring.record import pseudonyms

F = TypeVar("F", bound=Callable[..., Any])
_DAYS: Final = re.compile(r"([0-9]{1,5})d\Z")


def place_options(command: F) -> F:
    """Add which record is read."""
    for option in reversed((
        click.argument("places", nargs=-1, metavar="[PLACE]...", type=click.Path(path_type=Path)),
        click.option("--git", "clones", multiple=True, metavar="DIRECTORY",
                     type=click.Path(path_type=Path),
                     help="A clone of the repository that the record is pushed to; may be "
                     "repeated."),
        click.option("--branch", default=DEFAULT_BRANCH, show_default=True, metavar="BRANCH",
                     help="Its branch."),
    )):  # fmt: skip
        command = option(command)
    return command


def selection_options(command: F) -> F:
    """Add which of its lines count."""
    for option in reversed((
        click.option("--entry", default="", metavar="ENTRY",
                     help="Of this entry; a folder ends in /, and * stands for anything."),
        click.option("--person", default="", metavar="PERSON", help="Of this person."),
        click.option("--app", default="", metavar="APP", help="Of this App or target."),
        click.option("--kind", "kinds", multiple=True, metavar="KIND",
                     type=click.Choice([kind.value for kind in Kind]),
                     help="Of this kind: read, refused, delivered …; may be repeated."),
        click.option("--since", default="", metavar="TIME",
                     help="From then on: 2026-11-29, 2026-11-29T19:00Z, or 24h or 7d ago."),
        click.option("--until", default="", metavar="TIME", help="Until then."),
        click.option("--pseudonym-key", metavar="FILE", type=click.Path(path_type=Path),
                     help="The key that entry names are hidden under: shows them."),
    )):  # fmt: skip
        command = option(command)
    return command


def places_of(given: Mapping[str, Any]) -> list[Place]:
    """Give the places that are named, else a person's own record; raise `ConfigurationError`."""
    named = [place_at(path) for path in given["places"]]
    named += [_branch(clone, given["branch"]) for clone in given["clones"]]
    if named:
        return named
    folder = record_folder()
    if not folder.is_dir():
        raise ConfigurationError(
            f"you have no record yet: {folder} is not there",
            remedy="name another's: the folder of an agent's --record-dir, an export, or a clone "
            "with --git DIRECTORY",
        )
    return [place_at(folder)]


def _branch(clone: Path, branch: str) -> Place:
    """Give a branch that holds a record: nothing in one that was emptied would be wrong."""
    place = BranchPlace(f"{clone} ({branch})", branch_of(clone, branch))
    if next(place.lines(), None) is None:
        raise ConfigurationError(
            f"{place.name} holds no record: no folder in it has files of lines",
            remedy="name the branch that it is pushed to, with --branch; if it is that one, "
            "somebody emptied it: compare with another copy",
        )
    return place


def selection_of(given: Mapping[str, Any]) -> Selection:
    """Give what is asked for; raise `UsageError`."""
    key = given["pseudonym_key"]
    return Selection(
        entry=given["entry"],
        person=given["person"],
        app=given["app"],
        kinds=frozenset(given["kinds"]),
        since=moment("--since", given["since"]),
        until=moment("--until", given["until"]),
        pseudonyms=pseudonyms(key) if key else None,
    )


def moment(flag: str, text: str, now: datetime | None = None) -> str:
    """Read a time as the record writes it: a moment, a day (from its start), or how long ago."""
    if not text:
        return ""
    now = now or datetime.now(UTC)
    if days := _DAYS.match(text):
        return stamp(now - timedelta(days=int(days[1])))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            return stamp(now - timedelta(seconds=parse_duration(text)))
        except (UsageError, OverflowError):
            raise UsageError(
                f"{flag} {text[:40]!a} is no time",
                remedy="write 2026-11-29, 2026-11-29T19:00Z, 24h or 7d",
            ) from None
    return stamp(found if found.tzinfo else found.replace(tzinfo=UTC))
