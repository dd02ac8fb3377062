"""A workload → how many of its pods carry the newest mark; only metadata of pods is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flux_secret.apply.restart.workloads import MARKED
from flux_secret.errors import ForbiddenError
from flux_secret.outside.kubernetes import Client, Json, ServedKind
from flux_secret.outside.kubernetes.body import items, mapping, text, text_map, texts

PODS = ServedKind("", "v1", "Pod", "pods", namespaced=True)
_SETS: Mapping[str, str] = {"In": "in", "NotIn": "notin"}


async def counted(
    client: Client, tree: Mapping[str, Json], mark: str
) -> tuple[int | None, int | None]:
    """Give (pods without the mark, pods with it); None where they may not be listed.

    Without a mark the workload is not restarted yet, and all of its pods count as old.
    """
    labels = selector(mapping(tree, "spec", "selector"))
    if not labels:
        return None, None
    try:
        pods = await client.list_metadata(PODS, text(tree, "metadata", "namespace"), labels)
    except ForbiddenError:
        return None, None
    there = [pod for pod in pods if not pod.is_going]
    new = sum(bool(mark) and pod.annotations.get(MARKED) == mark for pod in there)
    return len(there) - new, new


def selector(tree: Json) -> str:
    """Write a `LabelSelector` as a list request has it; empty where it selects nothing we know."""
    return ",".join(_terms(tree))


def _terms(tree: Json) -> Iterator[str]:
    for name, value in sorted(text_map(tree, "matchLabels").items()):
        yield f"{name}={value}"
    for one in items(tree, "matchExpressions"):
        name, operator = text(one, "key"), text(one, "operator")
        if operator in _SETS:
            yield f"{name} {_SETS[operator]} ({','.join(texts(one, 'values'))})"
        else:
            yield name if operator == "Exists" else f"!{name}"
