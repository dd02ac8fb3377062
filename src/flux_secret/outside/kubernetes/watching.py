"""The requests that a reflector makes: a list page by page, and a watch that continues it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import BugError, RejectedError, UnknownKindError
from flux_secret.outside.kubernetes.asking import PAGE, checked, pages, with_query
from flux_secret.outside.kubernetes.body import items, parse, text
from flux_secret.outside.kubernetes.discovery import ServedKind
from flux_secret.outside.kubernetes.failure import NotFoundError, Request
from flux_secret.outside.kubernetes.transport import Answer, Stream, Transport
from flux_secret.outside.kubernetes.watch import BusyError, Listed, Raw

MAX_LISTED: Final = 50_000  # objects of one kind
WHOLE: Final = "application/json"
META: Final = "application/json;as={};g=meta.k8s.io;v=v1"
_BUSY: Final = frozenset({429, 503})
_OK: Final = 200
_MAX_REFUSAL_BYTES: Final = 1024 * 1024
_LATE_SECONDS: Final = 30.0
"""How much longer than it was asked for a watch may take to end."""


@dataclass(frozen=True, slots=True)
class ApiSource:
    """The objects of one kind, of a namespace or of all (`""`), whole or their metadata."""

    transport: Transport
    kind: ServedKind
    namespace: str = ""
    labels: str = ""
    fields: str = ""
    """A field selector, as `source=flux-secret`."""
    metadata_only: bool = False
    shortest_seconds: float = 150.0
    """A watch is asked to last this long, or up to twice as long: what swallows it on the way, and
    keeps the connection, is noticed after that."""
    page: int = PAGE

    def __post_init__(self) -> None:
        if (self.kind.group, self.kind.plural) == ("", "secrets") and not self.metadata_only:
            raise BugError("Secrets are never watched whole: their values would cross the wire")

    @property
    def request(self) -> Request:
        """The watch, in words for people."""
        return Request("watch", self.kind.resource, self.namespace)

    async def list(self) -> Listed:
        """Read all of them; raise `UnknownKindError`, `ForbiddenError`, `ExpiredError`."""
        request = Request("list", self.kind.resource, self.namespace)
        path = with_query(
            self.kind.path(self.namespace), labelSelector=self.labels, fieldSelector=self.fields
        )
        objects: list[Raw] = []
        version = ""
        with self._served():
            async for tree in pages(
                self.transport, request, path, self._accept("List"), page=self.page
            ):
                # every page tells the place that the first one was read at
                version = text(tree, "metadata", "resourceVersion")
                objects.extend(items(tree, "items"))
                if len(objects) > MAX_LISTED:
                    raise RejectedError(
                        f"{request}: there are more than {MAX_LISTED} of them",
                        remedy="name the namespaces",
                    )
        return Listed(version, objects)

    @contextlib.asynccontextmanager
    async def watch(self, version: str) -> AsyncIterator[AsyncIterator[Raw]]:
        """Open a watch; raise what `list` raises, and `BusyError`."""
        # spread, so that watches that began together do not end together
        seconds = int(self.shortest_seconds * (1 + random.random()))  # noqa: S311 -- no secret
        path = with_query(
            self.kind.path(self.namespace),
            watch="true",
            allowWatchBookmarks="true",
            timeoutSeconds=str(max(1, seconds)),
            resourceVersion=version,
            labelSelector=self.labels,
            fieldSelector=self.fields,
        )
        stream = self.transport.stream(
            path, accept=self._accept(""), seconds=seconds + _LATE_SECONDS
        )
        async with stream as answer:
            await self._check(answer)
            async with contextlib.aclosing(_events(answer)) as events:
                yield events

    async def _check(self, stream: Stream) -> None:
        if stream.code in _BUSY:
            seconds = stream.retry_after_seconds
            raise BusyError(
                f"{self.request}: the API server is busy and asks for {seconds:g} s of peace",
                seconds=seconds,
            )
        if stream.code != _OK:
            untrusted = b""
            async for line in stream.untrusted_lines:
                untrusted += line
                if len(untrusted) > _MAX_REFUSAL_BYTES:
                    break
            with self._served():
                checked(self.request, Answer(stream.code, untrusted))

    @contextlib.contextmanager
    def _served(self) -> Iterator[None]:
        try:
            yield
        except NotFoundError:
            missing = True
        else:
            missing = False
        if missing:
            raise UnknownKindError(
                f"the API server serves no {self.kind.resource} of {self.kind.api_version}",
                remedy="apply its CustomResourceDefinition; it is looked for again and again",
            )

    def _accept(self, suffix: str) -> str:
        return META.format(f"PartialObjectMetadata{suffix}") if self.metadata_only else WHOLE


async def _events(stream: Stream) -> AsyncGenerator[Raw, None]:
    async for line in stream.untrusted_lines:
        if line.strip():
            yield parse(line)
