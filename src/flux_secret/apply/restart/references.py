"""A pod template → which values of which Secrets its pods see.

- `envFrom`, and volumes without `items`: every key; `secretKeyRef` and `items`: those keys.
- Init containers count: what they made of a value is as old as the value.
- Not `imagePullSecrets` and what storage drivers read (`nodePublishSecretRef`): the node uses them,
  and reads them anew each time; no pod sees them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flux_secret.outside.kubernetes import Json
from flux_secret.outside.kubernetes.body import items, mapping, text

_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A Secret's key; without one, all of them."""

    secret: str
    key: str = ""


def references(template: Json) -> frozenset[Reference]:
    """Give what a pod template (`spec.template`) refers to, optional or not."""
    spec = mapping(template, "spec")
    found = {*_of_volumes(spec)}
    for place in _CONTAINERS:
        for container in items(spec, place):
            found.update(_of_container(container))
    return frozenset(one for one in found if one.secret)


def _of_container(container: Json) -> Iterator[Reference]:
    for source in items(container, "envFrom"):
        yield Reference(text(source, "secretRef", "name"))
    for variable in items(container, "env"):
        chosen = mapping(variable, "valueFrom", "secretKeyRef")
        if chosen:
            yield Reference(text(chosen, "name"), text(chosen, "key"))


def _of_volumes(spec: Json) -> Iterator[Reference]:
    for volume in items(spec, "volumes"):
        secret = mapping(volume, "secret")
        yield from _of_files(text(secret, "secretName"), secret)
        for source in items(volume, "projected", "sources"):
            secret = mapping(source, "secret")
            yield from _of_files(text(secret, "name"), secret)


def _of_files(name: str, source: Json) -> Iterator[Reference]:
    keys = [text(item, "key") for item in items(source, "items")]
    yield from (Reference(name, key) for key in keys or [""])
