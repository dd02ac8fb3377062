"""Pods and their templates, as the API gives them → what runs, as whom, and with which Secrets.

A pod counts for the workload that keeps it, so that a Secret which only running pods still use is
seen too. One that nobody keeps, or something that is not listed, counts by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from flux_secret.model.access import Runs
from flux_secret.outside.kubernetes.body import Json, items, mapping, text

Uses: TypeAlias = Callable[[Mapping[str, Json]], Iterable[str]]
"""A pod template → the names of the Secrets that its pods see."""
_HASH: Final = "pod-template-hash"
_DEFAULT: Final = "default"
_KEPT: Final = {"StatefulSet": "apps", "DaemonSet": "apps", "Job": "batch"}


def runs(
    workloads: Iterable[tuple[str, Mapping[str, Json]]], pods: Iterable[Mapping[str, Json]],
    accounts: Iterable[Mapping[str, Json]], uses: Uses,
) -> tuple[Runs, ...]:  # fmt: skip
    """Give everything that runs pods, each once; `workloads` are (resource, object)."""
    known = {_place(one): one for one in accounts}
    found: dict[tuple[str, str, str], Runs] = {}
    for name, tree, template in _templates(workloads, pods):
        one = _runs(name, tree, template, known, uses)
        key = (one.namespace, one.workload, one.account)
        before = found.get(key, one)
        found[key] = replace(
            before,
            secrets=tuple(sorted({*before.secrets, *one.secrets})),
            pulls=tuple(sorted({*before.pulls, *one.pulls})),
            token=before.token or one.token,
        )
    return tuple(sorted(found.values()))


def _templates(
    workloads: Iterable[tuple[str, Mapping[str, Json]]], pods: Iterable[Mapping[str, Json]]
) -> Iterator[tuple[str, Mapping[str, Json], Mapping[str, Json]]]:
    for resource, tree in workloads:
        spec = mapping(tree, "spec")
        nested = mapping(spec, "jobTemplate", "spec") if resource.startswith("cronjob") else spec
        yield f"{resource}/{text(tree, 'metadata', 'name')}", tree, mapping(nested, "template")
    for pod in pods:
        yield _keeper(pod), pod, pod


def _keeper(pod: Mapping[str, Json]) -> str:
    """Name what keeps a pod, as kubectl names it."""
    for owner in items(pod, "metadata", "ownerReferences"):
        kind, name = text(owner, "kind"), text(owner, "name")
        end = f"-{text(pod, 'metadata', 'labels', _HASH)}"
        if kind == "ReplicaSet" and len(end) > 1 and name.endswith(end):
            return f"deployment.apps/{name.removesuffix(end)}"
        if kind in _KEPT:
            return f"{kind.lower()}.{_KEPT[kind]}/{name}"
    return f"pod/{text(pod, 'metadata', 'name')}"


def _runs(
    name: str, tree: Mapping[str, Json], template: Mapping[str, Json],
    accounts: Mapping[str, Mapping[str, Json]], uses: Uses,
) -> Runs:  # fmt: skip
    spec, namespace = mapping(template, "spec"), text(tree, "metadata", "namespace")
    account = text(spec, "serviceAccountName") or text(spec, "serviceAccount") or _DEFAULT
    of_account = accounts.get(f"{namespace}/{account}", {})
    pulls = [*items(spec, "imagePullSecrets")] or [*items(of_account, "imagePullSecrets")]
    return Runs(
        workload=name,
        namespace=namespace,
        account=account,
        secrets=tuple(sorted({*uses(template)})),
        pulls=tuple(sorted({text(one, "name") for one in pulls} - {""})),
        token=_has_token(spec, of_account),
    )


def _has_token(spec: Mapping[str, Json], account: Mapping[str, Json]) -> bool:
    """Say whether its pods get the account's token: mounted of itself, or by a volume."""
    said = spec.get("automountServiceAccountToken")
    if said is None:
        said = account.get("automountServiceAccountToken")
    return said is not False or any(
        mapping(source, "serviceAccountToken")
        for volume in items(spec, "volumes")
        for source in items(volume, "projected", "sources")
    )


def _place(tree: Mapping[str, Json]) -> str:
    return f"{text(tree, 'metadata', 'namespace')}/{text(tree, 'metadata', 'name')}"
