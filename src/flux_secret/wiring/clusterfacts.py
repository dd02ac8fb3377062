"""A cluster → what it says of who reads which Secrets; no Secret's value is ever asked for.

What may not be listed is said, and the rest is shown: a graph with a gap that is named is better
than none, and never complete in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from flux_secret.access.pods import runs
from flux_secret.access.rbac import Grant, Rights, grants
from flux_secret.access.rbac import through_pods as podding
from flux_secret.apply.inventory import LABEL, Inventory, TargetId, read_inventory
from flux_secret.apply.restart.references import references
from flux_secret.errors import ForbiddenError, IntegrityError
from flux_secret.model.access import Runs, Use
from flux_secret.outside.kubernetes import Client, Json, ServedKind
from flux_secret.outside.kubernetes.body import text
from flux_secret.resolve.holding import MORE

AGENT_KEY: Final = "flux-gpg-keys"
"""The Secret in which an agent's private key lies, as the walkthrough has it."""
READ: Final = "read by its last delivery"
PERHAPS: Final = "read by its last delivery; in which Secret it ended was not seen"
_RBAC: Final = "rbac.authorization.k8s.io"
_CONFIG_MAPS: Final = ServedKind("", "v1", "ConfigMap", "configmaps", namespaced=True)
_SECRETS: Final = ServedKind("", "v1", "Secret", "secrets", namespaced=True)
_ACCOUNTS: Final = ServedKind("", "v1", "ServiceAccount", "serviceaccounts", namespaced=True)
_PODS: Final = ServedKind("", "v1", "Pod", "pods", namespaced=True)
_ROLES: Final = ServedKind(_RBAC, "v1", "Role", "roles", namespaced=True)
_BINDINGS: Final = ServedKind(_RBAC, "v1", "RoleBinding", "rolebindings", namespaced=True)
_CLUSTER_ROLES: Final = ServedKind(_RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False)
_CLUSTER_BINDINGS: Final = ServedKind(
    _RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
_WORKLOADS: Final = {
    "deployment.apps": ServedKind("apps", "v1", "Deployment", "deployments", namespaced=True),
    "statefulset.apps": ServedKind("apps", "v1", "StatefulSet", "statefulsets", namespaced=True),
    "daemonset.apps": ServedKind("apps", "v1", "DaemonSet", "daemonsets", namespaced=True),
    "cronjob.batch": ServedKind("batch", "v1", "CronJob", "cronjobs", namespaced=True),
    "job.batch": ServedKind("batch", "v1", "Job", "jobs", namespaced=True),
}


@dataclass(slots=True)
class ClusterFacts:
    """What one cluster says."""

    uses: list[Use] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    grants: tuple[Grant, ...] = ()
    podding: tuple[Grant, ...] | None = None
    runs: tuple[Runs, ...] = ()
    accounts: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


async def look_at_uses(client: Client) -> ClusterFacts:
    """Ask only which Apps read which entries; raise `UnreachableError`."""
    facts = ClusterFacts()
    _add_uses(facts, await _inventories(client, facts))
    return facts


def _add_uses(facts: ClusterFacts, inventories: Sequence[Inventory]) -> None:
    names = _names(inventories)
    for one in inventories:
        facts.uses += _uses(one, names[one.target])


async def look(client: Client, *, through_pods: bool = False) -> ClusterFacts:
    """Ask for everything once; raise `UnreachableError`."""
    facts = ClusterFacts()
    inventories = await _inventories(client, facts)
    _add_uses(facts, inventories)
    for one in inventories:
        facts.secrets += [
            f"{key.namespace}/{key.name}"
            for key in one.entries
            if (key.group, key.kind) == ("", "Secret")
        ]
    for namespace in sorted({one.namespace for one in inventories}):
        if await _has_key(client, namespace):
            facts.agents.append(f"{namespace}/{AGENT_KEY}")
    kinds = (_ROLES, _CLUSTER_ROLES, _BINDINGS, _CLUSTER_BINDINGS)
    rights = Rights(*[await _all(client, kind, facts) for kind in kinds])
    facts.grants = grants(rights)
    facts.podding = podding(rights) if through_pods else None
    accounts = await _all(client, _ACCOUNTS, facts)
    facts.accounts = [
        f"{text(one, 'metadata', 'namespace')}/{text(one, 'metadata', 'name')}" for one in accounts
    ]
    workloads = [
        (resource, tree)
        for resource, kind in _WORKLOADS.items()
        for tree in await _all(client, kind, facts)
    ]
    facts.runs = runs(workloads, await _all(client, _PODS, facts), accounts, _seen)
    return facts


def _seen(template: Mapping[str, Json]) -> set[str]:
    return {one.secret for one in references(template)}


async def _all(client: Client, kind: ServedKind, facts: ClusterFacts) -> list[Mapping[str, Json]]:
    try:
        return await client.list(kind, "", "")
    except ForbiddenError as error:
        facts.unseen.append(f"{kind.resource}: {error.what}")
        return []


async def _inventories(client: Client, facts: ClusterFacts) -> list[Inventory]:
    found = []
    try:
        listed = await client.list(_CONFIG_MAPS, "", LABEL)
    except ForbiddenError as error:
        facts.unseen.append(f"what agents delivered: {error.what}")
        return []
    for tree in listed:
        try:
            found.append(read_inventory(tree))
        except IntegrityError as error:
            facts.findings.append(error.what)
    return found


async def _has_key(client: Client, namespace: str) -> bool:
    try:
        return await client.metadata(_SECRETS, namespace, AGENT_KEY) is not None
    except ForbiddenError:
        return True  # who may not look cannot say that there is none


def _names(inventories: Iterable[Inventory]) -> Mapping[TargetId, str]:
    """Name every target: an App by its name, a git path by itself where no two are alike."""
    targets = [one.target for one in inventories]
    short = {one: one.app or one.path or "/" for one in targets}
    count = Counter(short.values())
    return {
        one: name if count[name] == 1 else f"{name} of {one.source} ({one.branch})"
        for one, name in short.items()
    }


def _uses(inventory: Inventory, app: str) -> Iterator[Use]:
    certain: dict[str, set[str]] = {}
    perhaps: dict[str, set[str]] = {}
    for key, entry in inventory.entries.items():
        place = f"{key.namespace}/{key.name}"
        for name in entry.holds.entries:
            certain.setdefault(name, set()).add(place)
        for name in entry.holds.perhaps:
            perhaps.setdefault(name, set()).add(place)
    perhaps.pop(MORE, None)
    target = inventory.target.app or inventory.target.path or "/"
    for name, secrets in sorted(certain.items()):
        yield Use(app, name, tuple(sorted(secrets)), READ, target=target)
    for name, secrets in sorted(perhaps.items()):
        yield Use(app, name, tuple(sorted(secrets)), PERHAPS, certain=False, target=target)
