"""`flux-secret reencrypt`: entries that are not for whom they should be, encrypted anew."""

from __future__ import annotations

import asyncio

import click

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.cli.store.terminal import counting
from flux_secret.errors import AccessError, EntryNotFoundError
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.audience import describe
from flux_secret.store.working.past import Past
from flux_secret.store.working.reencrypt import Look, look, message
from flux_secret.store.working.reencrypt import reencrypt as encrypt_anew
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.stores import mounted


@click.command()
@click.argument("place", required=False)
@click.option("--all", "everything", is_flag=True, help="Also what is right already.")
@click.option("--keep-going", is_flag=True, help="Leave out what cannot be decrypted.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say which entries, and why.")
@click.pass_context
def reencrypt(
    context: click.Context, place: str | None, *, everything: bool, keep_going: bool, dry_run: bool
) -> None:
    """Encrypt anew what is not for exactly those whom the recipients files name.

    PLACE is a store, a folder or an entry; every store when it is left out.
    """
    wanted = _Wanted(everything=everything, keep_going=keep_going, dry_run=dry_run)
    context.exit(asyncio.run(_reencrypt(place, wanted)))


class _Wanted:
    """What a person asked for."""

    def __init__(self, *, everything: bool, keep_going: bool, dry_run: bool) -> None:
        self.everything = everything
        self.keep_going = keep_going
        self.dry_run = dry_run

    def due(self, looks: list[Look]) -> list[Look]:
        """Give those that are to be encrypted anew."""
        return [one for one in looks if self.everything or not one.is_right]


async def _reencrypt(place: str | None, wanted: _Wanted) -> int:
    code = 0
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        for store, below in mounts.below(place):
            code = max(code, await _one_store(store, below, wanted))
            if not wanted.dry_run:
                await share(store, settings)
    return code


async def _one_store(store: WorkingStore, below: str, wanted: _Wanted) -> int:
    async with store.changing() as draft:
        looks = await look(draft, below)
        if below and not looks:
            raise EntryNotFoundError(
                f"there is no entry {store.full(below)}, nor one below it",
                remedy="look what there is: flux-secret store ls",
            )
        due = wanted.due(looks)
        if wanted.dry_run:
            _show(store, due)
        if wanted.dry_run or not due:
            _conclude(store, looks, 0)
            return 0
        with counting("encrypting") as watch:
            done = await encrypt_anew(draft, due, keep_going=wanted.keep_going, watch=watch)
        await draft.commit(message(done.done))
    if done.resumed:
        voice.say(f"{done.resumed} of them were done by a run that was interrupted")
    for failure in done.failed:
        voice.fail(failure)
    _conclude(store, looks, len(done.done))
    return AccessError.exit_code if done.failed else 0


def _show(store: WorkingStore, due: list[Look]) -> None:
    for one in due:
        past = "was written when others were named" if not one.is_right else "is right"
        voice.say(f"{store.full(one.name)} {describe(one.verdict) or past}")


def _conclude(store: WorkingStore, looks: list[Look], count: int) -> None:
    name = store.name or "root store"
    voice.say(f"{name}: {count} of {voice.counted(len(looks), 'entry', 'entries')} encrypted anew")
    uncertain = sum(one.past is Past.UNKNOWN for one in looks)
    if uncertain:
        voice.warn(
            f"{name}: {uncertain} entries do not name whom they are for, and have no history, so "
            "only their number was compared; encrypt them anew with --all"
        )
