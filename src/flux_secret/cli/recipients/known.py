"""Values that somebody who leaves may still know, as people and programs are told of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from flux_secret.cli import voice
from flux_secret.store.working.exposure import Unchanged
from flux_secret.store.working.store import WorkingStore

_SHOWN: Final = 20  # values


def tell(store: WorkingStore, known: Sequence[Unchanged]) -> None:
    """Say which values they could read that are still the same."""
    due = [one for one in known if one.is_due]
    if due:
        voice.say(
            f"{voice.counted(len(due), 'value')} that they could read "
            f"{'is' if len(due) == 1 else 'are'} still the same, and git's history keeps what was "
            "readable; change it at its source:"
        )
    for one in due[:_SHOWN]:
        doubt = "" if one.is_certain else ", as far as can be told"
        voice.say(f"  {store.full(one.entry)} ({', '.join(one.what)}{doubt})")
    if len(due) > _SHOWN:
        voice.say(f"  and {len(due) - _SHOWN} more (--json lists all)")
    if len(known) > len(due):
        voice.say(f"  and keys beside a new password in {len(known) - len(due)} more")


def known_json(store: WorkingStore, known: Sequence[Unchanged]) -> list[dict[str, Any]]:
    """Give all of them for programs."""
    return [
        {
            "entry": store.full(one.entry), "what": list(one.what), "certain": one.is_certain,
            "due": one.is_due, "commit": one.commit, "committed_at": one.when,
        }
        for one in known
    ]  # fmt: skip
