"""Workload → the JSON that fluxctl reads (v6.ControllerStatus of fluxd 1.25)."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Final

from flux_secret.model.flux_v1 import RESOURCE_ID, resource_id
from flux_secret.model.workload import Container, Workload

_READ_ONLY: Final = "ReadOnlyMode"
"""No manifest is ever changed from here, as under Flux v1's `--git-readonly`."""
_HOST: Final = re.compile(r"localhost|[A-Za-z0-9]\.[A-Za-z0-9]")


def shown_workload(one: Workload) -> dict[str, Any]:
    """Give a workload as `list-workloads` and its `-o json` show it.

    `Automated` is never set, since nobody changes images here: what the annotation says stands
    among the policies.
    """
    rollout = dataclasses.asdict(one.rollout)
    return {
        "ID": resource_id(one.key),
        "Containers": [_container(container) for container in one.containers],
        "ReadOnly": _READ_ONLY,
        "Status": one.status,
        "Rollout": {name.capitalize(): value for name, value in rollout.items()},
        "SyncError": one.error,
        "Antecedent": one.antecedent if RESOURCE_ID.match(one.antecedent) else "",
        "Labels": dict(one.labels),
        "Automated": False,
        "Locked": one.policies.get("locked") == "true",
        "Ignore": one.policies.get("ignore") == "true",
        "Policies": dict(one.policies),
    }


def _container(one: Container) -> dict[str, Any]:
    """Give a container; fluxctl fails on the whole list for one image that it cannot read."""
    current = {"Current": {"ID": one.image}} if is_readable(one.image) else {}
    return {"Name": one.name, **current}


def is_readable(image: str) -> bool:
    """Whether fluxctl can read an image's name (`image.ParseRef` of fluxd 1.25)."""
    if not image or image.startswith("/") or image.endswith("/"):
        return False
    first, *rest = image.split("/")
    # with one slash, Flux takes the first part for a host only if it looks like one
    has_host = len(rest) > 1 or (len(rest) == 1 and _HOST.search(first) is not None)
    name, at, digest = ("/".join(rest) if has_host else image).partition("@sha256:")
    parts = name.split(":")
    return all(parts) and len(parts) <= 2 and (not at or bool(digest))  # noqa: PLR2004 -- name, tag
