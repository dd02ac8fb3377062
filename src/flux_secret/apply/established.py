"""Wait until a kind that a CustomResourceDefinition of the same bundle brings is served."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from flux_secret.apply.cluster import Cluster
from flux_secret.apply.scope import Wanted
from flux_secret.errors import UnknownKindError
from flux_secret.outside.kubernetes import Kinds, ServedKind

FIRST_PAUSE_SECONDS: Final = 0.05
MAX_PAUSE_SECONDS: Final = 1.0


class Established:
    """Knows, for one apply, which awaited kinds are served by now."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._asking = asyncio.Lock()
        self._gave_up = False
        self._promised: set[str] = set()

    def promise(self, kinds: Iterable[ServedKind]) -> None:
        """Note that the definition of these kinds was written in this pass: it is worth waiting."""
        self._promised |= {_definition(kind) for kind in kinds}

    async def kind(self, want: Wanted) -> ServedKind:
        """Give the kind once it is served; raise `UnknownKindError` when it will not be.

        A CustomResourceDefinition is established when discovery shows its kinds. The whole bundle
        waits only once, however many instances there are, and only for what this pass has written.
        """
        if not want.awaited:
            return want.kind
        crd, limit = _definition(want.kind), self._cluster.options.established_seconds
        if served := _find(await self._cluster.kinds(), want.kind):
            return served
        if crd not in self._promised:
            raise UnknownKindError(
                f"{want.key.long}: its customresourcedefinition/{crd} was not applied in this pass "
                "and is not served",
                remedy="mend that one first",
            )
        async with self._asking:
            if not self._gave_up:
                try:
                    async with asyncio.timeout(limit):
                        return await self._served(want.kind)
                except TimeoutError:
                    self._gave_up = True
        raise UnknownKindError(
            f"{want.key.long}: its customresourcedefinition/{crd} was not established within "
            f"{limit:g} s",
            remedy=f"see why: kubectl describe crd {crd}",
        )

    async def _served(self, wanted: ServedKind) -> ServedKind:
        pause, refresh = FIRST_PAUSE_SECONDS, False
        while True:
            kinds = await self._cluster.kinds(refresh=refresh)
            if served := _find(kinds, wanted):
                return served
            refresh = True
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)


def _find(kinds: Kinds, wanted: ServedKind) -> ServedKind | None:
    return kinds.find(wanted.group, wanted.version, wanted.kind)


def _definition(kind: ServedKind) -> str:
    """Give the name that a kind's CustomResourceDefinition must have."""
    return f"{kind.plural}.{kind.group}"
