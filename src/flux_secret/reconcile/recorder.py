"""What happened to Apps → Events in the cluster, for `kubectl get events` and `describe`.

1. The same news of an App is not sent again within an hour, and no App sends more than its share:
   a burst, and then one from time to time (client-go's numbers, tools/record/events_cache.go).
2. A delivery never waits for an Event. What cannot be sent now waits in a short queue; the oldest
   is dropped first.
3. A missing right is logged once for each namespace, with the command that grants it.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import structlog

from flux_secret.errors import ForbiddenError, ObjectError
from flux_secret.model.app import AppName
from flux_secret.model.report import stamp
from flux_secret.model.status import AppStatus
from flux_secret.outside.kubernetes import EVENTS, Client, Json
from flux_secret.outside.kubernetes.body import encoded
from flux_secret.reconcile.chores import Chores
from flux_secret.reconcile.news import MAX_MESSAGE, News, news
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.round import Round

COMPONENT: Final = "flux-secret"
REVISION: Final = "flux-secret.io/revision"
SAME_SECONDS: Final = 3600.0
BURST: Final = 25
REFILL_SECONDS: Final = 300.0
MAX_QUEUED: Final = 20  # for each App
MAX_REMEMBERED: Final = 100  # news of each App
_PREFIX: Final = 200  # characters of an App's name in the Event's, which has at most 253
_log = structlog.get_logger(component="events")


@dataclass(frozen=True, slots=True)
class _Letter:
    """What waits to be sent."""

    news: News
    when: datetime
    uid: str


@dataclass(slots=True)
class _Desk:
    """What is known of one App's Events; times are on the clock of the event loop, in seconds."""

    tokens: float = BURST
    filled: float = 0.0
    sent: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict)
    queue: deque[_Letter] = field(default_factory=lambda: deque(maxlen=MAX_QUEUED))


class Recorder:
    """Writes Events; called by the board."""

    def __init__(
        self, client: Client, chores: Chores, namespace: str, uid_of: Callable[[AppName], str]
    ) -> None:
        """`uid_of` gives an App's uid; empty for one that is no object.

        Its Events are the `namespace`'s, which is the agent's own.
        """
        self._client = client
        self._chores = chores
        self._namespace = namespace
        self._uid_of = uid_of
        self._desks: dict[AppName, _Desk] = {}
        self._refused: set[str] = set()

    def told(self, before: AppStatus, after: AppStatus, done: Round | None) -> None:
        """Send what is news."""
        for one in news(before, after, done):
            self._take(after.name, one)

    def forget(self, name: AppName) -> None:
        """Know nothing of an App any more; what is queued is still sent."""
        self._desks.pop(name, None)

    def _take(self, name: AppName, one: News) -> None:
        now = asyncio.get_running_loop().time()
        desk = self._desks.setdefault(name, _Desk(filled=now))
        if not _is_due(desk, one, now):
            return
        desk.queue.append(_Letter(one, datetime.now(UTC), self._uid_of(name)))
        self._chores.want(f"events of {name}", lambda: self._send(name, desk))

    async def _send(self, name: AppName, desk: _Desk) -> None:
        """Send what is queued, the oldest first; what is refused is dropped."""
        while desk.queue:
            one = desk.queue[0]
            try:
                await self._create(name, one)
            except ForbiddenError as error:
                self._tell(name.namespace if one.uid else self._namespace, error)
            except ObjectError as error:  # the App or its namespace is gone, or going
                _log.info("event.dropped", app=str(name), reason=error.what)
            if desk.queue and desk.queue[0] is one:
                desk.queue.popleft()

    def _tell(self, namespace: str, error: ForbiddenError) -> None:
        if namespace not in self._refused:
            self._refused.add(namespace)
            _log.warning("events.refused", namespace=namespace, err=error.what, remedy=error.remedy)

    async def _create(self, name: AppName, letter: _Letter) -> None:
        one, about = letter.news, self._about(name, letter.uid)
        namespace = str(about["namespace"])
        event = f"{str(about['name'])[:_PREFIX]}.{time.time_ns():016x}"  # as client-go
        says = one.message if letter.uid else f"{name}: {one.message}"[:MAX_MESSAGE]
        tree: Json = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "namespace": namespace,
                "name": event,
                "annotations": {REVISION: one.revision} if one.revision else {},
            },
            "involvedObject": about,
            "type": "Warning" if one.is_warning else "Normal",
            "reason": one.reason,
            "message": says,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": COMPONENT,
            "firstTimestamp": stamp(letter.when),
            "lastTimestamp": stamp(letter.when),
            "count": 1,
        }
        await self._client.create(EVENTS, namespace, event, encoded(tree))

    def _about(self, name: AppName, uid: str) -> Mapping[str, Json]:
        if uid:
            kind = kinds.served(name)
            return {
                "apiVersion": kind.api_version, "kind": kind.kind,
                "namespace": name.namespace, "name": kinds.short(name), "uid": uid,
            }  # fmt: skip
        here = self._namespace
        return {"apiVersion": "v1", "kind": "Namespace", "namespace": here, "name": here}


def _is_due(desk: _Desk, one: News, now: float) -> bool:
    """Whether it is new, and the App has not had its share."""
    desk.tokens = min(BURST, desk.tokens + (now - desk.filled) / REFILL_SECONDS)
    desk.filled = now
    key = (one.reason, one.message)
    if now - desk.sent.get(key, -SAME_SECONDS) < SAME_SECONDS or desk.tokens < 1:
        return False
    desk.tokens -= 1
    desk.sent[key] = now
    desk.sent.move_to_end(key)
    while len(desk.sent) > MAX_REMEMBERED:
        desk.sent.popitem(last=False)
    return True
