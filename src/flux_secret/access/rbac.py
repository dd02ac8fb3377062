"""Roles and bindings of a cluster → who of it may read which Secrets; pure.

Read as Kubernetes' own authorizer does (plugin/pkg/auth/authorizer/rbac, pkg/registry/rbac):

1. A rule counts with `*` or the word itself in verbs, groups and resources, and for all names or
   for those in `resourceNames`. `list` and `watch` of a named object are asked for with the field
   selector `metadata.name`, and granted by the same rule.
2. A binding grants in its namespace, a ClusterRoleBinding in all. A role that is not there grants
   nothing.
3. An aggregated ClusterRole has the rules of those whose labels its selectors choose.
4. `patch` counts as reading: the answer is the whole object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Tree: TypeAlias = Mapping[str, Any]

READING: Final = ("get", "list", "watch", "patch")
"""Verbs that give a Secret's values."""
RESOURCE: Final = "secrets"
MASTERS: Final = "system:masters"
_ACCOUNT: Final = "system:serviceaccount:"
_EVERY: Final = "*"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """A user, a group or a service account, as requests of theirs are named."""

    kind: str
    """`User`, `Group` or `ServiceAccount`."""
    name: str
    """Of a service account: `NAMESPACE/NAME`."""

    @property
    def username(self) -> str:
        """What `kubectl auth can-i --as` takes; of a group nothing."""
        if self.kind == "ServiceAccount":
            return _ACCOUNT + self.name.replace("/", ":")
        return self.name if self.kind == "User" else ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """What one binding lets its subjects do with Secrets."""

    binding: str
    """`RoleBinding demo/readers`, or `ClusterRoleBinding admins`."""
    role: str
    """`Role demo/reader`, or `ClusterRole admin`."""
    namespace: str
    """Where; empty for everywhere."""
    names: tuple[str, ...]
    """Of which Secrets; none for all."""
    verbs: tuple[str, ...]
    subjects: tuple[Subject, ...]

    def covers(self, namespace: str, name: str) -> bool:
        """Say whether it is about one Secret."""
        return self.namespace in {"", namespace} and (not self.names or name in self.names)


def grants(
    roles: Iterable[Tree], cluster_roles: Iterable[Tree],
    bindings: Iterable[Tree], cluster_bindings: Iterable[Tree],
) -> tuple[Grant, ...]:  # fmt: skip
    """Give every grant of Secrets, sorted; objects as the API gives them."""
    known = {_place(tree): _allowed(_rules(tree)) for tree in roles}
    known |= {("", name): _allowed(rules) for name, rules in _aggregated(cluster_roles)}
    found = [grant for tree in (*bindings, *cluster_bindings) for grant in _granted(tree, known)]
    return tuple(sorted(found))


_Allowed: TypeAlias = Mapping[tuple[str, ...], tuple[str, ...]]
"""Names of Secrets, none for all → reading verbs."""


def _allowed(rules: Iterable[Tree]) -> _Allowed:
    found: dict[tuple[str, ...], set[str]] = {}
    for rule in rules:
        if {"", _EVERY} & _words(rule, "apiGroups") and {RESOURCE, _EVERY} & _words(
            rule, "resources"
        ):
            verbs = _words(rule, "verbs")
            read = set(READING) if _EVERY in verbs else verbs & set(READING)
            if read:
                found.setdefault(tuple(sorted(_words(rule, "resourceNames"))), set()).update(read)
    return {
        names: tuple(verb for verb in READING if verb in verbs) for names, verbs in found.items()
    }


def _granted(binding: Tree, known: Mapping[tuple[str, str], _Allowed]) -> Iterator[Grant]:
    namespace, name = _place(binding)
    reference = binding.get("roleRef") or {}
    kind, role = str(reference.get("kind", "")), str(reference.get("name", ""))
    if kind not in {"Role", "ClusterRole"} or (kind == "Role" and not namespace):
        return
    where = namespace if kind == "Role" else ""
    subjects = tuple(sorted({*_subjects(binding, namespace)}))
    if not subjects:
        return
    said = f"RoleBinding {namespace}/{name}" if namespace else f"ClusterRoleBinding {name}"
    for names, verbs in known.get((where, role), {}).items():
        of = f"{kind} {where}/{role}" if where else f"{kind} {role}"
        yield Grant(said, of, namespace, names, verbs, subjects)


def _subjects(binding: Tree, namespace: str) -> Iterator[Subject]:
    for tree in binding.get("subjects") or ():
        kind, name = str(tree.get("kind", "")), str(tree.get("name", ""))
        if kind == "User" and name.startswith(_ACCOUNT) and name.count(":") == _ACCOUNT_COLONS:
            yield Subject("ServiceAccount", name.removeprefix(_ACCOUNT).replace(":", "/"))
        elif kind == "ServiceAccount":
            yield Subject(kind, f"{tree.get('namespace') or namespace}/{name}")
        elif kind in {"User", "Group"}:
            yield Subject(kind, name)


_ACCOUNT_COLONS: Final = 3


def _aggregated(cluster_roles: Iterable[Tree]) -> Iterator[tuple[str, Sequence[Tree]]]:
    """Give each ClusterRole's rules, with those that it gathers, of gathered ones too."""
    trees = {_place(tree)[1]: tree for tree in cluster_roles}
    chosen = {
        name: [other for other, one in trees.items() if other != name and _chooses(tree, one)]
        for name, tree in trees.items()
        if tree.get("aggregationRule")
    }
    for name in trees:
        met, waiting = {name}, [name]
        while waiting:
            for other in chosen.get(waiting.pop(), ()):
                if other not in met:
                    met.add(other)
                    waiting.append(other)
        yield name, [rule for one in sorted(met) for rule in _rules(trees[one])]


def _chooses(role: Tree, other: Tree) -> bool:
    selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    labels = (other.get("metadata") or {}).get("labels") or {}
    return any(_matches(one, labels) for one in selectors)


def _matches(selector: Tree, labels: Tree) -> bool:
    """Say whether a label selector (meta/v1) chooses these labels; an empty one chooses all."""
    wanted = (selector.get("matchLabels") or {}).items()
    if any(labels.get(key) != value for key, value in wanted):
        return False
    return all(_meets(one, labels) for one in selector.get("matchExpressions") or ())


def _meets(expression: Tree, labels: Tree) -> bool:
    key, values = str(expression.get("key")), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False


def _place(tree: Tree) -> tuple[str, str]:
    metadata = tree.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def _rules(tree: Tree) -> Sequence[Tree]:
    return tree.get("rules") or ()


def _words(rule: Tree, field: str) -> set[str]:
    return {str(one) for one in rule.get(field) or ()}
