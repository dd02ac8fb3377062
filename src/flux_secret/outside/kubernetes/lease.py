"""coordination.k8s.io Leases of one installation's replicas ⇄ `Lease`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from flux_secret.outside.kubernetes.body import Json, encoded, number, text
from flux_secret.outside.kubernetes.client import Client, Preconditions
from flux_secret.outside.kubernetes.discovery import ServedKind
from flux_secret.outside.kubernetes.failure import AlreadyExistsError, NotFoundError
from flux_secret.outside.kubernetes.watch import Told

LEASES: Final = ServedKind("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True)
NAMESPACES: Final = ServedKind("", "v1", "Namespace", "namespaces", namespaced=False)
LABEL: Final = "flux-secret.io/replica-of"
SEES: Final = "flux-secret.io/sees"
SAYS: Final = "flux-secret.io/says"
MAX_DURATION_SECONDS: Final = 3600
"""Whatever another's Lease says: nobody waits longer for it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What one Lease says; its times are the writer's, and are never compared with ours."""

    name: str
    holder: str
    """Empty when it was given back."""
    duration_seconds: int
    renewed: str = ""
    acquired: str = ""
    transitions: int = 0
    sees: frozenset[str] = frozenset()
    """The other replicas that its holder knows of, and leaves their share to."""
    uid: str = ""
    version: str = ""
    says: str = ""
    """What its holder passes on to the other replicas; no part of who holds what."""

    @classmethod
    def parse(cls, tree: Json) -> Lease:
        """Read one; what is missing or strange is as if it had been given back."""
        duration = number(tree, "spec", "leaseDurationSeconds")
        seen = text(tree, "metadata", "annotations", SEES)
        return cls(
            name=text(tree, "metadata", "name"),
            holder=text(tree, "spec", "holderIdentity"),
            duration_seconds=min(max(duration, 0), MAX_DURATION_SECONDS),
            renewed=text(tree, "spec", "renewTime"),
            acquired=text(tree, "spec", "acquireTime"),
            transitions=number(tree, "spec", "leaseTransitions"),
            sees=frozenset(filter(None, seen.split(","))),
            uid=text(tree, "metadata", "uid"),
            version=text(tree, "metadata", "resourceVersion"),
            says=text(tree, "metadata", "annotations", SAYS),
        )

    @property
    def record(self) -> tuple[str, str, str, int]:
        """What changes with every renewal, and with nothing else."""
        return self.uid, self.holder, self.renewed, self.transitions

    def to_body(self, namespace: str, group: str) -> bytes:
        """Give its JSON."""
        annotations = {SEES: ",".join(sorted(self.sees))} | ({SAYS: self.says} if self.says else {})
        metadata: dict[str, Json] = {
            "name": self.name,
            "namespace": namespace,
            "labels": {LABEL: group},
            "annotations": annotations,
        }
        if self.version:
            metadata |= {"uid": self.uid, "resourceVersion": self.version}
        spec: Mapping[str, Json] = {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": max(1, self.duration_seconds),  # the API server's own rule
            "leaseTransitions": self.transitions,
            **({"renewTime": self.renewed} if self.renewed else {}),
            **({"acquireTime": self.acquired} if self.acquired else {}),
        }
        return encoded(
            {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata,
             "spec": spec}
        )  # fmt: skip


class Leases:
    """The Leases of one group of replicas, in the agent's namespace."""

    def __init__(self, client: Client, namespace: str, group: str) -> None:
        self._client = client
        self._namespace = namespace
        self._group = group

    async def all(self) -> list[Lease]:
        """Read them as they are now (not from a cache of the API server's)."""
        trees = await self._client.list(LEASES, self._namespace, f"{LABEL}={self._group}")
        return [Lease.parse(tree) for tree in trees]

    async def create(self, lease: Lease) -> Lease:
        """Create, in a namespace that is made if need be; raise `AlreadyExistsError`."""
        body = lease.to_body(self._namespace, self._group)
        try:
            live = await self._client.create(LEASES, self._namespace, lease.name, body)
        except NotFoundError as error:
            if error.missing_namespace != self._namespace:
                raise
            await self._make_namespace()
            live = await self._client.create(LEASES, self._namespace, lease.name, body)
        return replace(lease, uid=live.uid, version=live.resource_version)

    async def _make_namespace(self) -> None:
        """Make the agent's own, as its first list does: only outside of a pod is there none."""
        metadata: Json = {"name": self._namespace}
        tree: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        with contextlib.suppress(AlreadyExistsError):
            await self._client.create(NAMESPACES, "", self._namespace, encoded(tree))

    async def update(self, lease: Lease) -> Lease:
        """Replace the version that was read; raise `ConflictError`, `NotFoundError`."""
        body = lease.to_body(self._namespace, self._group)
        live = await self._client.replace(LEASES, self._namespace, lease.name, body)
        return replace(lease, uid=live.uid, version=live.resource_version)

    async def delete(self, lease: Lease) -> None:
        """Delete the version that was read; raise `ConflictError`, `NotFoundError`."""
        unchanged = Preconditions(lease.uid, lease.version)
        await self._client.delete(LEASES, self._namespace, lease.name, unchanged)

    async def follow(self, tell: Callable[[Told[Mapping[str, Json]]], None]) -> NoReturn:
        """Tell what changes, until cancelled."""
        reflector = self._client.reflector(LEASES, self._namespace, f"{LABEL}={self._group}")
        await reflector.run(tell)
