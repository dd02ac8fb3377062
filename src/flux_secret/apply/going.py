"""Namespaces → those that are being deleted, or are gone: what lies in them goes by itself.

Roles go with their namespace, and often first, so by then neither the agent nor an App's account
may look at anything there. One right the agent has everywhere, for it is no namespace's: to create
Events. The API server would refuse one in a namespace that is going, and says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flux_secret.errors import ObjectError, RejectedError
from flux_secret.outside.kubernetes import EVENTS, Client, Json, NotFoundError
from flux_secret.outside.kubernetes.body import encoded

_NAME: Final = "flux-secret-is-it-going"


async def going(client: Client, namespaces: Iterable[str]) -> frozenset[str]:
    """Give those of which that is certain; nothing is written."""
    return frozenset([one for one in sorted(set(namespaces)) if await _is_going(client, one)])


async def _is_going(client: Client, namespace: str) -> bool:
    about: Json = {
        "apiVersion": "v1", "kind": "Namespace", "namespace": namespace, "name": namespace,
    }  # fmt: skip
    body: Json = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": _NAME},
        "involvedObject": about,
        "type": "Normal",
        "reason": "Asked",
        "message": "whether the namespace is being deleted",
    }
    try:
        await client.try_create(EVENTS, namespace, _NAME, encoded(body))
    except RejectedError as refused:  # admission NamespaceLifecycle, NamespaceTerminatingCause
        return refused.said == f"metadata.namespace: namespace {namespace} is being terminated"
    except NotFoundError as missing:
        return missing.missing_namespace == namespace
    except ObjectError:
        return False
    return False
