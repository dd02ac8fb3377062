"""The objects of a kind → what they are now, and each change, for as long as it is wanted.

What client-go calls a reflector, made of one list and one watch that continues it:

1. the list is read page by page, and told as a whole (`Synced`);
2. the watch begins where the list ended; every event moves the place to continue from, and so do
   bookmarks, which come when nothing happens;
3. a watch that ends or breaks is continued from that place; 410 Gone means list again;
4. what goes wrong is told (`Troubled`) with what will be tried when, and is tried again for ever:
   sooner when the API server does not answer, slowly when it refuses.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Generic, NoReturn, Protocol, TypeAlias, TypeVar

from flux_secret.errors import (
    AccessError,
    FluxSecretError,
    ForbiddenError,
    IntegrityError,
    UnknownKindError,
    UnreachableError,
)
from flux_secret.outside.kubernetes.body import Json, mapping, number, text
from flux_secret.outside.kubernetes.failure import ExpiredError, Request, failure

T = TypeVar("T")
Raw: TypeAlias = Mapping[str, Json]
SHORTEST_SECONDS: Final = 1.0
"""A watch that ends sooner and says nothing counts as a failure: it would be opened in a circle."""

USUAL_FAILURES: Final = 3
"""A watch that breaks is opened again; when that fails so often in a row, people hear of it."""
_LASTING: Final = (ForbiddenError, UnknownKindError, AccessError, IntegrityError)


@dataclass(frozen=True, slots=True)
class Synced(Generic[T]):
    """All objects there are; what is not among them is gone."""

    objects: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class Upsert(Generic[T]):
    """An object is new or has changed."""

    object: T


@dataclass(frozen=True, slots=True)
class Gone:
    """An object was deleted, or is not selected any more."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Troubled:
    """Changes are not seen now; what was told before is the last that is known.

    `error` is `UnreachableError`, `ForbiddenError` (it names the verb that is missing),
    `UnknownKindError` (the kind is not served: its definition is missing) or another refusal.
    """

    error: FluxSecretError
    again_seconds: float
    """When it is tried again."""


@dataclass(frozen=True, slots=True)
class Following:
    """Changes are seen: the watch is open, for the first time or again after `Troubled`."""


Told: TypeAlias = Synced[T] | Upsert[T] | Gone | Troubled | Following


class BusyError(UnreachableError):
    """429 or 503: the API server says when to come again."""

    def __init__(
        self,
        what: str,
        *,
        remedy: str = "nothing: it is asked again when it wants to be",
        seconds: float = 1.0,
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Listed:
    """A whole list, and the place that a watch continues it from."""

    version: str
    objects: Sequence[Raw]


class Source(Protocol):
    """Where objects of one kind come from."""

    @property
    def request(self) -> Request:
        """The watch, in words for people."""

    async def list(self) -> Listed:
        """Read all of them; raise `FluxSecretError`."""

    def watch(self, version: str) -> AbstractAsyncContextManager[AsyncIterator[Raw]]:
        """Open a watch that continues from `version`: it gives `{"type": …, "object": …}`."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long to wait before the next try, in seconds, before jitter (half as much again)."""

    first: float = 0.8
    longest: float = 30.0
    """client-go: 800 ms, doubled up to 30 s."""
    refused: float = 30.0
    """After a refusal (403, 404), which lasts until somebody does something."""
    busy: float = 60.0
    """The longest, whatever Retry-After says."""


@dataclass(slots=True)
class _Progress:
    """What one try achieved."""

    opened_at: float = 0.0
    is_open: bool = False


class Reflector(Generic[T]):
    """Follows the objects of one kind; made by `Client.reflector`."""

    def __init__(
        self,
        source: Source,
        read: Callable[[Raw], T],
        pauses: Pauses | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._source = source
        self._read = read
        self._pauses = pauses or Pauses()
        self._jitter = jitter
        self._version = ""
        self._failures = 0
        self._is_troubled = True

    async def run(self, tell: Callable[[Told[T]], None]) -> NoReturn:
        """Tell what there is and what changes, until cancelled. `tell` must not raise."""
        while True:
            progress = _Progress()
            error: FluxSecretError | None = None
            try:
                await self._follow(tell, progress)
            except FluxSecretError as failed:
                error = failed
            pause = self._after(error, progress)
            if error is not None and self._is_trouble(error, progress):
                self._is_troubled = True
                tell(Troubled(error, pause))
            await asyncio.sleep(pause)

    async def _follow(self, tell: Callable[[Told[T]], None], progress: _Progress) -> None:
        """List if need be, then watch until the watch ends."""
        if not self._version:
            listed = await self._source.list()
            tell(Synced(tuple(map(self._read, listed.objects))))
            self._version = listed.version
        async with self._source.watch(self._version) as events:
            progress.is_open, progress.opened_at = True, asyncio.get_running_loop().time()
            if self._is_troubled:
                self._is_troubled = False
                tell(Following())
            async for event in events:
                self._take(event, tell)

    def _take(self, event: Raw, tell: Callable[[Told[T]], None]) -> None:
        kind, tree = text(event, "type"), mapping(event, "object")
        meta = mapping(tree, "metadata")
        if kind == "ERROR":
            raise failure(self._source.request, number(tree, "code") or 500, tree)
        if kind in {"ADDED", "MODIFIED"}:
            tell(Upsert(self._read(tree)))
        elif kind == "DELETED":
            tell(Gone(text(meta, "namespace"), text(meta, "name"), text(meta, "uid")))
        self._version = text(meta, "resourceVersion") or self._version

    def _after(self, error: FluxSecretError | None, progress: _Progress) -> float:
        """Say how long to wait; a watch that lived is continued at once."""
        lived = asyncio.get_running_loop().time() - progress.opened_at
        if progress.is_open and lived >= SHORTEST_SECONDS:
            self._failures = 0
        failures, self._failures = self._failures, self._failures + 1
        if error is not None and not isinstance(error, UnreachableError):
            self._version = ""  # what was missed meanwhile is in the next list
        if error is None or isinstance(error, ExpiredError):
            pause = self._backoff(failures) if failures else 0.0
        elif isinstance(error, BusyError):
            pause = max(min(error.seconds, self._pauses.busy), self._backoff(failures))
        else:
            is_lasting = isinstance(error, _LASTING)
            pause = self._pauses.refused if is_lasting else self._backoff(failures)
        return pause * (1 + self._jitter() / 2)

    def _backoff(self, failures: int) -> float:
        return min(self._pauses.first * 2.0 ** min(failures, 16), self._pauses.longest)

    def _is_trouble(self, error: FluxSecretError, progress: _Progress) -> bool:
        """Whether people should hear of it: that a watch breaks or expires is everyday."""
        is_usual = isinstance(error, ExpiredError) or (
            progress.is_open and isinstance(error, UnreachableError)
        )
        return not is_usual or self._failures > USUAL_FAILURES
