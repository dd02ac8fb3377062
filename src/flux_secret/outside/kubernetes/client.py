"""The typed requests that flux-secret makes of an API server; nothing else is asked of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from flux_secret.errors import RejectedError, UnreachableError
from flux_secret.outside.kubernetes import discovery
from flux_secret.outside.kubernetes.body import Json, encoded, items, mapping, names, parse, text
from flux_secret.outside.kubernetes.connection import Connection
from flux_secret.outside.kubernetes.discovery import Kinds, ServedKind
from flux_secret.outside.kubernetes.failure import NotFoundError, Request, failure
from flux_secret.outside.kubernetes.live import LiveObject
from flux_secret.outside.kubernetes.transport import Answer, Limits, Traffic, Transport

FIELD_MANAGER: Final = "flux-secret"
PAGE: Final = 500  # objects a list request asks for, as kubectl does
MAX_LISTED: Final = 50_000  # objects of one kind
_APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML
_OK: Final = range(200, 300)
_CREATED: Final = 201
_JSON_PATCH: Final = "application/json-patch+json"  # RFC 6902
_MERGE: Final = "application/merge-patch+json"  # RFC 7386
_META: Final = "application/json;as={};g=meta.k8s.io;v=v1,application/json"
_ONE: Final = _META.format("PartialObjectMetadata")
_MANY: Final = _META.format("PartialObjectMetadataList")


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What must still be true of an object that is deleted."""

    uid: str
    resource_version: str | None = None

    def body(self) -> Mapping[str, Json]:
        """Give DeleteOptions' `preconditions`."""
        version = {"resourceVersion": self.resource_version} if self.resource_version else {}
        return {"uid": self.uid, **version}


@dataclass(frozen=True, slots=True)
class Applied:
    """What a server-side apply left behind."""

    live: LiveObject
    created: bool
    """Whether there was no such object before."""


class Client:
    """One API server; made by `connect`."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self._transport = transport
        self.namespace = namespace
        """The namespace of the kubeconfig's context."""

    @property
    def traffic(self) -> Traffic:
        """How many requests were made."""
        return self._transport.traffic

    async def kinds(self) -> Kinds:
        """Ask what is served; a group that fails is named in `failing` and fails no other."""
        trees = [await self._aggregated(path) for path in ("/api", "/apis")]
        if all(discovery.is_aggregated(tree) for tree in trees):
            return discovery.from_aggregated(trees)
        return await self._legacy_kinds()

    async def _aggregated(self, path: str) -> Mapping[str, Json]:
        accept = f"{discovery.AGGREGATED},application/json"
        request = Request("get", path.strip("/"))
        return self._json(request, await self._get(path, accept))

    async def _legacy_kinds(self) -> Kinds:
        groups = self._json(Request("get", "apis"), await self._get("/apis"))
        versions = [("", "v1"), *discovery.group_versions(groups)]
        answers = await asyncio.gather(
            *(self._get(f"/apis/{g}/{v}" if g else f"/api/{v}") for g, v in versions)
        )
        served: list[ServedKind] = []
        failing: set[tuple[str, str]] = set()
        for (group, version), answer in zip(versions, answers, strict=True):
            if answer.code in _OK:
                tree = parse(answer.untrusted_body)
                served.extend(discovery.from_resource_list(group, version, tree))
            else:
                failing.add((group, version))
        return Kinds(tuple(served), frozenset(failing))

    async def metadata(self, kind: ServedKind, namespace: str, name: str) -> LiveObject | None:
        """Read an object's metadata; no value crosses the wire. None when there is none."""
        request = Request("get", kind.resource, namespace, name)
        return await self._found(request, kind.path(namespace, name), _ONE)

    async def list_metadata(
        self, kind: ServedKind, namespace: str, labels: str = "", *, page: int = PAGE
    ) -> list[LiveObject]:
        """Read the metadata of all objects of a kind in a namespace (`""` for all).

        Raises `RejectedError` when there are more than `MAX_LISTED`.
        """
        request = Request("list", kind.resource, namespace)
        found: list[LiveObject] = []
        async for tree in self._pages(request, kind.path(namespace), _MANY, labels, page=page):
            found += map(LiveObject.parse, items(tree, "items"))
            if len(found) > MAX_LISTED:
                raise RejectedError(
                    f"{request}: there are more than {MAX_LISTED} of them",
                    remedy="leave the kind out, or name the namespaces",
                )
        return found

    async def get(self, kind: ServedKind, namespace: str, name: str) -> Mapping[str, Json] | None:
        """Read a whole object; None when there is none."""
        request = Request("get", kind.resource, namespace, name)
        answer = await self._get(kind.path(namespace, name))
        with contextlib.suppress(NotFoundError):
            return self._json(request, answer)
        return None

    async def list(self, kind: ServedKind, namespace: str, labels: str) -> list[Mapping[str, Json]]:
        """Read whole objects."""
        request = Request("list", kind.resource, namespace)
        trees = self._pages(request, kind.path(namespace), "application/json", labels)
        return [item async for tree in trees for item in items(tree, "items")]

    async def apply(
        self, kind: ServedKind, namespace: str, name: str, body: bytes, *, force: bool = True
    ) -> Applied:
        """Apply server-side as field manager `flux-secret`; strict about unknown fields.

        Only metadata comes back. Raises `ForbiddenError`, `RejectedError`, `ConflictError`.
        """
        request = Request("patch", kind.resource, namespace, name)
        answer = await self._transport.send(
            "PATCH",
            kind.path(namespace, name),
            accept=_ONE,
            params={
                "fieldManager": FIELD_MANAGER,
                "force": "true" if force else "false",
                "fieldValidation": "Strict",
            },
            body=body,
            content_type=_APPLY,
            repeatable=True,
        )
        live = LiveObject.parse(self._json(request, answer, body))
        return Applied(live, created=answer.code == _CREATED)

    async def annotate(
        self, kind: ServedKind, namespace: str, name: str, annotations: Mapping[str, str]
    ) -> None:
        """Set annotations of an object that is there; nothing else of it is sent or read."""
        request = Request("patch", kind.resource, namespace, name)
        answer = await self._transport.send(
            "PATCH",
            kind.path(namespace, name),
            accept=_ONE,
            params={"fieldManager": FIELD_MANAGER},
            body=encoded({"metadata": {"annotations": dict(annotations)}}),
            content_type=_MERGE,
            repeatable=True,
        )
        self._check(request, answer)

    async def patch(
        self, kind: ServedKind, namespace: str, name: str, operations: bytes, manager: str
    ) -> LiveObject:
        """Send a JSON patch (RFC 6902); raise `ConflictError` when it names an older version."""
        request = Request("patch", kind.resource, namespace, name)
        answer = await self._transport.send(
            "PATCH",
            kind.path(namespace, name),
            accept=_ONE,
            params={"fieldManager": manager},
            body=operations,
            content_type=_JSON_PATCH,
        )
        return LiveObject.parse(self._json(request, answer))

    async def create(self, kind: ServedKind, namespace: str, name: str, body: bytes) -> LiveObject:
        """Create; raise `AlreadyExistsError` when it is there already."""
        request = Request("create", kind.resource, namespace, name)
        path = kind.path(namespace)
        return await self._write(request, "POST", path, body)

    async def replace(self, kind: ServedKind, namespace: str, name: str, body: bytes) -> LiveObject:
        """Replace; the body's `resourceVersion` must be the live one, else `ConflictError`."""
        request = Request("update", kind.resource, namespace, name)
        return await self._write(request, "PUT", kind.path(namespace, name), body)

    async def delete(
        self, kind: ServedKind, namespace: str, name: str, preconditions: Preconditions
    ) -> None:
        """Delete, dependents in the background; raise `NotFoundError`, `ConflictError`."""
        request = Request("delete", kind.resource, namespace, name)
        options: Mapping[str, Json] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": preconditions.body(),
        }
        answer = await self._transport.send(
            "DELETE", kind.path(namespace, name), accept=_ONE, body=encoded(options)
        )
        self._check(request, answer)

    async def _get(self, path: str, accept: str = "application/json") -> Answer:
        return await self._transport.send("GET", path, accept=accept, repeatable=True)

    async def _found(self, request: Request, path: str, accept: str) -> LiveObject | None:
        answer = await self._get(path, accept)
        with contextlib.suppress(NotFoundError):
            return LiveObject.parse(self._json(request, answer))
        return None

    async def _write(self, request: Request, method: str, path: str, body: bytes) -> LiveObject:
        params = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        answer = await self._transport.send(method, path, accept=_ONE, params=params, body=body)
        return LiveObject.parse(self._json(request, answer, body))

    async def _pages(
        self, request: Request, path: str, accept: str, labels: str, *, page: int = PAGE
    ) -> AsyncIterator[Mapping[str, Json]]:
        more = ""
        while True:
            params = {"limit": str(page), "labelSelector": labels, "continue": more}
            query = "&".join(f"{name}={quote(value)}" for name, value in params.items() if value)
            tree = self._json(request, await self._get(f"{path}?{query}", accept))
            yield tree
            more = text(mapping(tree, "metadata"), "continue")
            if not more:
                return

    def _json(self, request: Request, answer: Answer, sent: bytes = b"") -> Mapping[str, Json]:
        self._check(request, answer, sent)
        return parse(answer.untrusted_body)

    @staticmethod
    def _check(request: Request, answer: Answer, sent: bytes = b"") -> None:
        if answer.code not in _OK:
            raise failure(request, answer.code, _status(answer), names(sent))


def _status(answer: Answer) -> Json:
    """Give the body when it is a `Status`; anything else may be another's words (a proxy's)."""
    try:
        tree = parse(answer.untrusted_body)
    except UnreachableError:
        return None
    return tree if text(tree, "kind") == "Status" else None


@contextlib.asynccontextmanager
async def connect(connection: Connection, limits: Limits | None = None) -> AsyncIterator[Client]:
    """Open a client; nothing is asked of the API server yet."""
    async with Transport(connection, limits) as transport:
        yield Client(transport, connection.namespace)
