"""Decided writes → the same, without those that would take a value from a live Secret."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from flux_secret.apply import guard
from flux_secret.apply.cluster import Cluster
from flux_secret.apply.plan import Refuse, Step, Write
from flux_secret.apply.scope import Wanted
from flux_secret.errors import FluxSecretError, ObjectError
from flux_secret.model.delivery import Revision
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import LiveObject
from flux_secret.outside.kubernetes.body import mapping


async def held(
    cluster: Cluster,
    steps: Sequence[Step],
    live: Mapping[ObjectKey, LiveObject | None],
    revision: Revision,
) -> tuple[Step, ...]:
    """Look at the live Secrets that would be written; hold those that would lose a value.

    One token stands for all of them: a person confirms a list, not an object.
    """
    about = [
        (one, there)
        for one in steps
        if isinstance(one, Write) and _is_secret(one.key) and (there := live.get(one.key))
    ]
    looks = (_losses(cluster, one.want, there) for one, there in about)
    ended = await asyncio.gather(*looks, return_exceptions=True)
    lost: dict[ObjectKey, list[guard.Loss]] = {}
    unreadable: dict[ObjectKey, ObjectError] = {}
    for (one, _), found in zip(about, ended, strict=True):
        if isinstance(found, ObjectError):
            unreadable[one.key] = found
        elif isinstance(found, BaseException):
            raise found
        elif found:
            lost[one.key] = found
    token = guard.loss_token(revision, [loss for key in sorted(lost) for loss in lost[key]])
    refused: dict[ObjectKey, FluxSecretError] = {**unreadable}
    if token not in cluster.confirmed:
        refused |= {
            key: guard.held_for_loss(losses, revision, token) for key, losses in lost.items()
        }
    return tuple(
        Refuse(one.key, refused[one.key], one.want.origin)
        if isinstance(one, Write) and one.key in refused
        else one
        for one in steps
    )


async def _losses(cluster: Cluster, want: Wanted, live: LiveObject) -> list[guard.Loss]:
    reading = cluster.client.get(want.kind, want.key.namespace, want.key.name)
    secret = await cluster.limited(reading)
    return guard.losses(want, live, guard.filled_keys(mapping(secret, "data")))


def _is_secret(key: ObjectKey) -> bool:
    return (key.group, key.kind) == ("", "Secret")
