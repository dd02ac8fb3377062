"""What `mv` and `cp` have in common: entries under new names, in the same store or another."""

from __future__ import annotations

from collections.abc import Mapping

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.model.names import SecretPath
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.moving import destinations, refuse_taken
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.stores import mounted


async def carry(source: str, target: str, *, force: bool, keeps: bool) -> None:
    """Copy entries, and unless `keeps` remove them where they were.

    Into another store it is two commits: nothing is removed before it is there.
    """
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        old, old_name = mounts.find(SecretPath.parse(source))
        new, new_name = mounts.find(SecretPath.parse(target))
        new_name += "/" * target.endswith("/")
        moves = destinations(old_name, old.tree().names, new_name, new.tree().names)
        refuse_taken(moves, new.tree().names, force=force)
        verb = "Copy" if keeps else "Move"
        message = f"{verb} {old_name} to {new_name}"
        if old is new:
            await _within(old, moves, message, keeps=keeps)
        else:
            await _across(old, new, moves, message, keeps=keeps)
        for before, after in moves.items():
            voice.say(f"{old.full(before)} → {new.full(after)}")
        for store in [new] if old is new else [new, old]:
            await share(store, settings)


async def _within(
    store: WorkingStore, moves: Mapping[str, str], message: str, *, keeps: bool
) -> None:
    async with store.changing() as draft:
        for before, after in moves.items():
            await draft.take(before, after)
        for before in () if keeps else set(moves) - set(moves.values()):
            draft.remove(before)
        await draft.commit(message)


async def _across(
    old: WorkingStore, new: WorkingStore, moves: Mapping[str, str], message: str, *, keeps: bool
) -> None:
    async with new.changing() as draft:
        for before, after in moves.items():
            draft.put(after, await old.read(before))
        await draft.commit(message)
    if not keeps:
        async with old.changing() as draft:
            for before in moves:
                draft.remove(before)
            await draft.commit(message)
