"""Who may ask: this machine, or whoever shows the token; and no web page.

On loopback there is no token by default, as Flux v1 had none anywhere. A page in somebody's browser
reaches loopback too: what carries an `Origin`, or a `Host` that is no address of ours (DNS
rebinding), is refused.

Where every interface is listened on without a token, a connection counts as ours only when both of
its ends are loopback: a mesh's sidecar that passes strangers on ends at the pod's address.

The public half of the deploy key is given to everybody: it is public, and the probes of Flux v1's
Deployment, which come from the kubelet, ask for nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from flux_secret.api.answers import refused
from flux_secret.model.listening import is_loopback

PUBLIC_KEY: Final = "/api/flux/v6/identity.pub"
_PREFIXES: Final = ("Bearer ", "Scope-Probe token=")  # the second is fluxctl's `--token`
_ELSEWHERE: Final = (
    "from elsewhere only the deploy key's public half is given: ask through kubectl port-forward, "
    "or give the agent --listen-token-file"
)


def guarded(token: str | None) -> Middleware:
    """Make the middleware; `token` None means that only this machine may ask."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if "Origin" in request.headers:
            return refused(request, 403, "a web page may not ask here")
        if (request.method, request.path) == ("GET", PUBLIC_KEY):
            return await handler(request)
        if token is None:
            if not comes_from_here(request.transport):
                return refused(request, 403, _ELSEWHERE)
            if not _is_local(request.host):
                return refused(request, 403, "ask by a loopback address, as 127.0.0.1")
        elif not _shown(request.headers.get("Authorization", ""), token):
            return refused(request, 401, "a token is needed: fluxctl --token, flux-secret sync "
                           "--token-file")  # fmt: skip
        return await handler(request)

    return guard


def comes_from_here(transport: asyncio.BaseTransport | None) -> bool:
    """Whether both ends of a connection are loopback; one that is gone is not."""
    if transport is None:
        return False
    ends = (transport.get_extra_info(end) for end in ("sockname", "peername"))
    return all(isinstance(end, tuple) and is_loopback(str(end[0])) for end in ends)


def _shown(header: str, token: str) -> bool:
    for prefix in _PREFIXES:
        if header.startswith(prefix):
            return hmac.compare_digest(header.removeprefix(prefix).encode(), token.encode())
    return False


def _is_local(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]")
    return name == "localhost" or is_loopback(name)
