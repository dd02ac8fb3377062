"""Every kind that is served → what Flux v1 delivered from here and git no longer has.

Our own inventories know nothing of it, so without `flux-secret adopt` it would stay for ever, a
Secret with its values in clear in an annotation. As Flux v1's garbage collection finds it (facts:
flux-v1 §2.5, §3.3):

1. Every kind that can be listed is, by the label of the mark, in the namespaces that may be
   touched. Only metadata crosses the wire.
2. A mark counts for the object that it was made for, so a copied label and another daemon's count
   for nothing. What another object owns is that one's.
3. What a target wants is no leftover, in whatever API group the API server shows it.
4. A kind that cannot be listed is named: what is left of it is not known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from flux_secret.apply.allowed import is_allowed
from flux_secret.apply.cluster import Cluster, together
from flux_secret.errors import ObjectError
from flux_secret.model.flux_v1 import MARK, SyncSet, resource_id
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import Kinds, LiveObject, ServedKind

PAGE: Final = 100  # objects a request asks for: each may hold 256 KiB of annotations
_NEVER: Final = frozenset({"ComponentStatus", "Endpoints"})  # Flux v1 leaves them out, too


@dataclass(frozen=True, slots=True)
class Leftover:
    """An object that no target wants any more."""

    key: ObjectKey
    kind: ServedKind
    live: LiveObject


@dataclass(slots=True)
class Leftovers:
    """What was found, and where it could not be looked for."""

    found: list[Leftover] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    """Kinds, and namespaces, for people."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for."""

    daemon: SyncSet
    wanted: Collection[str]
    """Flux v1's ids of everything that a target wants."""
    allowed: frozenset[str]
    """The only namespaces that may be touched; empty for all."""
    excluded: Collection[str] = ()
    """`--k8s-unsafe-exclude-resource`: kinds that are not to be listed."""

    async def run(self, cluster: Cluster) -> Leftovers:
        """Look; raises `UnreachableError`."""
        kinds, marked = await cluster.kinds(), Leftovers()
        marked.unlisted += [f"{group}/{version}" for group, version in sorted(kinds.failing)]
        lists = [(kind, place) for kind in self.kinds(kinds) for place in self.places(kind)]
        await together(*(self._list(cluster, kind, place, marked) for kind, place in lists))
        found: dict[str, Leftover] = {}
        for one in sorted(marked.found, key=lambda one: one.key):
            found.setdefault(one.live.uid, one)  # one object may be served by two groups
        return Leftovers(list(found.values()), sorted(marked.unlisted))

    def kinds(self, kinds: Kinds) -> Iterator[ServedKind]:
        """Give the kinds that are listed."""
        patterns = [_glob(text) for text in self.excluded]
        for kind in kinds.listable():
            name = f"{kind.api_version}/{kind.kind}"
            if kind.kind not in _NEVER and not any(one.fullmatch(name) for one in patterns):
                yield kind

    def places(self, kind: ServedKind) -> list[str]:
        """Give the namespaces to list in: one list for all where all may be touched."""
        return sorted(self.allowed) if kind.namespaced and self.allowed else [""]

    async def _list(
        self, cluster: Cluster, kind: ServedKind, place: str, marked: Leftovers
    ) -> None:
        try:
            listed = await cluster.limited(
                cluster.client.list_metadata(kind, place, MARK, page=PAGE)
            )
        except ObjectError:
            marked.unlisted.append(kind.resource + (f" in {place}" if place else ""))
            return
        for live in listed:
            key = ObjectKey(kind.group, kind.kind, live.namespace, live.name)
            if self._is_left(key, live):
                marked.found.append(Leftover(key, kind, live))

    def _is_left(self, key: ObjectKey, live: LiveObject) -> bool:
        is_ours = live.labels.get(MARK) == self.daemon.mark(key) and not live.is_owned
        return is_ours and is_allowed(key, self.allowed) and resource_id(key) not in self.wanted


def _glob(pattern: str) -> re.Pattern[str]:
    """Read Flux v1's globs: `*` stands for anything, slashes included."""
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
