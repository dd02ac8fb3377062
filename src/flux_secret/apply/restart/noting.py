"""A record → the one that knows its Secrets as they are now, and who is due for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import structlog

from flux_secret.apply.digest import DigestKey
from flux_secret.apply.inventory import TargetId
from flux_secret.apply.restart import consumers
from flux_secret.apply.restart.owned import Space
from flux_secret.apply.restart.record import Record
from flux_secret.apply.restart.workloads import of_namespace
from flux_secret.errors import ObjectError
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import Client

Fresh: TypeAlias = Mapping[ObjectKey, TargetId]
"""Workloads that a delivery of a target made, after it had written its Secrets."""
_log = structlog.get_logger(component="restarts")


@dataclass(frozen=True, slots=True)
class Noting:
    """Reads workloads, and only where a value changed."""

    client: Callable[[str], Client]
    """Gives a client for an account, or the agent's own for none."""
    key: Callable[[], Awaitable[DigestKey]]
    space: Space
    fresh: Fresh
    clock: Callable[[], dt.datetime]

    async def noted(self, record: Record) -> tuple[Record, Sequence[ObjectError]]:
        """Give the record to be written, and what an account was refused; raise what else there is.

        What changed in a Secret whose account may not look stays to be noted: its rights hold up
        no Secret of another App in the namespace.
        """
        now = self.space.secrets
        record = consumers.without(record, record.secrets.keys() - now.keys() - self.space.others)
        names = consumers.changed(record, now)
        if not names:
            return replace(record, secrets={**record.secrets, **now}), ()
        seen, refused = await self._seen(record.namespace, names)
        now = {name: values for name, values in now.items() if name not in refused}
        new = consumers.noted(record, now, seen, self.clock(), self._reaches)
        for key in new.due.keys() - record.due.keys():
            _log.info("restart.due", workload=key.long, secrets=" ".join(new.due[key].ran))
        return new, tuple(dict.fromkeys(refused.values()))

    async def _seen(
        self, namespace: str, names: Iterable[str]
    ) -> tuple[Iterable[consumers.Seen], Mapping[str, ObjectError]]:
        """Read each in the name of the account that delivers what changed; say who may not."""
        by_account: dict[str, list[str]] = {}
        for name in names:
            by_account.setdefault(self.space.account([name]), []).append(name)
        key, found = await self.key(), dict[ObjectKey, consumers.Seen]()
        refused: dict[str, ObjectError] = {}
        for account, secrets in by_account.items():
            client = self.client(account)
            try:
                seen = await of_namespace(client, key, namespace, self.space, secrets)
            except ObjectError as error:
                refused |= dict.fromkeys(secrets, error)
            else:
                found |= {one.key: one for one in seen}
        return found.values(), refused

    def _reaches(self, secret: str, workload: ObjectKey) -> bool:
        """Whether it restarts a workload, which was not made together with the new value."""
        made_by, owner = self.fresh.get(workload), self.space.inventories[secret].target
        return made_by != owner and self.space.reaches(secret, workload)
