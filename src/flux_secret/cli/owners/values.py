"""Changed entries → their old and new values, for a person who asked to see them."""

from __future__ import annotations

from collections.abc import Sequence

from flux_secret.access.approvals import Verdict
from flux_secret.cli import voice
from flux_secret.cli.store.terminal import shown
from flux_secret.errors import DecryptError
from flux_secret.store.working.recorded import Sealed
from flux_secret.wiring.difference import EntryChange
from flux_secret.wiring.owning import Owning


async def show_values(owning: Owning, one: Verdict, changes: Sequence[EntryChange]) -> None:
    """Decrypt with the person's own key, and print each text before and after."""
    tree = owning.clone.at(owning.head)
    old, new = (which.commit if which else "" for which in (one.approved, one.wanted))
    for change in changes:
        for sign, blob, commit in (("-", change.old, old), ("+", change.new, new)):
            if blob is None:
                continue
            sealed = Sealed(change.name, blob, commit)
            answer = (await owning.store.open_all([(sealed, tree.read(blob))]))[0]
            if isinstance(answer, DecryptError):
                voice.warn(f"{change.name}: {answer.what}")
                continue
            for line in shown(answer, reveal=True).splitlines():
                voice.say(f"  {sign} {change.name}: {line}")
