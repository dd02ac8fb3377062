"""The keys of an agent that is installed → others, and its pods made anew with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from flux_secret.apply.fluxv1 import DEPLOYMENTS
from flux_secret.apply.payload import to_bytes
from flux_secret.apply.state import SECRETS
from flux_secret.errors import ConfigurationError, UnreachableError
from flux_secret.install.render import GPG_PUBLIC, GPG_SECRET, IDENTITY, KEYS_ANNOTATION
from flux_secret.model.identity import OpenPgpPublic
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.kubernetes import FIELD_MANAGER, Client, Json, ServedKind
from flux_secret.outside.kubernetes.body import encoded, mapping, number, text, text_map
from flux_secret.outside.kubernetes.home import CONFIG_MAPS
from flux_secret.settings import ClusterSettings
from flux_secret.wiring.installing import client_of

_DEPLOYMENT: Final = "flux"
_READY_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 1.0
_REMEDY: Final = "flux-secret install --apply first; or name its namespace: --namespace"


@dataclass(frozen=True, slots=True)
class AgentKeys:
    """What the agent of one namespace opens its stores with."""

    client: Client
    namespace: str

    async def ensure_there(self) -> None:
        """Raise `ConfigurationError` where no agent is installed."""
        for kind, name in ((SECRETS, GPG_SECRET), (DEPLOYMENTS, _DEPLOYMENT)):
            if await self.client.metadata(kind, self.namespace, name) is None:
                raise self._missing(kind, name)

    async def put(self, private: Plaintext, public: Sequence[OpenPgpPublic]) -> None:
        """Give the agent these keys, and make its pods anew.

        Applied server-side as `install` does it, with the labels that are there: what we own and
        leave out would be removed.
        """
        await self._apply(SECRETS, GPG_SECRET, {"type": "Opaque"}, {"flux.asc": private})
        shown = await self.client.get(CONFIG_MAPS, self.namespace, IDENTITY)
        if shown is not None:
            armored = "".join(one.armored for one in public)
            data = {**text_map(shown, "data"), GPG_PUBLIC: armored}
            await self._apply(CONFIG_MAPS, IDENTITY, {"data": data}, {})
        await self._restart([one.fingerprint for one in public])

    async def _apply(
        self, kind: ServedKind, name: str, body: Mapping[str, Json], values: Mapping[str, Plaintext]
    ) -> None:
        live = await self.client.metadata(kind, self.namespace, name)
        if live is None:
            raise self._missing(kind, name)
        metadata: dict[str, Json] = {"name": name, "namespace": self.namespace}
        metadata["labels"] = dict(live.labels)
        head: dict[str, Json] = {"apiVersion": kind.version, "kind": kind.kind}
        whole = {**head, **body, "metadata": metadata}
        sent = to_bytes(whole, values, live.uid).reveal()
        await self.client.apply(kind, self.namespace, name, sent)

    async def _restart(self, fingerprints: Sequence[str]) -> None:
        found = await self._deployment()
        template = mapping(found, "spec", "template", "metadata")
        annotations = text_map(template, "annotations")
        ssh = [one for one in annotations.get(KEYS_ANNOTATION, "").split() if ":" in one]
        value = {**annotations, KEYS_ANNOTATION: " ".join([*fingerprints, *ssh])}
        version = text(found, "metadata", "resourceVersion")
        operations: list[Json] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/spec/template/metadata/annotations", "value": dict(value)},
        ]
        await self.client.patch(
            DEPLOYMENTS, self.namespace, _DEPLOYMENT, encoded(operations), FIELD_MANAGER
        )

    async def ready(self) -> None:
        """Wait until every pod is one with the keys that were put; raise `UnreachableError`."""
        until = time.monotonic() + _READY_SECONDS
        while not _is_ready(await self._deployment()):
            if time.monotonic() > until:
                raise UnreachableError(
                    f"deployment/{_DEPLOYMENT} in {self.namespace} is not ready after "
                    f"{_READY_SECONDS:g} s; both keys are valid meanwhile",
                    remedy=f"kubectl describe pods -n {self.namespace}; then run this again",
                )
            await asyncio.sleep(_LOOK_SECONDS)

    async def _deployment(self) -> Mapping[str, Json]:
        found = await self.client.get(DEPLOYMENTS, self.namespace, _DEPLOYMENT)
        if found is None:
            raise self._missing(DEPLOYMENTS, _DEPLOYMENT)
        return found

    def _missing(self, kind: ServedKind, name: str) -> ConfigurationError:
        return ConfigurationError(
            f"there is no {kind.kind.lower()}/{name} in namespace {self.namespace}", remedy=_REMEDY
        )


def _is_ready(deployment: Mapping[str, Json]) -> bool:
    """As `kubectl rollout status` says it."""
    status, wanted = mapping(deployment, "status"), number(deployment, "spec", "replicas")
    seen = number(status, "observedGeneration") >= number(deployment, "metadata", "generation")
    counts = ("replicas", "updatedReplicas", "availableReplicas")
    return seen and all(number(status, one) == wanted for one in counts)


@asynccontextmanager
async def agent_keys(
    cluster: ClusterSettings, environ: Mapping[str, str]
) -> AsyncIterator[AgentKeys]:
    """Connect to the agent of a cluster."""
    async with AsyncExitStack() as resources:
        yield AgentKeys(await client_of(cluster, environ, resources), cluster.namespace)
