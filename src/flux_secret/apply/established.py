"""Wait until a kind that a CustomResourceDefinition of the same bundle brings is served."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from flux_secret.apply.cluster import Cluster
from flux_secret.apply.scope import Wanted
from flux_secret.errors import UnknownKindError
from flux_secret.outside.kubernetes import ServedKind

FIRST_PAUSE_SECONDS: Final = 0.05
MAX_PAUSE_SECONDS: Final = 1.0


class Established:
    """Knows, for one apply, which awaited kinds are served by now."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._asking = asyncio.Lock()
        self._gave_up = False
        self._failed: set[str] = set()

    def give_up(self, kinds: Iterable[ServedKind]) -> None:
        """Do not wait for the kinds of a definition that could not be written."""
        self._failed |= {_definition(kind) for kind in kinds}

    async def kind(self, want: Wanted) -> ServedKind:
        """Give the kind once it is served; raise `UnknownKindError` after the limit.

        A CustomResourceDefinition is established when discovery shows its kinds; the whole bundle
        waits only once, however many instances there are.
        """
        if not want.awaited:
            return want.kind
        crd = _definition(want.kind)
        if crd in self._failed:
            raise UnknownKindError(
                f"{want.key.long}: its customresourcedefinition/{crd} could not be applied",
                remedy="mend that one first",
            )
        async with self._asking:
            if not self._gave_up:
                try:
                    async with asyncio.timeout(self._cluster.options.established_seconds):
                        return await self._served(want.kind)
                except TimeoutError:
                    self._gave_up = True
        raise UnknownKindError(
            f"{want.key.long}: its CustomResourceDefinition was not established within "
            f"{self._cluster.options.established_seconds:g} s",
            remedy=f"see why: kubectl describe crd {crd}",
        )

    async def _served(self, wanted: ServedKind) -> ServedKind:
        pause, refresh = FIRST_PAUSE_SECONDS, False
        while True:
            kinds = await self._cluster.kinds(refresh=refresh)
            if served := kinds.find(wanted.group, wanted.version, wanted.kind):
                return served
            refresh = True
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)


def _definition(kind: ServedKind) -> str:
    """Give the name that a kind's CustomResourceDefinition must have."""
    return f"{kind.plural}.{kind.group}"
