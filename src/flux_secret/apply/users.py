"""Secrets → the workloads that use them, and how many of their pods are older than the Secret.

A pod reads variables when it starts. One that was made before our fields of the Secret changed last
runs with what it held before. Needs `get` of the Secret's metadata, and `list` of workloads and
pods.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from flux_secret.apply.restart.pods import PODS, selector
from flux_secret.apply.restart.references import references
from flux_secret.apply.restart.workloads import SERVED
from flux_secret.apply.state import SECRETS
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import FIELD_MANAGER, Client, Json
from flux_secret.outside.kubernetes.body import mapping, text


@dataclass(frozen=True, slots=True)
class Use:
    """A workload that uses a Secret."""

    secret: ObjectKey
    workload: ObjectKey
    old: int
    """Pods that were made before the Secret changed last."""
    pods: int


class Users:
    """Looks at workloads and pods."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def of(self, secrets: Collection[ObjectKey]) -> list[Use]:
        """Give the uses of these Secrets; raise what the API server refuses."""
        spaces: dict[str, list[ObjectKey]] = defaultdict(list)
        for key in sorted(secrets):
            spaces[key.namespace].append(key)
        return [use for space, keys in spaces.items() for use in await self._in(space, keys)]

    async def _in(self, namespace: str, secrets: Iterable[ObjectKey]) -> list[Use]:
        changed = {key: await self._changed(key) for key in secrets}
        uses = []
        for kind in SERVED.values():
            for tree in await self._client.list(kind, namespace, ""):
                named = {one.secret for one in references(mapping(tree, "spec", "template"))}
                used = [key for key in changed if key.name in named]
                if used:
                    made = await self._made(tree, namespace)
                    name = text(tree, "metadata", "name")
                    workload = ObjectKey(kind.group, kind.kind, namespace, name)
                    uses += [
                        Use(key, workload, sum(one < changed[key] for one in made), len(made))
                        for key in used
                    ]
        return uses

    async def _changed(self, key: ObjectKey) -> str:
        """Say when our fields of it changed last (RFC 3339 in UTC, which sorts as text)."""
        live = await self._client.metadata(SECRETS, key.namespace, key.name)
        own = live.applied_by(FIELD_MANAGER) if live is not None else None
        return own.time if own is not None else ""

    async def _made(self, workload: Mapping[str, Json], namespace: str) -> list[str]:
        labels = selector(mapping(workload, "spec", "selector"))
        pods = await self._client.list(PODS, namespace, labels) if labels else []
        return [
            text(pod, "metadata", "creationTimestamp")
            for pod in pods
            if not text(pod, "metadata", "deletionTimestamp")
        ]
