"""A change that was just committed → shared with the store's host, where gopass would push too."""

from __future__ import annotations

from collections.abc import Sequence

from flux_secret.cli import voice
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.merging import Choice
from flux_secret.store.working.store import WorkingStore
from flux_secret.store.working.sync import sync
from flux_secret.wiring.ownership import refuse_to_share


async def share(store: WorkingStore, settings: PersonSettings) -> None:
    """Fetch, merge and push, if the person's settings say so; raise when the host did not take it.

    The change is committed here whatever happens; the errors say so.
    """
    if store.clone is None or not settings.pushes:
        return
    await refuse_to_share(store)
    done = await sync(store, keep_both)
    for name in done.to_look_at:
        voice.warn(f"{store.full(name)}: your side, kept beside theirs; remove one of the two")


def keep_both(_name: str, _fields: Sequence[str]) -> Choice:
    """Decide nothing for a person who is not asked."""
    return Choice.BOTH
