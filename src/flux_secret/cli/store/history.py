"""`flux-secret store history`: who changed an entry when, what it was, and what became of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from flux_secret.audit.places import BranchPlace, Place, place_at
from flux_secret.audit.selecting import Found, Selection
from flux_secret.audit.timeline import Moments
from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.terminal import shown
from flux_secret.cli.tables import table
from flux_secret.errors import ConfigurationError, EntryNotFoundError, UsageError
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.timeline import Moment, in_order
from flux_secret.outside.git.growing import branch_of
from flux_secret.outside.git.log import Change, changes_of
from flux_secret.settings.person import PersonSettings
from flux_secret.settings.record import DEFAULT_BRANCH, record_folder
from flux_secret.store.format.document import SecretDocument
from flux_secret.store.working.recorded import Sealed
from flux_secret.store.working.store import WorkingStore
from flux_secret.store.working.timeline import history_of
from flux_secret.wiring.record import pseudonyms
from flux_secret.wiring.stores import mounted

F = TypeVar("F", bound=Callable[..., Any])
_HEAD: Final = ("TIME", "FROM", "WHAT", "WHO", "DETAILS", "READERS")
_READERS: Final = 3  # that a table names


_OF_THE_RECORD: Final = (
    click.option("-o", "--output", type=click.Choice(("table", "json")), default="table",
                 show_default=True, help="How the table of --all is written."),
    click.option("--record", "folders", multiple=True, metavar="PLACE",
                 type=click.Path(path_type=Path),
                 help="A folder of --record-dir, or an export; may be repeated. Default: your "
                 "own."),
    click.option("--git", "clones", multiple=True, metavar="DIRECTORY",
                 type=click.Path(path_type=Path),
                 help="A clone of the repository that the record is pushed to; may be repeated."),
    click.option("--branch", default=DEFAULT_BRANCH, show_default=True, metavar="BRANCH",
                 help="Its branch."),
    click.option("--pseudonym-key", metavar="FILE", type=click.Path(path_type=Path),
                 help="The key that entry names are hidden under in the record."),
)  # fmt: skip


def _record_options(command: F) -> F:
    for option in reversed(_OF_THE_RECORD):
        command = option(command)
    return command


@click.command()
@click.argument("entry")
@click.option("-p", "--password", is_flag=True, help="Show the first line that each had.")
@click.option("--reveal", is_flag=True, help="Show them on a terminal too.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON list, without values.")
@click.option("--all", "everything", is_flag=True,
              help="One table of git and the record: what changed of it, who could read it, who "
              "was given it, and where it was delivered.")  # fmt: skip
@_record_options
def history(entry: str, *, reveal: bool, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """List the commits that changed an entry, the newest first, across its renames."""
    named = given["folders"] or given["clones"] or given["pseudonym_key"]
    if not given["everything"] and (named or given["output"] != "table"):
        raise UsageError("the record is looked at with --all only", remedy="add --all")
    if given["everything"] and given["password"]:
        raise UsageError("--all shows no values", remedy="leave -p out")
    asyncio.run(_history(SecretPath.parse(entry), given, shows=reveal))


async def _history(path: SecretPath, given: Mapping[str, Any], *, shows: bool) -> None:
    async with mounted(PersonSettings.load(), on_record()) as mounts:
        store, name = mounts.find(path)
        if store.clone is None:
            raise ConfigurationError(
                f"{store.folder.root} has no git history",
                remedy=f"begin one: git -C {store.folder.root} init",
            )
        changes = await changes_of(store.clone, name + store.crypto.layout.extension)
        if not changes:
            raise EntryNotFoundError(
                f"git knows no entry {path}", remedy="look what there is: flux-secret store ls"
            )
        if given["everything"]:
            await _timeline(path, store, changes, given)
        elif given["as_json"]:
            click.echo(json.dumps([change.facts() for change in changes], indent=2))
        else:
            await _list(store, changes, password=given["password"], reveal=shows)


async def _list(
    store: WorkingStore, changes: Sequence[Change], *, password: bool, reveal: bool
) -> None:
    values = await _passwords(store, changes) if password else [None] * len(changes)
    for change, value in zip(changes, values, strict=True):
        tail = "" if value is None else f" - {shown(value, reveal=reveal)}"
        voice.say(f"{change.commit[:12]} - {change.author} - {change.when} - {change.subject}"
                  f"{tail}")  # fmt: skip


async def _passwords(store: WorkingStore, changes: Sequence[Change]) -> list[Plaintext | None]:
    """Decrypt what each commit made of the entry; None where it took it away or nobody can."""
    assert store.clone is not None  # noqa: S101 -- there are changes
    messages = [store.clone.file(change.commit, change.path) for change in changes]
    layout, blob_id = store.crypto.layout, store.clone.blob_id
    sealed = [
        (Sealed.of(change.path, blob_id(message), change.commit, layout), message)
        for change, message in zip(changes, messages, strict=True)
        if message is not None
    ]
    texts = iter(await store.open_all(sealed))
    answers = [None if message is None else next(texts) for message in messages]
    return [
        Plaintext(SecretDocument.parse(answer.reveal()).password)
        if isinstance(answer, Plaintext)
        else None
        for answer in answers
    ]


async def _timeline(
    path: SecretPath, store: WorkingStore, changes: Sequence[Change], given: Mapping[str, Any]
) -> None:
    """Write what git and the record know in one order."""
    assert store.clone is not None  # noqa: S101 -- there are changes
    past = await history_of(store, store.clone, changes)
    key = given["pseudonym_key"]
    selection = Selection(pseudonyms=pseudonyms(key) if key else None)
    found = Found(_places(given), selection)
    names = {str(path), *(store.full(one) for one in past.names)}
    moments = in_order(past.moments, Moments(found, names, past.blobs))
    if given["output"] == "json" or given["as_json"]:
        tree = {"entry": str(path), "moments": [dict(one.to_json()) for one in moments]}
        click.echo(json.dumps(tree, indent=2, ensure_ascii=False))
    else:
        _say(moments)
    if not given["folders"] and not given["clones"]:
        known = "git and your own record" if found.places else "git"
        voice.note(f"this is {known} alone; name an agent's record, too: --record PLACE")
    if found.unreadable:
        voice.warn(f"{voice.counted(found.unreadable, 'line')} of the record cannot be read: "
                   "flux-secret audit verify says which")  # fmt: skip
    if past.closed:
        voice.note(f"{voice.counted(past.closed, 'version')} cannot be decrypted here: what "
                   "changed in them is not known")  # fmt: skip
    voice.note("who read it with their own gopass or pass leaves no trace")


def _places(given: Mapping[str, Any]) -> list[Place]:
    """Give the places that are named, else a person's own record, if they have one."""
    named: list[Place] = [place_at(path) for path in given["folders"]]
    for clone in given["clones"]:
        name = f"{clone} ({given['branch']})"
        named.append(BranchPlace(name, branch_of(clone, given["branch"])))
    folder = record_folder()
    if named or not folder.is_dir():
        return named
    return [place_at(folder)]


def _say(moments: Iterable[Moment]) -> None:
    rows = [
        (one.utc, one.source, one.what, _flat(one.who), _flat(one.says), _names(one.readers))
        for one in moments
    ]
    for line in table(_HEAD, rows):
        voice.say(line)


def _names(readers: Sequence[str]) -> str:
    more = len(readers) - _READERS
    return ", ".join(readers[:_READERS]) + (f" and {more} more" if more > 0 else "")


def _flat(text: str) -> str:
    return " ".join(text.split())
