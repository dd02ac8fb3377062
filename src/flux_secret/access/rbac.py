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

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Tree: TypeAlias = Mapping[str, Any]

READING: Final = ("get", "list", "watch", "patch")
"""Verbs that give a Secret's values."""
RESOURCE: Final = "secrets"
_CHANGING: Final = ("create", "update", "patch")
_STARTS, _ENTERS = "start pods", "open a shell in pods"
_POD_RIGHTS: Final = (
    ("", "pods", ("create",), _STARTS),
    ("", "replicationcontrollers", _CHANGING, _STARTS),
    *(("apps", kind, _CHANGING, _STARTS)
      for kind in ("deployments", "statefulsets", "daemonsets", "replicasets")),
    *(("batch", kind, _CHANGING, _STARTS) for kind in ("jobs", "cronjobs")),
    ("", "pods/exec", ("create", "get"), _ENTERS),  # a WebSocket is asked for with GET
    ("", "pods/attach", ("create", "get"), _ENTERS),
    ("", "pods/ephemeralcontainers", ("update", "patch"), _ENTERS),
)  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class Rights:
    """What a cluster says of rights, as the API gives it."""

    roles: Sequence[Tree] = ()
    cluster_roles: Sequence[Tree] = ()
    bindings: Sequence[Tree] = ()
    cluster_bindings: Sequence[Tree] = ()


def grants(rights: Rights) -> tuple[Grant, ...]:
    """Give every grant of Secrets, sorted."""
    return _grants(rights, _reading)


def through_pods(rights: Rights) -> tuple[Grant, ...]:
    """Give every grant to start pods, which may use any Secret of their namespace, or to enter one.

    Its verbs are words for people. Who may change a Deployment, or what else keeps pods, starts
    them, also where the rule names it; to create, a rule with names is none.
    """
    return _grants(rights, _podding)


_Allowed: TypeAlias = Mapping[tuple[str, ...], tuple[str, ...]]
"""Names of Secrets, none for all → verbs."""


def _grants(rights: Rights, reads: Callable[[Sequence[Tree]], _Allowed]) -> tuple[Grant, ...]:
    known = {_place(tree): reads(_rules(tree)) for tree in rights.roles}
    known |= {("", name): reads(rules) for name, rules in _aggregated(rights.cluster_roles)}
    bindings = (*rights.bindings, *rights.cluster_bindings)
    return tuple(sorted(grant for tree in bindings for grant in _granted(tree, known)))


def _reading(rules: Sequence[Tree]) -> _Allowed:
    found: dict[tuple[str, ...], set[str]] = {}
    for rule in rules:
        read = _verbs(rule, "", RESOURCE, READING)
        if read:
            found.setdefault(tuple(sorted(_words(rule, "resourceNames"))), set()).update(read)
    return {
        names: tuple(verb for verb in READING if verb in verbs) for names, verbs in found.items()
    }


def _podding(rules: Sequence[Tree]) -> _Allowed:
    said = {
        words
        for rule in rules
        for group, resource, verbs, words in _POD_RIGHTS
        for verb in _verbs(rule, group, resource, verbs)
        if verb != "create" or "/" in resource or not _words(rule, "resourceNames")
    }
    return {(): tuple(sorted(said))} if said else {}


def _verbs(rule: Tree, group: str, resource: str, verbs: Iterable[str]) -> set[str]:
    """Give which of some verbs a rule has for a resource, `pods` or `pods/exec`."""
    resources = {
        resource,
        _EVERY,
        *([f"*/{resource.partition('/')[2]}"] if "/" in resource else []),
    }
    if not ({group, _EVERY} & _words(rule, "apiGroups") and resources & _words(rule, "resources")):
        return set()
    given = _words(rule, "verbs")
    return set(verbs) if _EVERY in given else given & set(verbs)


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
