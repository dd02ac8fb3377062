"""The definitions of our kinds: shared by all agents of a cluster, so in no list of any of them.

They are written when another agent has installed them, too, and never removed: with a definition
every object of its kind goes.
"""

from __future__ import annotations

import json
from typing import Final

from flux_secret.apply.cluster import DRY
from flux_secret.apply.scope import CRD_KIND
from flux_secret.errors import HeldError
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.manifest import Bundle
from flux_secret.outside.kubernetes import Client, ServedKind

GROUP: Final = "flux-secret.io"
NAME_LABEL: Final = "app.kubernetes.io/name"
_NAME: Final = "flux-secret"
_API_GROUP: Final = "apiextensions.k8s.io"
DEFINITIONS: Final = ServedKind(
    _API_GROUP, "v1", CRD_KIND, "customresourcedefinitions", namespaced=False
)


def parted(bundle: Bundle) -> tuple[Bundle, Bundle]:
    """Give the definitions, and the rest."""
    kind = (_API_GROUP, CRD_KIND)
    ours = [one for one in bundle.items if (one.key.group, one.key.kind) == kind]
    rest = [one for one in bundle.items if (one.key.group, one.key.kind) != kind]
    return Bundle(tuple(ours)), Bundle(tuple(rest))


async def define(client: Client, bundle: Bundle, changes: ChangeSet, *, dry: bool) -> None:
    """Apply them; raise `HeldError` for one of that name which is not ours."""
    for item in bundle.items:
        key = item.key
        before = await client.metadata(DEFINITIONS, "", key.name)
        if before is not None and before.labels.get(NAME_LABEL) != _NAME:
            raise HeldError(
                f"{key} is there, and somebody else's",
                remedy=f"kubectl get crd {key.name} -o yaml shows whose; this agent needs its own",
            )
        if dry:
            changes.add(
                Change(key, Action.CREATED, DRY)
                if before is None
                else Change(key, Action.SKIPPED, f"it is there, and was not compared; {DRY}")
            )
            continue
        sent = json.dumps(item.manifest.body).encode()
        applied = await client.apply(DEFINITIONS, "", key.name, sent)
        if before is None:
            action = Action.CREATED
        elif applied.live.resource_version == before.resource_version:
            action = Action.UNCHANGED
        else:
            action = Action.CONFIGURED
        changes.add(Change(key, action))
