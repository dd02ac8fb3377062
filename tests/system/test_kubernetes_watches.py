"""Watches against a real HTTP server on loopback, one that misbehaves included."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from flux_secret.errors import UnreachableError
from flux_secret.outside.kubernetes import Connection, Limits, Reflector, Troubled
from flux_secret.outside.kubernetes import pool as pool_module
from flux_secret.outside.kubernetes.transport import Transport
from flux_secret.outside.kubernetes.watching import ApiSource
from simulators.watching import FAST, THINGS, Seen, named

LIMITS = Limits(total_seconds=5, max_pause_seconds=0.01, max_line_bytes=10_000)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


# -- a server that misbehaves --


@contextlib.asynccontextmanager
async def serving(watch: Handler) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            return await watch(request)
        return web.json_response({"metadata": {"resourceVersion": "5"}, "items": []})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def begun(request: web.Request, *lines: bytes) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for line in lines:
        await response.write(line)
    return response


def added(name: str, version: int) -> bytes:
    metadata = {"name": name, "namespace": "ns", "resourceVersion": str(version)}
    return json.dumps({"type": "ADDED", "object": {"metadata": metadata}}).encode() + b"\n"


async def broken_off(watch: Handler, limits: Limits = LIMITS) -> str:
    """Open one watch and read it until it breaks; give the error's words."""
    async with serving(watch) as url, Transport(Connection(url), limits) as transport:
        with pytest.raises(UnreachableError) as caught:
            await read_out(ApiSource(transport, THINGS))
    assert caught.value.__context__ is None
    return caught.value.what


async def read_out(source: ApiSource) -> None:
    async with source.watch("5") as events:
        async for _ in events:
            pass


async def test_a_silent_connection_is_noticed() -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        await begun(request, added("a", 6))
        await asyncio.Event().wait()
        raise AssertionError

    limits = replace(LIMITS, silent_seconds=0.2)
    assert "does not answer in time" in await broken_off(silent, limits)


async def test_an_answer_that_does_not_begin_is_noticed() -> None:
    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    assert "in time" in await broken_off(never, replace(LIMITS, total_seconds=0.2))


async def test_a_line_that_never_ends_is_cut_off() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = await begun(request, b'{"type": "')
        while True:
            await response.write(b"A" * 4096)

    assert await broken_off(endless) == "an event of a watch is larger than 10000 bytes"


@pytest.mark.parametrize("line", [b"<html>\n", b'{"type": "ADDED", "obj', b"[]\n", b"\xff\n"])
async def test_what_is_no_event_breaks_the_watch(line: bytes) -> None:
    async def strange(request: web.Request) -> web.StreamResponse:
        return await begun(request, line)

    assert "not a JSON object" in await broken_off(strange)


async def test_a_connection_cut_in_the_middle_breaks_the_watch() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = await begun(request, added("a", 6))
        assert request.transport is not None
        request.transport.abort()
        return response

    assert "cannot be reached" in await broken_off(cut)


async def test_a_reflector_lives_through_all_of_it() -> None:
    calls: list[str] = []

    async def moody(request: web.Request) -> web.StreamResponse:
        calls.append(request.query["resourceVersion"])
        turn = len(calls)
        if turn == 1:
            return web.Response(status=429, headers={"Retry-After": "0"})
        if turn == 2:
            return web.json_response({"kind": "Status", "code": 500, "message": "x"}, status=500)
        if turn == 3:
            return await begun(request, added("a", 6), b'{"type"')
        if turn == 4:
            return await begun(request, b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n')
        if turn == 5:
            return web.Response(status=503, text="<html>gateway</html>")
        await begun(request, added("b", 7))
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(moody) as url, Transport(Connection(url), LIMITS) as transport:
        reflector = Reflector(ApiSource(transport, THINGS), named, FAST)
        async with Seen.of(reflector) as seen:
            await seen.until(lambda: "b" in seen.now)
    assert calls == ["5", "5", "5", "6", "5", "5"]
    troubles = [one.error for one in seen.told if isinstance(one, Troubled)]
    assert [type(one).__name__ for one in troubles] == [
        "BusyError", "RejectedError", "ExpiredError", "BusyError",
    ]  # fmt: skip


async def test_a_peer_that_vanishes_is_noticed_by_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[socket.socket] = []
    factory = pool_module._kept_alive

    def kept(address: Any) -> socket.socket:  # noqa: ANN401 -- aiohttp's own tuple
        made.append(factory(address))
        return made[-1]

    monkeypatch.setattr(pool_module, "_kept_alive", kept)
    asked: dict[str, int] = {}

    async def watch(request: web.Request) -> web.StreamResponse:
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"):
            asked[name] = made[-1].getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
        return await begun(request)

    async with serving(watch) as url, Transport(Connection(url), LIMITS) as transport:
        await read_out(ApiSource(transport, THINGS))
    assert asked["TCP_KEEPIDLE"] + asked["TCP_KEEPINTVL"] * asked["TCP_KEEPCNT"] <= 60
