"""The typed requests that flux-secret makes of an API server; nothing else is asked of it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from flux_secret.errors import RejectedError, UnreachableError
from flux_secret.outside.kubernetes import discovery
from flux_secret.outside.kubernetes.asking import PAGE, checked, pages, tree_of, with_query
from flux_secret.outside.kubernetes.body import Json, encoded, items, parse
from flux_secret.outside.kubernetes.connection import Connection
from flux_secret.outside.kubernetes.discovery import Kinds, ServedKind
from flux_secret.outside.kubernetes.failure import NotFoundError, Request
from flux_secret.outside.kubernetes.live import LiveObject
from flux_secret.outside.kubernetes.transport import Answer, Limits, Traffic, Transport
from flux_secret.outside.kubernetes.watch import Reflector
from flux_secret.outside.kubernetes.watching import MAX_LISTED, ApiSource

FIELD_MANAGER: Final = "flux-secret"
EVENTS: Final = ServedKind("", "v1", "Event", "events", namespaced=True)
PODS_PATH: Final = "/api/v1/namespaces/{}/pods"
LOG_SECONDS: Final = 3600.0  # that one request for a log may take
_MAX_REFUSAL: Final = 1024 * 1024  # bytes
_APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML
_OK: Final = range(200, 300)
_CREATED: Final = 201
_ITS_FAULT: Final = 500
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

    def acting_as(self, account: str) -> Client:
        """Give a client in the name of a service account, `NAMESPACE:NAME`; empty: this one.

        What the account may not do is refused it; that we may impersonate it is asked, too.
        """
        if not account:
            return self
        return Client(self._transport.acting_as(account), self.namespace)

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
        return tree_of(request, await self._get(path, accept))

    async def _legacy_kinds(self) -> Kinds:
        groups = tree_of(Request("get", "apis"), await self._get("/apis"))
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

    async def ping(self) -> None:
        """Ask whether it is ready, once; raise `UnreachableError` when it is not.

        Everybody may ask that (`system:public-info-viewer`); where not, a refusal is an answer.
        """
        answer = await self._transport.send("GET", "/readyz")
        if answer.code >= _ITS_FAULT:
            raise UnreachableError(f"the API server says that it is not ready ({answer.code})")

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
        path = with_query(kind.path(namespace), labelSelector=labels)
        async for tree in pages(self._transport, request, path, _MANY, page=page):
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
            return tree_of(request, answer)
        return None

    async def list(
        self, kind: ServedKind, namespace: str, labels: str, *, fields: str = ""
    ) -> list[Mapping[str, Json]]:
        """Read whole objects."""
        request = Request("list", kind.resource, namespace)
        path = with_query(kind.path(namespace), labelSelector=labels, fieldSelector=fields)
        trees = pages(self._transport, request, path, "application/json")
        return [item async for tree in trees for item in items(tree, "items")]

    async def apply(
        self, kind: ServedKind, namespace: str, name: str, body: bytes, *, force: bool = True
    ) -> Applied:
        """Apply server-side as field manager `flux-secret`; strict about unknown fields.

        Only metadata comes back. Raises `ForbiddenError`, `RejectedError`, `ConflictError`.
        """
        params = {"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"}
        return await self._applied(kind, namespace, name, body, params)

    async def try_apply(self, kind: ServedKind, namespace: str, name: str, body: bytes) -> Applied:
        """Ask what `apply` would answer; nothing is kept (`dryRun`), and raises the same."""
        params = {"fieldManager": FIELD_MANAGER, "force": "true", "dryRun": "All"}
        return await self._applied(kind, namespace, name, body, params)

    async def own(
        self, kind: ServedKind, namespace: str, name: str, body: bytes, manager: str
    ) -> Applied:
        """Apply the same way as another field manager of ours, whose fields are those of the body.

        With a `metadata.uid` in the body nothing is created; `ConflictError` when it is gone.
        """
        params = {"fieldManager": manager, "force": "true"}
        return await self._applied(kind, namespace, name, body, params)

    async def _applied(
        self,
        kind: ServedKind,
        namespace: str,
        name: str,
        body: bytes,
        params: Mapping[str, str],
    ) -> Applied:
        request = Request("patch", kind.resource, namespace, name)
        answer = await self._transport.send(
            "PATCH",
            kind.path(namespace, name),
            accept=_ONE,
            params={**params, "fieldValidation": "Strict"},
            body=body,
            content_type=_APPLY,
            repeatable=True,
        )
        live = LiveObject.parse(tree_of(request, answer, body))
        return Applied(live, created=answer.code == _CREATED)

    async def annotate(
        self, kind: ServedKind, namespace: str, name: str, annotations: Mapping[str, str]
    ) -> None:
        """Set annotations of an object that is there; nothing else of it is sent or read."""
        await self.merge(kind, namespace, name, {"metadata": {"annotations": dict(annotations)}})

    async def merge(
        self, kind: ServedKind, namespace: str, name: str, tree: Mapping[str, Json]
    ) -> None:
        """Send a merge patch (RFC 7386) of an object that is there."""
        request = Request("patch", kind.resource, namespace, name)
        answer = await self._transport.send(
            "PATCH",
            kind.path(namespace, name),
            accept=_ONE,
            params={"fieldManager": FIELD_MANAGER},
            body=encoded(tree),
            content_type=_MERGE,
            repeatable=True,
        )
        checked(request, answer)

    async def apply_status(
        self, kind: ServedKind, namespace: str, name: str, body: bytes, *, manager: str
    ) -> LiveObject:
        """Apply an object's status server-side, with force, as `manager`: a name of its own.

        Only the `status` of `body` counts. Raises `NotFoundError` when the object is gone.
        """
        request = Request("patch", f"{kind.resource}/status", namespace, name)
        answer = await self._transport.send(
            "PATCH",
            f"{kind.path(namespace, name)}/status",
            accept=_ONE,
            params={"fieldManager": manager, "force": "true", "fieldValidation": "Strict"},
            body=body,
            content_type=_APPLY,
            repeatable=True,
        )
        return LiveObject.parse(tree_of(request, answer, body))

    async def set_finalizers(
        self, kind: ServedKind, live: LiveObject, finalizers: Sequence[str]
    ) -> LiveObject:
        """Say which finalizers the object has; raise `ConflictError` when it has changed since."""
        request = Request("patch", kind.resource, live.namespace, live.name)
        metadata: Mapping[str, Json] = {
            "uid": live.uid,
            "resourceVersion": live.resource_version,
            "finalizers": list(finalizers),
        }
        answer = await self._transport.send(
            "PATCH",
            kind.path(live.namespace, live.name),
            accept=_ONE,
            params={"fieldManager": FIELD_MANAGER},
            body=encoded({"metadata": metadata}),
            content_type=_MERGE,
        )
        return LiveObject.parse(tree_of(request, answer))

    def reflector(
        self, kind: ServedKind, namespace: str = "", labels: str = "", *, fields: str = ""
    ) -> Reflector[Mapping[str, Json]]:
        """Follow whole objects of a kind, in a namespace or in all; never Secrets."""
        source = replace(self.source(kind, namespace, labels), fields=fields)
        return Reflector(source, lambda tree: tree)

    def metadata_reflector(
        self, kind: ServedKind, namespace: str = "", labels: str = ""
    ) -> Reflector[LiveObject]:
        """Follow the metadata of the objects of a kind; no value crosses the wire."""
        source = self.source(kind, namespace, labels, metadata_only=True)
        return Reflector(source, LiveObject.parse)

    def source(
        self,
        kind: ServedKind,
        namespace: str = "",
        labels: str = "",
        *,
        metadata_only: bool = False,
        page: int = PAGE,
    ) -> ApiSource:
        """Give what a `Reflector` with a reader or pauses of its own is made of."""
        return ApiSource(
            self._transport, kind, namespace, labels, metadata_only=metadata_only, page=page
        )

    @contextlib.asynccontextmanager
    async def pod_log(
        self, namespace: str, name: str, *, tail: int, since: str, follow: bool
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give a pod's log by lines, each with its time (RFC 3339) and a blank before it.

        At most the last `tail` lines (0: all) after `since`. Raises `NotFoundError`,
        `ForbiddenError`, and while it is read `UnreachableError`.
        """
        path = with_query(
            f"{PODS_PATH.format(namespace)}/{name}/log",
            timestamps="true",
            tailLines=str(tail) if tail else "",
            sinceTime=since,
            follow="true" if follow else "",
        )
        async with self._transport.stream(path, accept="*/*", seconds=LOG_SECONDS) as stream:
            if stream.code not in _OK:
                said = b"".join([line async for line in stream.untrusted_lines])[:_MAX_REFUSAL]
                request = Request("get", "pods/log", namespace, name)
                checked(request, Answer(stream.code, said))
            yield stream.untrusted_lines

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
        return LiveObject.parse(tree_of(request, answer))

    async def create(self, kind: ServedKind, namespace: str, name: str, body: bytes) -> LiveObject:
        """Create; raise `AlreadyExistsError` when it is there already."""
        request = Request("create", kind.resource, namespace, name)
        path = kind.path(namespace)
        return await self._write(request, "POST", path, body)

    async def try_create(self, kind: ServedKind, namespace: str, name: str, body: bytes) -> None:
        """Ask what `create` would answer; nothing is kept (`dryRun`), and raises the same."""
        request = Request("create", kind.resource, namespace, name)
        await self._write(request, "POST", with_query(kind.path(namespace), dryRun="All"), body)

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
        checked(request, answer)

    async def _get(self, path: str, accept: str = "application/json") -> Answer:
        return await self._transport.send("GET", path, accept=accept, repeatable=True)

    async def _found(self, request: Request, path: str, accept: str) -> LiveObject | None:
        answer = await self._get(path, accept)
        with contextlib.suppress(NotFoundError):
            return LiveObject.parse(tree_of(request, answer))
        return None

    async def _write(self, request: Request, method: str, path: str, body: bytes) -> LiveObject:
        params = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        answer = await self._transport.send(method, path, accept=_ONE, params=params, body=body)
        return LiveObject.parse(tree_of(request, answer, body))


@contextlib.asynccontextmanager
async def connect(
    connection: Connection,
    limits: Limits | None = None,
    *,
    trust: ssl.SSLContext | bool | None = None,
) -> AsyncIterator[Client]:
    """Open a client; nothing is asked of the API server yet.

    `trust` is the connection's context, where it was made before: that takes milliseconds.
    """
    async with Transport(connection, limits, trust=trust) as transport:
        yield Client(transport, connection.namespace)
