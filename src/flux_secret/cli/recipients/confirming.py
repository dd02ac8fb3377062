"""A change of recipients as people confirm it: whom it is about, and which entries."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import click

from flux_secret.cli import voice
from flux_secret.cli.recipients.ls import line
from flux_secret.cli.store.terminal import confirmed, counting
from flux_secret.errors import AccessError, RecipientError
from flux_secret.store.working.membership import Membership
from flux_secret.store.working.reencrypt import reencrypt
from flux_secret.store.working.store import Draft, WorkingStore

F = TypeVar("F", bound=Callable[..., Any])
_SHOWN: Final = 10  # entries; the rest is counted


@dataclass(frozen=True, slots=True)
class Given:
    """What every change of recipients may be told."""

    folder: str = ""
    yes: bool = False
    dry_run: bool = False
    keep_going: bool = False
    myself: bool = False
    as_json: bool = False
    """Whether standard output is for programs."""

    @property
    def undone(self) -> int:
        """The exit code when nothing is changed: 1 for a person who says no, as gopass has it."""
        return 0 if self.dry_run else 1


def change_options(command: F) -> F:
    """Add the options of `Given` to a command, which gets them as one."""

    @functools.wraps(command)
    @click.pass_context
    def given(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401 -- click's own options
        names = [field.name for field in dataclasses.fields(Given)]
        mine = {name: options.pop(name) for name in names if name in options}
        context.exit(command(given=Given(**mine), **options))

    for option in reversed(_OPTIONS):
        given = option(given)
    return cast("F", given)


_OPTIONS: Final = (
    click.option("--folder", "--store", "folder", default="", metavar="PLACE",
                 help="A store, or a folder. Default: the root store."),
    click.option("-y", "--yes", is_flag=True, help="Do not ask."),
    click.option("-n", "--dry-run", is_flag=True, help="Only say what would change."),
    click.option("--keep-going", is_flag=True, help="Leave out what cannot be decrypted."),
)  # fmt: skip


def show(store: WorkingStore, change: Membership) -> None:
    """Print who joins, leaves and stays, and what they can read."""
    place = store.place(change.folder)
    voice.say(f"{place}: who can read {_count(len(change.entries))} there")
    for sign, readers in (("+", change.joining), ("-", change.leaving), (" ", change.staying)):
        for one in readers:
            voice.say(f"  {sign} {line(one)}")
    if change.replaces:
        voice.say(f"  {change.file} is made; it takes the place of {change.replaces} there")
    due = [one.name for one in change.due]
    voice.say(f"  {_count(len(due))} to encrypt anew: {_some(due)}" if due else "  nothing to do")


def _count(number: int) -> str:
    return f"{number} entr{'y' if number == 1 else 'ies'}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def ask(store: WorkingStore, changes: Sequence[Membership], given: Given) -> bool:
    """Show the changes and ask; raise `UsageError` where nobody can be asked."""
    for change in changes if not given.as_json else ():
        show(store, change)
    excluding = [store.place(change.folder) for change in changes if change.excludes_self]
    if given.dry_run:
        return False
    if excluding and not given.myself:
        if given.yes:
            raise RecipientError(
                f"you could not read {', '.join(excluding)} yourself any more",
                remedy="if you mean it: --myself",
            )
        voice.warn(f"you will not be able to read {', '.join(excluding)} yourself any more")
    return confirmed("change it?", yes=given.yes)


async def carry_out(draft: Draft, changes: Sequence[Membership], subject: str, given: Given) -> int:
    """Encrypt anew what the changes are about, and commit all of it as one; give the exit code."""
    due = [look for change in changes for look in change.due]
    with counting("encrypting") as watch:
        done = await reencrypt(draft, due, keep_going=given.keep_going, watch=watch)
    listed = "".join(f"- {name}\n" for name in done.done)
    await draft.commit(f"{subject}\n\n{listed}" if listed else subject)
    if not given.as_json:
        voice.say(f"{subject[0].lower()}{subject[1:]}: {_count(len(done.done))} encrypted anew")
    for failure in done.failed:
        voice.fail(failure)
    return AccessError.exit_code if done.failed else 0
