"""What is delivered → the least rights for it, pure: `flux-secret install --print-rbac`.

A Role in each namespace that is written, with the kinds that are written there; never a `*`. What
lies in no namespace is named object by object, but for its creation, which RBAC cannot name.
A Namespace itself is the administrator's: the agent may keep it as it should be, by a Role in it,
and neither make nor remove it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from flux_secret.install.render import own_rights
from flux_secret.model.restart import Restarted, RestartPolicy

Tree: TypeAlias = "dict[str, Any]"
Rule: TypeAlias = "dict[str, list[str]]"

NAME: Final = "flux-secret-applications"
"""Of the Roles, as `install --k8s-allow-namespace` has them: these take their place."""
ACCOUNT: Final = "flux-secret"
_RBAC: Final = "rbac.authorization.k8s.io"
_VERBS: Final[tuple[str, ...]] = (
    "get",
    "list",
    "create",
    "patch",
    "update",
    "delete",
    "impersonate",
)
_WORKLOADS: Final = ("daemonsets", "deployments", "statefulsets")


@dataclass(frozen=True, slots=True, order=True)
class Placed:
    """An object: RBAC's words for its kind, and where it is."""

    group: str
    resource: str
    """The plural: `deployments`."""
    namespace: str
    """Empty for what lies in none."""
    name: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one App delivers, and how."""

    objects: frozenset[Placed]
    deletes: bool = False
    """Whether it removes what left the repository, or its objects when it is deleted."""
    restart: RestartPolicy | None = None
    account: tuple[str, str] | None = None
    """Namespace and name of the account in whose name all is done; its rights are its own."""


@dataclass(slots=True)
class _Granted:
    """Verbs, by (group, resource, name); the name is empty for all of that kind."""

    verbs: dict[tuple[str, str, str], set[str]] = field(
        default_factory=lambda: defaultdict(set[str])
    )

    def allow(self, group: str, resource: str, *verbs: str, name: str = "") -> None:
        self.verbs[group, resource, name].update(verbs)

    def rules(self) -> Iterator[Rule]:
        """Give a rule for each group, verbs and names that are alike."""
        names: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
        for (group, resource, name), verbs in sorted(self.verbs.items()):
            ordered = tuple(verb for verb in _VERBS if verb in verbs)
            names[group, resource, ordered] += [name] if name else []
        alike: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
        for (group, resource, ordered), named in names.items():
            alike[group, ordered, tuple(named)].append(resource)
        for (group, ordered, only), resources in alike.items():
            rule: Rule = {"apiGroups": [group], "resources": resources}
            yield {**rule, **({"resourceNames": [*only]} if only else {}), "verbs": [*ordered]}


def rights(
    namespace: str, delivered: Sequence[Delivered], *, custom_resources: bool = False
) -> Sequence[Tree]:
    """Give what an agent in `namespace` needs, its own rights included."""
    places: dict[str, _Granted] = defaultdict(_Granted)
    for one in delivered:
        if one.account is not None:
            where, name = one.account
            places[where].allow("", "serviceaccounts", "impersonate", name=name)
            continue
        for placed in one.objects:
            _allow(places, placed, deletes=one.deletes)
        if one.restart is not None:
            _allow_restarts(places, one)
    trees = [*own_rights(namespace, custom_resources=custom_resources)]
    for place, granted in sorted(places.items()):
        trees += _granting(place, [*granted.rules()], namespace)
    return trees


def _allow(places: Mapping[str, _Granted], placed: Placed, *, deletes: bool) -> None:
    if (placed.group, placed.resource) == ("", "namespaces"):
        places[placed.name].allow("", "namespaces", "get", "patch")
        return
    granted = places[placed.namespace]
    touched = ("get", "patch", *(("delete",) if deletes else ()))
    if placed.namespace:
        granted.allow(placed.group, placed.resource, *touched, "create")
    else:
        granted.allow(placed.group, placed.resource, "create")
        granted.allow(placed.group, placed.resource, *touched, name=placed.name)


def _allow_restarts(places: Mapping[str, _Granted], one: Delivered) -> None:
    """Let workloads be found and restarted where there are Secrets, and their pods be counted."""
    assert one.restart is not None  # noqa: S101 -- the caller looks
    for place in {placed.namespace for placed in one.objects if placed.resource == "secrets"}:
        places[place].allow("", "pods", "list")
        if one.restart.workloads is Restarted.ALL:
            for resource in _WORKLOADS:
                places[place].allow("apps", resource, "get", "list", "patch")


def _granting(place: str, rules: Sequence[Rule], agent: str) -> Iterator[Tree]:
    kind = "Role" if place else "ClusterRole"
    metadata: Tree = {"name": NAME if place else f"{NAME}-{agent}"}
    if place:
        metadata["namespace"] = place
    metadata["labels"] = {"app.kubernetes.io/name": "flux-secret"}
    version = {"apiVersion": f"{_RBAC}/v1"}
    yield {**version, "kind": kind, "metadata": metadata, "rules": [*rules]}
    yield {
        **version, "kind": f"{kind}Binding", "metadata": metadata,
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": metadata["name"]},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": agent}],
    }  # fmt: skip
