"""Whether anything has changed, seen in lists that all targets of a pass share.

A pass with nothing to do asks for each kind once, however many targets there are, and not for each
object. They show an object as it was when it was first asked for in the pass. What is *written* is
decided on what is read at that moment, target by target, never on these lists.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from flux_secret.apply.cluster import WORTH_A_LIST, Cluster, Found, Sought
from flux_secret.apply.payload import PART_OF
from flux_secret.errors import ForbiddenError, ObjectError
from flux_secret.outside.kubernetes import LiveObject, ServedKind
from flux_secret.outside.once import Once

EVERYWHERE: Final = ""
_Place: TypeAlias = tuple[ServedKind, str]  # a kind and a namespace
_Shown: TypeAlias = Mapping[str, Mapping[str, LiveObject]]  # namespace → name → object


class Glance:
    """The lists of one pass."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._refused: set[_Place] = set()
        """What our role may not list: a narrow one may allow `get` alone."""
        self._listed = Once[_Place, _Shown](self._list)
        self._spread: dict[tuple[str, str], Counter[str]] | None = None
        """How many objects of each kind our inventories have in which namespace."""

    def forget(self) -> None:
        """Look again: a new pass begins."""
        self._listed = Once[_Place, _Shown](self._list)
        self._spread = None

    async def read(self, sought: Iterable[Sought], *, confined: bool) -> Found:
        """Read metadata: a GET for whatever no list of this pass shows.

        `confined`: only some namespaces may be looked at, so nothing is listed everywhere.
        """

        async def shown(
            kind: ServedKind, namespace: str, _group: Sequence[Sought]
        ) -> Mapping[str, LiveObject]:
            return await self._shown(kind, namespace, confined=confined)

        return await self._cluster.read_with(sought, shown)

    async def _shown(
        self, kind: ServedKind, namespace: str, *, confined: bool
    ) -> Mapping[str, LiveObject]:
        for place in self._worth_listing(kind, namespace, confined=confined):
            try:
                return (await self._listed((kind, place))).get(namespace, {})
            except ForbiddenError:
                self._refused.add((kind, place))
            except ObjectError:  # a GET each tells what is wrong
                return {}
        return {}

    def _worth_listing(self, kind: ServedKind, namespace: str, *, confined: bool) -> Iterator[str]:
        """Give where to list, the best first; nothing where it would save no request."""
        spread = self._counted()[kind.group, kind.kind]
        apart = sum(1 if here >= WORTH_A_LIST else here for here in spread.values())
        if kind.namespaced and not confined and apart >= WORTH_A_LIST:
            places = [EVERYWHERE, namespace]
        else:
            places = [namespace]
        for place in places:
            worth = place != namespace or spread[namespace] >= WORTH_A_LIST
            if worth and (kind, place) not in self._refused:
                yield place

    def _counted(self) -> Mapping[tuple[str, str], Counter[str]]:
        if self._spread is None:
            self._spread = defaultdict(Counter)
            for inventory in self._cluster.ledger.inventories():
                for key in inventory.entries:
                    self._spread[key.group, key.kind][key.namespace] += 1
        return self._spread

    async def _list(self, place: _Place) -> _Shown:
        kind, namespace = place
        shown: dict[str, dict[str, LiveObject]] = defaultdict(dict)
        listing = self._cluster.client.list_metadata(kind, namespace, PART_OF)
        for live in await self._cluster.limited(listing):
            shown[live.namespace][live.name] = live
        return shown
