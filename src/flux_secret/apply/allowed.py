"""Which objects an agent may touch at all: Flux v1's `--k8s-allow-namespace` (facts: §2.5, §3.3).

What lies elsewhere is neither read, written nor removed: narrowing the list deletes nothing, not
even the Namespaces that Flux v1 would have deleted with everything in them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from flux_secret.model.names import ObjectKey

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


def summary(barred: Iterable[ObjectKey]) -> str:
    """Say in one line what is left out."""
    keys = list(barred)
    places = ", ".join(sorted({key.namespace or key.name for key in keys}))
    objects = f"{len(keys)} object{'s are' if len(keys) != 1 else ' is'}"
    return f"{objects} left out, in namespaces that are not in --k8s-allow-namespace: {places}"
