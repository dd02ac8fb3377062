"""`flux-secret owners edit`: change who answers, and never so that nobody could change it again."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import click

from flux_secret.access.ownership import findings
from flux_secret.cli import voice
from flux_secret.cli.owners.naming import named_store
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.cli.store.terminal import is_asked
from flux_secret.errors import FluxSecretError, UsageError
from flux_secret.model.owners import MAX_FILE, OWNERS_FILE, parse_owners
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.editor import edit as edit_text
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.ownership import keys_to_bring, own_keys, ownership
from flux_secret.wiring.owning import refuse_lockout
from flux_secret.wiring.stores import mounted

_TEMPLATE: Final = """\
# Who answers for which entries. The longest path wins, by whole folders or as the entry itself.
# Keys: openpgp:FINGERPRINT (gpg --fingerprint NAME), or the line of a .pub file.
version: 1
owners:
  {name}: {{keys: [{keys}]}}
paths:
  "": {{owners: [{name}], approvals: 1}}
  # demo/prod: {{owners: [{name}, bob], approvals: 2, rotateEvery: 90d, contact: "#team"}}
"""


@click.command()
@click.argument("store", default="")
@click.option(
    "--file",
    "source",
    metavar="FILE",
    help="Take the new text from a file, - for standard input, instead of an editor.",
)
@click.pass_context
def edit(context: click.Context, store: str, source: str | None) -> None:
    """Edit owners.yaml in $EDITOR, check it, and commit it.

    STORE is a mount's name; the root store when it is left out. A file that is wrong, or after
    which a rule could never be changed again, is not committed.
    """
    context.exit(asyncio.run(_edit(store, source)))


async def _edit(place: str, source: str | None) -> int:
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        store = named_store(mounts, place)
        before = _now(store)
        start = before if before is not None else await _template(settings)
        if source is not None:
            after = _given(source)
        else:
            if not is_asked():
                raise UsageError("there is no terminal to edit on", remedy="use --file FILE")
            after = edit_text(
                Plaintext(start), "owners.yaml", settings.editor, settings.editor_env
            ).reveal()
        try:
            owners = parse_owners(after)
            keys = await keys_to_bring(store, settings, owners)
            facts = await ownership(store, owners, keys.values())
            refuse_lockout(owners, facts.problem, store.place(""))
        except FluxSecretError:
            if source is None:
                voice.note("what you wrote follows, so that it is not lost")
                voice.say(after.decode(errors="replace"))
            raise
        if after == before and not keys:
            voice.say(f"{OWNERS_FILE} not changed")
            return 0
        async with store.changing() as draft:
            if _now(store) != before:
                raise UsageError(
                    f"{OWNERS_FILE} was changed by somebody else meanwhile", remedy="edit it again"
                )
            for path, data in {OWNERS_FILE: after, **keys}.items():
                draft.put_file(path, data)
            await draft.commit("Say who answers for secrets")
        voice.say(f"{OWNERS_FILE} {'changed' if before is not None else 'made'}")
        for one in findings(facts):
            voice.warn(f"{one.about or 'the store'}: {one.says}")
        await share(store, settings)
        return 0


def _now(store: WorkingStore) -> bytes | None:
    entry = store.folder.entry(OWNERS_FILE)
    if entry is None or not entry.is_file:
        return None
    return store.folder.read(entry.blob)


async def _template(settings: PersonSettings) -> bytes:
    keys = await own_keys(settings)
    listed = ", ".join(f'"{key}"' for key in keys[:1]) or '"openpgp:FINGERPRINT"'
    return _TEMPLATE.format(name="alice", keys=listed).encode()


def _given(source: str) -> bytes:
    try:
        if source == "-":
            text = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with Path(source).open("rb") as file:
                text = file.read(MAX_FILE + 1)
    except OSError as error:
        raise UsageError(
            f"{source} cannot be read: {error.strerror}", remedy="look with `ls -l`"
        ) from None
    return text
