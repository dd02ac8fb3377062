"""What happens in the agent → the facts of its health."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from flux_secret.errors import DecryptError, FluxSecretError
from flux_secret.model.app import AppName
from flux_secret.model.delivery import Delivery
from flux_secret.model.health import Check
from flux_secret.model.names import StoreName
from flux_secret.reconcile.health import Facts, Limits, live, ready

ASKING_SECONDS: Final = 15.0  # between two questions to the API server, whether it is there
ROUND_SECONDS: Final = 60.0  # that a round may take which is due
BEGINNING_SECONDS: Final = 600.0  # from the start until repositories have been asked


class Vitals:
    """Keeps the facts of one agent, and answers with them."""

    def __init__(
        self,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        overdue: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`clock` gives seconds and never goes back; `overdue` for how long a round is due."""
        self._overdue = overdue
        self._moved_at = clock()
        self._limits = limits or Limits()
        self._clock = clock
        self._facts = Facts(due_at=clock() + BEGINNING_SECONDS)
        self._good: dict[AppName | None, float] = {}
        """Until when each App that is as it should be counts, on the clock."""
        self._here: dict[StoreName, bool] = {}
        self._opens: dict[StoreName, bool] = {}

    @property
    def facts(self) -> Facts:
        """What is known now."""
        overdue = min(self._overdue(), self._clock() - self._moved_at)
        return replace(self._facts, overdue_since=self._clock() - overdue if overdue > 0 else None)

    def live(self) -> Sequence[Check]:
        """Say whether a restart would help."""
        return live(self.facts, self._clock(), self._limits)

    def ready(self) -> Sequence[Check]:
        """Say whether the agent does what it is there for."""
        return ready(self.facts, self._clock(), self._limits)

    def beat(self, within_seconds: float) -> None:
        """Note that repositories were asked, and that they will be again within so long."""
        self._facts = replace(self._facts, due_at=self._clock() + within_seconds)

    def moves(self) -> None:
        """Note that a round begins or ends."""
        self._moved_at = self._clock()

    @property
    def started(self) -> bool:
        """Whether everything was gone through once."""
        return self._facts.started

    def starts(self) -> None:
        """Note that everything was gone through once, however that went."""
        self._facts = replace(self._facts, started=True)

    def elected(self, *, leading: bool | None) -> None:
        """Note whether this replica leads the others; None: there is no election."""
        self._facts = replace(self._facts, leading=leading)

    def stops(self) -> None:
        """Note that the agent was told to stop."""
        self._facts = replace(self._facts, stopping=True)

    def cluster(self, *, answers: bool) -> None:
        """Note whether the API server answered, whatever it said."""
        since = self._since(self._facts.api_gone_since, lasts=not answers)
        self._facts = replace(self._facts, api_gone_since=since)

    def recorded(self, failure: FluxSecretError | None) -> None:
        """Note why the record could not be written; None: it could."""
        since = self._since(self._facts.unrecorded_since, lasts=failure is not None)
        self._facts = replace(self._facts, records=True, unrecorded_since=since)

    def pushed(self, failure: FluxSecretError | None) -> None:
        """Note why the record could not be pushed to its branch; None: it has everything."""
        since = self._since(self._facts.unpushed_since, lasts=failure is not None)
        self._facts = replace(self._facts, unpushed_since=since)

    def stores(self, names: Collection[StoreName]) -> None:
        """Note which stores there are: what was known of others no longer counts."""
        self._here = {name: here for name, here in self._here.items() if name in names}
        self._opens = {name: opens for name, opens in self._opens.items() if name in names}
        self._count_stores()

    def fetched(self, name: StoreName, *, here: bool) -> None:
        """Note whether a store could be fetched, or a good copy of it was here."""
        self._here[name] = here
        self._count_stores()

    def noted(
        self, deliveries: Collection[Delivery], app: AppName | None = None, due_seconds: float = 0.0
    ) -> None:
        """Take in deliveries that have ended: a round's, or one by one.

        One that delivered something is enough; what failed meanwhile has a metric of its own. An
        `app` that is as it should be counts until its next round, in `due_seconds`, has ended.
        """
        for delivery in deliveries:
            self._opens.update(_opened(delivery))
        self._count_stores()
        idle = bool(deliveries) and not any(map(_has_delivered, deliveries))
        if idle:
            self._good.pop(app, None)
        else:
            self._good[app] = self._clock() + (due_seconds + ROUND_SECONDS if due_seconds else 0.0)
        known, now = self._facts.failing_since, max([self._clock(), *self._good.values()])
        failing = (now if known is None else min(known, now)) if idle else None
        self._facts = replace(self._facts, failing_since=failing)

    def forget(self, app: AppName) -> None:
        """Count an App no more: it is gone."""
        self._good.pop(app, None)

    async def watch_cluster(self, ask: Callable[[], Awaitable[None]]) -> None:
        """Ask the API server again and again, until cancelled: a round may be far away."""
        while True:
            answers = False
            with contextlib.suppress(FluxSecretError):
                await ask()
                answers = True
            self.cluster(answers=answers)
            await asyncio.sleep(ASKING_SECONDS)

    def _count_stores(self) -> None:
        known = self._here.keys() | self._opens.keys()
        good = any(self._here.get(one, True) and self._opens.get(one, True) for one in known)
        since = self._since(self._facts.unreadable_since, lasts=bool(known) and not good)
        self._facts = replace(self._facts, unreadable_since=since)

    def _since(self, known: float | None, *, lasts: bool) -> float | None:
        return (self._clock() if known is None else known) if lasts else None


def _opened(delivery: Delivery) -> Mapping[StoreName, bool]:
    """Say which stores could be opened; one good entry is enough, and a missing one is no matter.

    Where nothing had to be read again, its stores were pinned, and hold what they held.
    """
    if delivery.exit_code == 0 and not delivery.reads:
        return dict.fromkeys(delivery.target.stores, True)
    closed = [read.store for read in delivery.reads if isinstance(read.error, DecryptError)]
    good = [read.store for read in delivery.reads if read.error is None]
    found = dict.fromkeys(closed, False) | dict.fromkeys(good, True)
    return {name: opens for name, opens in found.items() if name is not None}


def _has_delivered(delivery: Delivery) -> bool:
    """Whether anything of it is as it should be; single objects that fail say so themselves."""
    changes = list(delivery.changes)
    some = not changes or any(change.error is None for change in changes)
    return delivery.error is None and some
