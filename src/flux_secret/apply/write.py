"""One decided write → what came of it: a `Change`, and the entry for our list."""

from __future__ import annotations

from dataclasses import dataclass

from flux_secret.apply.inventory import Entry
from flux_secret.apply.payload import to_bytes
from flux_secret.apply.plan import Write
from flux_secret.errors import NotOursError
from flux_secret.model.change import Action, Change
from flux_secret.outside.kubernetes import FIELD_MANAGER, Client, LiveObject, ServedKind


@dataclass(frozen=True, slots=True)
class Written:
    """How one write ended."""

    change: Change
    entry: Entry | None
    """What to list; None leaves the list as it is."""
    is_foreign: bool = False
    """Whether somebody else made the object while we did: it must leave our list."""


async def write(client: Client, one: Write, kind: ServedKind) -> Written:
    """Apply; raise `ObjectError`."""
    want, key = one.want, one.key
    body = want.body if one.body is None else one.body
    sent = to_bytes(body, want.values, one.uid or None).reveal()
    applied = await client.apply(kind, key.namespace, key.name, sent)
    live = applied.live
    if not one.uid and not applied.created and _has_other_makers(live):
        error = NotOursError(
            f"{key.long} was made by somebody else at the same moment",
            remedy="delete it, rename yours, or take it over with --adopt-existing",
        )
        return Written(
            Change(key, Action.FAILED, error=error, origin=want.origin), None, is_foreign=True
        )
    own = live.applied_by(FIELD_MANAGER)
    ours = own.digest if own else ""
    entry = Entry(key, live.uid, one.adopted, one.digest, ours, one.values)
    return Written(Change(key, _action(one, live), one.note), entry)


def _action(one: Write, live: LiveObject) -> Action:
    if not one.uid:
        return Action.CREATED
    unchanged = one.resource_version == live.resource_version
    return Action.UNCHANGED if unchanged else Action.CONFIGURED


def _has_other_makers(live: LiveObject) -> bool:
    """Whether somebody else owns more than annotations, labels and status.

    A create that is sent twice (its first answer was lost) says 200, too; then the object is ours
    alone, but for what controllers have noted on it since.
    """
    return any(
        entry.manager != FIELD_MANAGER and entry.fields.keys() - {"f:metadata", "f:status"}
        for entry in live.managed
        if not entry.subresource
    )
