"""Somebody who leaves → out of the recipients of every folder that names them, as one commit."""

from __future__ import annotations

from flux_secret.cli.recipients.confirming import Given, ask, carry_out
from flux_secret.cli.store.sharing import share
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.leaving import Leaving
from flux_secret.store.working.membership import remove, still_named
from flux_secret.store.working.store import WorkingStore


async def take_out(
    store: WorkingStore, one: Leaving, settings: PersonSettings, given: Given
) -> bool:
    """Show it, ask, and do it; say whether it was done."""
    readers = [reader for each in one.people for reader in each.readers]
    async with store.changing() as draft:
        folders = await still_named(draft, readers)
        changes = [await remove(draft, folder, named) for folder, named in folders.items()]
        if not changes or not ask(store, changes, given):
            return False
        names = ", ".join(sorted({each.name for each in one.people}))
        places = ", ".join(change.folder or "the store" for change in changes)
        await carry_out(draft, changes, f"Remove {names} from the recipients of {places}", given)
    await share(store, settings)
    return True
