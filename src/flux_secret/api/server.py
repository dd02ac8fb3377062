"""Addresses → a listening server: Flux v1's API, a sync that waits, metrics."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from aiohttp import web

from flux_secret.api.answers import failed, given, refused
from flux_secret.api.flux_v1 import MAX_BODY, FluxV1
from flux_secret.api.guard import guarded
from flux_secret.api.interface import Agent, Metrics
from flux_secret.api.jobs import Jobs
from flux_secret.api.serving import MAX_LINE, SHUTDOWN_SECONDS, listen, silent, tell_bugs
from flux_secret.errors import FluxSecretError
from flux_secret.model.listening import Address

STATUS: Final = "/api/flux-secret/v1/status"
SYNC: Final = "/api/flux-secret/v1/sync"
MAX_TOKENS: Final = 100  # confirmed with one request
_TOKEN: Final = re.compile(r"[0-9a-f]{1,64}\Z")
_KEEP_ALIVE_SECONDS: Final = 15.0


@asynccontextmanager
async def listening(
    agent: Agent, metrics: Metrics, *, api: Address, metrics_at: Address | None, token: str | None
) -> AsyncIterator[Address]:
    """Serve until the end of the `async with`; give the address of the API, its port filled in.

    Metrics are served with the API, or at an address of their own, as Flux v1's
    `--listen-metrics` has it. Raises `ConfigurationError` when an address cannot be had.
    """
    jobs = Jobs(agent)
    app = web.Application(middlewares=[tell_bugs, guarded(token)], client_max_size=MAX_BODY)
    FluxV1(agent, jobs).add_to(app)

    async def sync(request: web.Request) -> web.StreamResponse:
        confirmed = _confirmed(await request.read())
        if confirmed is None:
            return refused(request, 400, 'the body is {"confirm": ["TOKEN"]}, or nothing')
        try:
            outcome = await jobs.sync(confirmed)
        except FluxSecretError as failure:
            return failed(request, failure)
        return given(dataclasses.asdict(outcome))

    async def status(_request: web.Request) -> web.StreamResponse:
        return given({"apps": [dict(one.to_json()) for one in agent.reports()]})

    async def show(_request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    app.router.add_post(SYNC, sync)
    app.router.add_get(STATUS, status)
    async with AsyncExitStack() as servers:
        servers.push_async_callback(jobs.close)
        if metrics_at is None:
            app.router.add_get("/metrics", show)
        else:
            alone = web.Application()
            alone.router.add_get("/metrics", show)
            await _serve(alone, metrics_at, servers, flag="--listen-metrics")
        yield await _serve(app, api, servers)


def _confirmed(body: bytes) -> list[str] | None:
    """Give the tokens that a request names; None when it is not understood."""
    try:
        asked = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    tokens = asked.get("confirm", []) if isinstance(asked, dict) else None
    if not isinstance(tokens, list) or len(tokens) > MAX_TOKENS:
        return None
    return tokens if all(isinstance(one, str) and _TOKEN.match(one) for one in tokens) else None


async def _serve(
    app: web.Application, address: Address, servers: AsyncExitStack, *, flag: str = "--listen"
) -> Address:
    runner = web.AppRunner(
        app, access_log=None, logger=silent, shutdown_timeout=SHUTDOWN_SECONDS,
        keepalive_timeout=_KEEP_ALIVE_SECONDS, max_line_size=MAX_LINE, max_field_size=MAX_LINE,
    )  # fmt: skip
    return await listen(runner, address, servers, flag=flag)
