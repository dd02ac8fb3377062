"""`/healthz` and `/readyz`, as kube-apiserver answers them: `?verbose`, and `?exclude=NAME`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

from aiohttp import web

from flux_secret.api.interface import Healthy
from flux_secret.api.serving import serve_strangers
from flux_secret.model.health import Check
from flux_secret.model.listening import Address

FLAG: Final = "--listen-health"
_METHODS: Final = frozenset({"GET", "HEAD"})


async def serve_health(health: Healthy, address: Address, servers: AsyncExitStack) -> Address:
    """Serve until `servers` is closed; raise `ConfigurationError` when nothing can listen there."""
    checks: Mapping[str, Callable[[], Sequence[Check]]] = {
        "/healthz": health.live,
        "/livez": health.live,  # kube-apiserver's other name of it
        "/readyz": health.ready,
    }

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path not in checks:
            return web.Response(status=404, text="ask for /healthz or /readyz\n")
        if request.method not in _METHODS:
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        left_out = frozenset(request.query.getall("exclude", []))
        found = [one for one in checks[request.path]() if one.name not in left_out]
        return answer_of(request.path[1:], found, verbose="verbose" in request.query)

    return await serve_strangers(answer, address, servers, flag=FLAG)


def answer_of(name: str, checks: Sequence[Check], *, verbose: bool) -> web.Response:
    """Give 200 and `ok`, or 500 and what failed."""
    failed = any(one.failed for one in checks)
    if not failed and not verbose:
        return web.Response(text="ok")
    lines = [*map(str, checks), f"{name} check {'failed' if failed else 'passed'}", ""]
    return web.Response(status=500 if failed else 200, text="\n".join(lines))
