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
from collections.abc import Callable
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
from flux_secret.reconcile.news import News, news
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


@dataclass(slots=True)
class _Desk:
    """What is known of one App's Events; times are on the clock of the event loop, in seconds."""

    tokens: float = BURST
    filled: float = 0.0
    sent: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict)
    queue: deque[tuple[News, datetime]] = field(default_factory=lambda: deque(maxlen=MAX_QUEUED))


class Recorder:
    """Writes Events; called by the board."""

    def __init__(
        self, client: Client, chores: Chores, namespace: str, is_object: Callable[[AppName], bool]
    ) -> None:
        """`is_object` says which Apps are objects: the others' Events are the `namespace`'s."""
        self._client = client
        self._chores = chores
        self._namespace = namespace
        self._is_object = is_object
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
        desk.queue.append((one, datetime.now(UTC)))
        self._chores.want(f"events of {name}", lambda: self._send(name, desk))

    async def _send(self, name: AppName, desk: _Desk) -> None:
        """Send what is queued, the oldest first; what is refused is dropped."""
        while desk.queue:
            one, when = desk.queue[0]
            try:
                await self._create(name, one, when)
            except ForbiddenError as error:
                self._tell(name, error)
            except ObjectError as error:  # the App or its namespace is gone, or going
                _log.info("event.dropped", app=str(name), reason=error.what)
            if desk.queue and desk.queue[0][0] is one:
                desk.queue.popleft()

    def _tell(self, name: AppName, error: ForbiddenError) -> None:
        where = name.namespace if self._is_object(name) else self._namespace
        if where not in self._refused:
            self._refused.add(where)
            _log.warning("events.refused", namespace=where, err=error.what, remedy=error.remedy)

    async def _create(self, name: AppName, one: News, when: datetime) -> None:
        about: dict[str, Json] = {
            "apiVersion": "v1", "kind": "Namespace", "namespace": self._namespace,
            "name": self._namespace,
        }  # fmt: skip
        if self._is_object(name):
            live = await self._client.metadata(kinds.APPS, name.namespace, name.name)
            if live is None:
                return
            about = {
                "apiVersion": kinds.APPS.api_version, "kind": kinds.APPS.kind,
                "namespace": name.namespace, "name": name.name, "uid": live.uid,
                "resourceVersion": live.resource_version,
            }  # fmt: skip
        namespace = str(about["namespace"])
        event = f"{str(about['name'])[:_PREFIX]}.{time.time_ns():016x}"  # as client-go
        says = one.message if self._is_object(name) else f"{name}: {one.message}"[:1024]
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
            "firstTimestamp": stamp(when),
            "lastTimestamp": stamp(when),
            "count": 1,
        }
        await self._client.create(EVENTS, namespace, event, encoded(tree))


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
