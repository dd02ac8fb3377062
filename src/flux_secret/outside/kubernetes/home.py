"""Objects of ours in the agent's own namespace, which is made with the first of them."""

from __future__ import annotations

import contextlib
from typing import Final

from flux_secret.outside.kubernetes.body import Json, encoded
from flux_secret.outside.kubernetes.client import Client
from flux_secret.outside.kubernetes.discovery import ServedKind
from flux_secret.outside.kubernetes.failure import AlreadyExistsError, NotFoundError
from flux_secret.outside.kubernetes.live import LiveObject

NAMESPACES: Final = ServedKind("", "v1", "Namespace", "namespaces", namespaced=False)
CONFIG_MAPS: Final = ServedKind("", "v1", "ConfigMap", "configmaps", namespaced=True)


async def create(
    client: Client, kind: ServedKind, namespace: str, name: str, body: bytes
) -> LiveObject:
    """Create an object of ours; its namespace too when there is none."""
    try:
        return await client.create(kind, namespace, name, body)
    except NotFoundError as error:
        if error.missing_namespace != namespace:
            raise
    tree: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    with contextlib.suppress(AlreadyExistsError):
        await client.create(NAMESPACES, "", namespace, encoded(tree))
    return await client.create(kind, namespace, name, body)
