"""Changed entries → their old and new values, for a person who asked to see them."""

from __future__ import annotations

from collections.abc import Sequence

from flux_secret.cli import voice
from flux_secret.cli.store.terminal import shown
from flux_secret.errors import DecryptError
from flux_secret.wiring.difference import EntryChange
from flux_secret.wiring.owning import Owning


async def show_values(owning: Owning, changes: Sequence[EntryChange]) -> None:
    """Decrypt with the person's own key, and print each text before and after."""
    tree = owning.clone.at(owning.head)
    for change in changes:
        for sign, blob in (("-", change.old), ("+", change.new)):
            if blob is None:
                continue
            answer = (await owning.store.crypto.decrypt_all([tree.read(blob)]))[0]
            if isinstance(answer, DecryptError):
                voice.warn(f"{change.name}: {answer.what}")
                continue
            for line in shown(answer, reveal=True).splitlines():
                voice.say(f"  {sign} {change.name}: {line}")
