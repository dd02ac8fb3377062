"""What is about to be done to objects, and what came of it → notes for the record.

The intent is durable before the first request: after a crash it stands there without an outcome.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from flux_secret.apply.inventory import Inventory
from flux_secret.apply.plan import Write
from flux_secret.apply.write import Written
from flux_secret.errors import FluxSecretError
from flux_secret.model.change import Action
from flux_secret.model.names import ObjectKey
from flux_secret.model.record import Detail, Kind, Note

MAX_NAMES: Final = 200
"""Objects that an intent names; of more it gives the number, and a digest of all names."""
_WRITTEN: Final = (Action.CREATED, Action.CONFIGURED)


def intent(
    doing: str, inventory: Inventory, keys: Collection[ObjectKey], revision: str = ""
) -> Note:
    """Say what is going to be done to which objects of a target."""
    names = sorted(key.long for key in keys)
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    details: Mapping[str, Detail] = {
        "doing": doing,
        "revision": revision or inventory.revision,
        "count": len(names),
        "objects": names[:MAX_NAMES],
        "digest": digest if len(names) > MAX_NAMES else None,
    }
    return Note(Kind.INTENT, str(inventory.target), details)


def came_of(one: Write, done: Written, *, is_new: bool) -> Iterator[Note]:
    """Say what came of one write; nothing of an object that is as it was.

    `is_new`: it was not in our list before.
    """
    change, about = done.change, one.key.long
    version = {"uid": done.uid, "resourceVersion": done.version}
    if change.error is not None:
        yield failed(one.key, change.error)
    elif one.adopted and is_new:
        yield Note(Kind.ADOPTED, about, {**version, "reason": one.note})
    if change.action in _WRITTEN:
        yield Note(Kind.DELIVERED, about, {**version, "action": change.action.value})


def failed(key: ObjectKey, error: FluxSecretError) -> Note:
    """Say that nothing came of it."""
    return Note(Kind.FAILED, key.long, {"error": error.what})


def pruned(key: ObjectKey, uid: str) -> Note:
    """Say that an object was removed."""
    return Note(Kind.PRUNED, key.long, {"uid": uid})


def adopted(key: ObjectKey, action: Action, reason: str) -> Note:
    """Say that an object was taken over, or given back."""
    return Note(Kind.ADOPTED, key.long, {"action": action.value, "reason": reason})
