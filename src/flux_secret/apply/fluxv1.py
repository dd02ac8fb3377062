"""Deployments → which of them are a Flux v1: it and we would fight over every field."""

from __future__ import annotations

from typing import Final

from flux_secret.outside.kubernetes import Json, ServedKind
from flux_secret.outside.kubernetes.body import items, mapping, text

DEPLOYMENTS: Final = ServedKind("apps", "v1", "Deployment", "deployments", namespaced=True)
_IMAGES: Final = ("fluxcd/flux:", "weaveworks/flux:")


def is_flux(deployment: Json) -> bool:
    """Whether a container of it has an image of Flux v1."""
    containers = items(deployment, "spec", "template", "spec", "containers")
    images = [text(container, "image").rpartition("docker.io/")[2] for container in containers]
    return any(image.startswith(_IMAGES) for image in images)


def is_running_flux(deployment: Json) -> bool:
    """Whether it is one that has not been scaled down."""
    return is_flux(deployment) and mapping(deployment, "spec").get("replicas") != 0
