"""The door: HTTP requests → `Api`, and its answers → HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web

from flux_secret.embedded import address as addresses
from flux_secret.embedded.api import Api, Request
from flux_secret.embedded.discovery import openapi
from flux_secret.embedded.discovery.documents import Discovery, core_versions
from flux_secret.embedded.faults import Asked, Faults, Requests
from flux_secret.embedded.schema.kinds import built_in
from flux_secret.embedded.state import State
from flux_secret.embedded.status import (
    StatusError,
    forbidden,
    internal,
    no_such_resource,
    unauthorized,
    unavailable,
)
from flux_secret.embedded.tree import Json, Tree

MOST_BODY_BYTES: Final = 3 * 1024 * 1024  # as the real one (MaxRequestBodyBytes)
MOST_WATCH_SECONDS: Final = 1800
USER: Final = "embedded-admin"
TOKEN_PREFIX: Final = "/token/"  # noqa: S105 - a path, no token
"""kubectl sends no token over plain HTTP, so its kubeconfig has the token in the server's path."""
_OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/livez", "/version"})
_GZIP_FROM_BYTES: Final = 128 * 1024  # as the real one (defaultGzipThresholdBytes)
_NO_HEADERS: Final[Mapping[str, str]] = {}
_AGGREGATED: Final = "APIGroupDiscoveryList"
_AGGREGATED_TYPE: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Server:
    """Serves one cluster's state."""

    def __init__(self, state: State, token: str, faults: Faults, requests: Requests) -> None:
        self._api = Api(state, faults)
        self._state = state
        self._token = token
        self._faults = faults
        self._requests = requests
        self._watches: set[asyncio.Task[object]] = set()
        self._discovery = Discovery(state.catalog, faults.broken)

    def application(self) -> web.Application:
        """Give the aiohttp application."""
        application = web.Application(client_max_size=MOST_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        application.on_shutdown.append(self._end_watches)
        return application

    async def _end_watches(self, _application: web.Application) -> None:
        for watch in list(self._watches):
            watch.cancel()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._faults.is_unreachable:
            if request.transport is not None:
                request.transport.abort()
            raise web.HTTPServiceUnavailable
        try:
            return await self._answer(request)
        except StatusError as error:
            return _written(request, error.tree, error.code)
        except web.HTTPException:
            raise
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - a server answers 500 whatever went wrong
            failure = internal(f"{type(error).__name__}")
            return _written(request, failure.tree, failure.code)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = self._authenticated_path(request)
        asked = _asked(request, path)
        self._requests.add(asked)
        status = self._faults.failure(asked)
        if status:
            reason = HTTPStatus(status).phrase.replace(" ", "")
            raise StatusError(status, reason, f"{HTTPStatus(status).phrase} (asked for by a test)")
        found = addresses.parse(path)
        if found is None:
            return self._document(request, path)
        self._check_group(found.group, found.version)
        parsed = Request(
            verb=asked.verb,
            address=found,
            query=dict(request.query),
            untrusted_body=await request.read(),
            content_type=asked.content_type,
            accept=request.headers.get("Accept", ""),
            user_agent=asked.user_agent,
        )
        self._authorize(asked, found)
        if asked.verb == "watch":
            return await self._watch(request, parsed)
        answer = self._api.answer(parsed)
        response = _written(request, answer.tree, answer.code)
        for warning in answer.warnings:
            response.headers.add("Warning", f"299 - {json.dumps(warning)}")
        return response

    def _authenticated_path(self, request: web.Request) -> str:
        """Give the path without the token it may hold; raise `StatusError` 401."""
        path = request.path
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = ""
        if path.startswith(TOKEN_PREFIX):
            token, _, path = path.removeprefix(TOKEN_PREFIX).partition("/")
            path = f"/{path}"
        if path in _OPEN_PATHS:
            return path
        if not hmac.compare_digest(token.strip().encode(), self._token.encode()):
            raise unauthorized()
        return path

    def _authorize(self, asked: Asked, found: addresses.Address) -> None:
        if not self._faults.forbids(asked):
            return
        served = self._api.served(found)
        group = f'API group "{found.group}"'
        resource = found.plural + (f"/{found.subresource}" if found.subresource else "")
        where = (
            f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
        )
        why = f'User "{USER}" cannot {asked.verb} resource "{resource}" in {group} {where}'
        raise forbidden(served.kind, asked.name, why)

    def _check_group(self, group: str, version: str) -> None:
        if f"{group}/{version}" in self._faults.broken:
            raise unavailable(self._faults.broken[f"{group}/{version}"])

    # -- documents --

    def _document(self, request: web.Request, path: str) -> web.Response:
        path = path.strip("/")
        parts = path.split("/")
        accept = request.headers.get("Accept", "")
        if path in {"healthz", "readyz", "livez"}:
            return web.Response(text="ok")
        tree: Json = None
        if path == "version":
            tree = _version()
        elif path in {"api", "apis"} and _AGGREGATED in accept:
            aggregated = self._discovery.aggregated(core=path == "api")
            return _with_etag(request, aggregated)
        elif path == "api":
            tree = core_versions()
        elif path == "apis":
            tree = self._discovery.groups()
        elif path == "openapi/v3":
            tree = openapi.index(self._discovery)
        elif parts[:2] == ["openapi", "v3"]:
            group, version = _group_version(parts[2:])
            tree = openapi.document(self._discovery, group, version)
        elif parts[0] in {"api", "apis"}:
            tree = self._legacy(parts)
        if tree is None:
            raise no_such_resource()
        return _written(request, tree)

    def _legacy(self, parts: list[str]) -> Json:
        group, version = _group_version(parts)
        if version:
            self._check_group(group, version)
            return self._discovery.resources(group, version)
        return self._discovery.group(group)

    # -- watches --

    async def _watch(self, request: web.Request, parsed: Request) -> web.StreamResponse:
        events = self._api.watching(parsed)
        response = web.StreamResponse()
        response.content_type = "application/json"
        response.enable_chunked_encoding()
        await response.prepare(request)
        task = asyncio.current_task()
        if task is not None:
            self._watches.add(task)
            task.add_done_callback(self._watches.discard)
        seconds = float(request.query.get("timeoutSeconds", "") or MOST_WATCH_SECONDS)
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(min(seconds, MOST_WATCH_SECONDS)):
                await self._stream(request, response, events)
        return response

    async def _stream(
        self,
        request: web.Request,
        response: web.StreamResponse,
        events: AsyncIterator[Tree | None],
    ) -> None:
        dropped = self._faults.dropped
        async for event in events:
            if self._faults.dropped != dropped:
                if request.transport is not None:
                    request.transport.abort()
                return
            if event is not None:
                await response.write(_encoded(event) + b"\n")
                if event["type"] == "ERROR":
                    return


def _asked(request: web.Request, path: str) -> Asked:
    found = addresses.parse(path)
    return Asked(
        verb=addresses.verb_of(request.method, found, request.query),
        resource=found.resource if found else "",
        namespace=found.namespace if found else "",
        name=found.name if found else "",
        method=request.method,
        path=path,
        user_agent=request.headers.get("User-Agent", ""),
        content_type=request.headers.get("Content-Type", "").partition(";")[0].strip(),
    )


def _encoded(tree: Json) -> bytes:
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False).encode()


def _written(
    request: web.Request,
    tree: Json,
    code: int = HTTPStatus.OK,
    headers: Mapping[str, str] = _NO_HEADERS,
) -> web.Response:
    body = _encoded(tree)
    response = web.Response(body=body, status=code, content_type="application/json")
    response.headers["Cache-Control"] = "no-cache, private"
    response.headers.update(headers)
    if len(body) > _GZIP_FROM_BYTES and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.enable_compression(web.ContentCoding.gzip)
    return response


def _with_etag(request: web.Request, tree: Json) -> web.Response:
    """Write a document that clients keep; 304 when they have it already."""
    tag = f'"{hashlib.sha512(_encoded(tree)).hexdigest().upper()}"'
    headers = {"ETag": tag, "Cache-Control": "public", "Vary": "Accept"}
    headers["Content-Type"] = _AGGREGATED_TYPE
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return _written(request, tree, headers=headers)


def _group_version(parts: list[str]) -> tuple[str, str]:
    if parts[:1] == ["api"]:
        return "", parts[1] if len(parts) > 1 else ""
    group, version = [*parts[1:], "", ""][:2]
    return group, version


def _version() -> Tree:
    version = built_in().version
    major, minor, _ = version.removeprefix("v").split(".", 2)
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{version}+embedded",
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "none",
        "platform": "embedded",
    }
