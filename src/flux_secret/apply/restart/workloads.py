"""A namespace's workloads → what the room decides on: references and digests, no more.

What the same target delivers is read as its inventory lists it, so that a narrow role is enough.
Only where a target restarts whatever uses its Secrets, all of a namespace are listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from flux_secret.apply.delivered import Question
from flux_secret.apply.digest import DigestKey
from flux_secret.apply.inventory import Entry
from flux_secret.apply.restart.consumers import Seen
from flux_secret.apply.restart.owned import KINDS, Space, is_restartable
from flux_secret.apply.restart.references import references
from flux_secret.apply.restart.values import template_digest
from flux_secret.model.names import ObjectKey
from flux_secret.model.restart import Restarted
from flux_secret.outside.kubernetes import Client, Json, ServedKind
from flux_secret.outside.kubernetes.body import mapping, text

MARKED: Final = "flux-secret.io/restarted-for"
"""Annotation of a pod template: keyed digest of the values that its pods were restarted for."""
RESTART: Final = "flux-secret.io/restart"
NEVER: Final = "never"
SERVED: Final = {
    kind: ServedKind("apps", "v1", kind, f"{kind.lower()}s", namespaced=True)
    for kind in sorted(KINDS)
}


async def of_namespace(
    client: Client, key: DigestKey, namespace: str, space: Space, secrets: Iterable[str]
) -> list[Seen]:
    """Read what may use some of its Secrets; raise what the cluster raises."""
    secrets = set(secrets)
    policies = [space.policies[name] for name in secrets if name in space.policies]
    if any(policy.workloads is Restarted.ALL for policy in policies):
        return [
            seen(key, kind.kind, tree)
            for kind in SERVED.values()
            for tree in await client.list(kind, namespace, "")
        ]
    listed: dict[str, list[Entry]] = {}
    for name in secrets & space.inventories.keys():
        inventory = space.inventories[name]
        listed[inventory.applyset] = [
            entry
            for workload, entry in inventory.entries.items()
            if is_restartable(workload) and workload.namespace == namespace
        ]
    found = await Question(client, listed).read()
    return [seen(key, one.kind, tree) for one, tree in sorted(found.items())]


async def one_of(client: Client, key: ObjectKey) -> Mapping[str, Json] | None:
    """Read one; None when it is gone."""
    return await client.get(SERVED[key.kind], key.namespace, key.name)


def seen(key: DigestKey, kind: str, tree: Mapping[str, Json]) -> Seen:
    """Take from a workload what is decided on."""
    metadata, template = mapping(tree, "metadata"), mapping(tree, "spec", "template")
    namespace = text(metadata, "namespace")
    return Seen(
        ObjectKey("apps", kind, namespace, text(metadata, "name")),
        text(metadata, "uid"),
        template_digest(key, namespace, template),
        marked(tree),
        references(template),
        never=text(metadata, "annotations", RESTART) == NEVER,
    )


def marked(tree: Mapping[str, Json]) -> str:
    """Give what its pod template carries of ours."""
    return text(tree, "spec", "template", "metadata", "annotations", MARKED)
