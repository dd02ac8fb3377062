"""Records → how far each workload is, with its pods counted, for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import structlog

from flux_secret.apply.restart.owned import Space
from flux_secret.apply.restart.pods import counted
from flux_secret.apply.restart.record import Due
from flux_secret.apply.restart.records import Records
from flux_secret.apply.restart.turn import Wait
from flux_secret.apply.restart.workloads import one_of
from flux_secret.errors import FluxSecretError, ForbiddenError
from flux_secret.model.names import ObjectKey
from flux_secret.model.restart import ROLLOUT, SecretRollout
from flux_secret.outside.kubernetes import Client

_Spaces: TypeAlias = Callable[[str], Space]
_Waits: TypeAlias = Mapping[ObjectKey, Wait]
_log = structlog.get_logger(component="restarts")


class Rollouts:
    """Counts, and tells whoever asked for it."""

    def __init__(self, acting: Callable[[str], Client], records: Records) -> None:
        self.told: Callable[[Sequence[SecretRollout]], None] | None = None
        self._acting = acting
        self._records = records
        self._waited: list[tuple[ObjectKey, str]] = []
        self._said: Sequence[SecretRollout] = []

    async def all(self, space_of: _Spaces, waits: _Waits) -> Sequence[SecretRollout]:
        """Give every workload that is due or rolling; raise what the cluster raises."""
        found: list[SecretRollout | None] = []
        for record in list((await self._records.all()).values()):
            space = space_of(record.namespace)
            found += [await self._one(one, space, waits) for one in record.due.values()]
        return [one for one in found if one is not None]

    async def tell(self, space_of: _Spaces, waits: _Waits) -> None:
        """Tell of them; pods are counted where some may have come or gone, or reasons changed."""
        waited = sorted((key, wait.why) for key, wait in waits.items())
        rolling = any(why == ROLLOUT for _, why in waited)
        if self.told is None or (waited == self._waited and not rolling):
            return
        try:
            rollouts = await self.all(space_of, waits)
        except FluxSecretError as failure:
            _log.warning("restarts.not_counted", err=failure.what, remedy=failure.remedy)
            return
        if rollouts != self._said:
            self.told(rollouts)
        self._waited, self._said = waited, rollouts

    async def _one(self, one: Due, space: Space, waits: _Waits) -> SecretRollout | None:
        client = self._acting(space.account(one.ran))
        try:
            tree = await one_of(client, one.workload)
        except ForbiddenError:  # what one App's account may not see hides no other's
            old = new = None
        else:
            if tree is None:
                return None
            old, new = await counted(client, tree, one.mark)
        why = waits[one.workload].why if one.workload in waits else "its turn"
        secrets = tuple(sorted(one.ran))
        targets = frozenset(space.targets[name] for name in secrets if name in space.targets)
        return SecretRollout(one.workload, secrets, one.since, old, new, why, targets)
