"""One decided write → what came of it: a `Change`, and the entry for our list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Protocol

from flux_secret.apply.inventory import Entry
from flux_secret.apply.payload import to_bytes
from flux_secret.apply.plan import Write
from flux_secret.errors import BugError, NotOursError
from flux_secret.model.change import Action, Change
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import (
    FIELD_MANAGER,
    Applied,
    Client,
    ConflictError,
    LiveObject,
    ServedKind,
)

TRIES: Final = 5
"""How often an object is applied that somebody changes in between each time."""


@dataclass(frozen=True, slots=True)
class Written:
    """How one write ended."""

    change: Change
    entry: Entry | None
    """What to list; None leaves the list as it is."""
    is_foreign: bool = False
    """Whether somebody else made the object while we did: it must leave our list."""
    uid: str = ""
    version: str = ""
    """Its resourceVersion as it was answered."""


class StillOurs(Protocol):
    """Asks whether our target's list is still ours."""

    async def __call__(self, touched: ObjectKey | None = None) -> None:
        """Raise `UnreachableError` when it is not.

        Its new holder then writes `touched` again, which we may have overwritten.
        """


async def write(client: Client, one: Write, kind: ServedKind, still_ours: StillOurs) -> Written:
    """Apply; raise `ObjectError`, and what `still_ours` raises."""
    want, key = one.want, one.key
    one, applied = await _applied(client, one, kind, still_ours)
    live = applied.live
    if not one.uid and not applied.created:
        await still_ours(key)
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
    entry = Entry(key, live.uid, one.adopted, one.digest, ours, one.values, want.holds)
    change = Change(key, _action(one, live), one.note)
    return Written(change, entry, uid=live.uid, version=live.resource_version)


async def _applied(
    client: Client, one: Write, kind: ServedKind, still_ours: StillOurs
) -> tuple[Write, Applied]:
    """Apply to the version that was read, or to a newer one while our list is still ours.

    Controllers change what we own, and that is nothing to us; another agent that delivers the same
    claims the list before it writes, and then what we decided counts no more.
    """
    key, body = one.key, one.want.body if one.body is None else one.body
    for left in reversed(range(TRIES)):
        version = one.resource_version if one.uid else ""
        sent = to_bytes(body, one.want.values, one.uid or None, version)
        try:
            return one, await client.apply(kind, key.namespace, key.name, sent.reveal())
        except ConflictError:
            live = await client.metadata(kind, key.namespace, key.name) if one.uid else None
            if live is None or live.uid != one.uid or not left:
                raise
            await still_ours()  # after reading: whoever claims it now finds our version changed
            one = replace(one, resource_version=live.resource_version)
    raise BugError("a loop that returns or raises has ended")


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
