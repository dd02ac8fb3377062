"""Decided writes → what the API server would refuse of them: asked with `dryRun`, nothing changes.

What lies in a namespace, or is of a kind, that the same bundle makes cannot be asked about yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from flux_secret.apply.cluster import Cluster
from flux_secret.apply.payload import to_bytes
from flux_secret.apply.plan import Write
from flux_secret.apply.unsaid import unsaid
from flux_secret.errors import FluxSecretError, ObjectError
from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import Plaintext


async def tried(
    cluster: Cluster, writes: Sequence[Write], values: Collection[Plaintext]
) -> Mapping[ObjectKey, FluxSecretError]:
    """Give why each of them would fail; raise what stops everything (`UnreachableError`)."""
    made = {one.key.name for one in writes if one.key.kind == "Namespace" and not one.uid}
    asked = [one for one in writes if not one.want.awaited and one.key.namespace not in made]
    answers = await asyncio.gather(*(_refusal(cluster, one) for one in asked))
    return {
        one.key: unsaid(refused, values)
        for one, refused in zip(asked, answers, strict=True)
        if refused is not None
    }


async def _refusal(cluster: Cluster, one: Write) -> FluxSecretError | None:
    body = one.want.body if one.body is None else one.body
    sent = to_bytes(body, one.want.values, one.uid or None, "")
    asking = cluster.client.try_apply(one.want.kind, one.key.namespace, one.key.name, sent.reveal())
    try:
        await cluster.limited(asking)
    except ObjectError as refused:
        return refused
    return None
