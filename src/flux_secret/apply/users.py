"""Secrets → the workloads that use them, and how many of their pods are older than the Secret.

A pod reads variables when it starts. One that was made before our fields of the Secret changed last
runs with what it held before. An API server writes both times in whole seconds: of a pod that was
made in the second of the change nobody can tell, unless the Secret is no older itself, or the pod
has the mark of a restart that came after. Needs `get` of the Secret's metadata, and `list` of
workloads and pods.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from flux_secret.apply.restart.pods import PODS, selector
from flux_secret.apply.restart.references import references
from flux_secret.apply.restart.turn import MANAGER
from flux_secret.apply.restart.workloads import MARKED, SERVED, marked
from flux_secret.apply.state import SECRETS
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import FIELD_MANAGER, Client, Json, LiveObject
from flux_secret.outside.kubernetes.body import mapping, text


@dataclass(frozen=True, slots=True)
class Use:
    """A workload that uses a Secret."""

    secret: ObjectKey
    workload: ObjectKey
    old: int
    """Pods that were made before the Secret changed last."""
    unsure: int
    """Pods that were made in the second in which it changed: before it or after it."""
    pods: int


@dataclass(frozen=True, slots=True)
class _Turned:
    """When a Secret's values changed last; times are RFC 3339 in UTC, which sorts as text."""

    made: str
    changed: str

    def is_older(self, pod: LiveObject) -> bool:
        return pod.created < self.changed

    def is_unsure(self, pod: LiveObject, restart: _Restart) -> bool:
        if pod.created != self.changed or self.made == self.changed:
            return False
        return not (restart.at >= self.changed and restart.is_of(pod))


@dataclass(frozen=True, slots=True)
class _Restart:
    """The last restart of a workload that was ours; each comes after its Secrets are written."""

    mark: str
    at: str

    @classmethod
    def parse(cls, workload: Mapping[str, Json]) -> _Restart:
        own = LiveObject.parse(workload).applied_by(MANAGER)
        return cls(marked(workload), own.time if own is not None else "")

    def is_of(self, pod: LiveObject) -> bool:
        return bool(self.mark) and pod.annotations.get(MARKED) == self.mark


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
        turned = {key: await self._turned(key) for key in secrets}
        uses = []
        for kind in SERVED.values():
            for tree in await self._client.list(kind, namespace, ""):
                named = {one.secret for one in references(mapping(tree, "spec", "template"))}
                used = [key for key in turned if key.name in named]
                if used:
                    pods, restart = await self._pods(tree, namespace), _Restart.parse(tree)
                    name = text(tree, "metadata", "name")
                    workload = ObjectKey(kind.group, kind.kind, namespace, name)
                    for key in used:
                        old = sum(map(turned[key].is_older, pods))
                        unsure = sum(turned[key].is_unsure(pod, restart) for pod in pods)
                        uses.append(Use(key, workload, old, unsure, len(pods)))
        return uses

    async def _turned(self, key: ObjectKey) -> _Turned:
        live = await self._client.metadata(SECRETS, key.namespace, key.name)
        own = live.applied_by(FIELD_MANAGER) if live is not None else None
        if live is None or own is None:
            return _Turned("", "")
        return _Turned(live.created, own.time)

    async def _pods(self, workload: Mapping[str, Json], namespace: str) -> list[LiveObject]:
        labels = selector(mapping(workload, "spec", "selector"))
        pods = await self._client.list_metadata(PODS, namespace, labels) if labels else []
        return [pod for pod in pods if not pod.is_going]
