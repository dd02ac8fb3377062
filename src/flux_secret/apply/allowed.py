"""Which objects an agent may touch at all: Flux v1's `--k8s-allow-namespace` (facts: §2.5, §3.3).

What lies elsewhere is neither read, written nor removed: narrowing the list deletes nothing, not
even the Namespaces that Flux v1 would have deleted with everything in them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from flux_secret.errors import WriteRefusedError
from flux_secret.model.names import ObjectKey
from flux_secret.model.target import Target

OUTSIDE: Final = "its namespace is not in --k8s-allow-namespace"
_NAMESPACE: Final = ("", "Namespace")


def is_allowed(key: ObjectKey, namespaces: Collection[str]) -> bool:
    """Whether an object with its full name may be touched; an empty list allows every namespace.

    A Namespace counts by its name; everything else without a namespace is allowed.
    """
    if not namespaces:
        return True
    if (key.group, key.kind) == _NAMESPACE:
        return key.name in namespaces
    return not key.namespace or key.namespace in namespaces


def may_write(target: Target, key: ObjectKey) -> bool:
    """Whether an App, or a git path, may write an object with its full name."""
    in_none = not key.namespace and (key.group, key.kind) != _NAMESPACE
    if in_none and not target.cluster_scoped:
        return False
    return is_allowed(key, target.allowed_namespaces)


def refusal(target: Target, key: ObjectKey) -> WriteRefusedError:
    """Say why an App may not write an object, and who can let it."""
    namespace = key.namespace or (key.name if (key.group, key.kind) == _NAMESPACE else "")
    place = f"namespace {namespace}" if namespace else "what lies in no namespace"
    return WriteRefusedError(
        f"{key.long} may not be written by App {target.app}: {place} is not among those it has",
        remedy="name its namespace in spec.namespaces, which an App in the agent's namespace may; "
        "'*' is all of them, with what lies in none",
    )


def summary(barred: Iterable[ObjectKey]) -> str:
    """Say in one line what is left out."""
    keys = list(barred)
    places = ", ".join(sorted({key.namespace or key.name for key in keys}))
    objects = f"{len(keys)} object{'s are' if len(keys) != 1 else ' is'}"
    return f"{objects} left out, in namespaces that are not in --k8s-allow-namespace: {places}"
