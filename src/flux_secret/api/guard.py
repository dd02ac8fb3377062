"""Who may ask: the token, and no web page.

On loopback there is no token by default, as Flux v1 had none anywhere. A page in somebody's browser
reaches loopback too: what carries an `Origin`, or a `Host` that is no address of ours (DNS
rebinding), is refused.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from flux_secret.api.answers import refused

_PREFIXES: Final = ("Bearer ", "Scope-Probe token=")  # the second is fluxctl's `--token`


def guarded(token: str | None) -> Middleware:
    """Make the middleware; `token` None means that only loopback is listened on."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if "Origin" in request.headers:
            return refused(request, 403, "a web page may not ask here")
        if token is None:
            if not _is_local(request.host):
                return refused(request, 403, "ask by a loopback address, as 127.0.0.1")
        elif not _shown(request.headers.get("Authorization", ""), token):
            return refused(request, 401, "a token is needed: fluxctl --token, flux-secret sync "
                           "--token-file")  # fmt: skip
        return await handler(request)

    return guard


def _shown(header: str, token: str) -> bool:
    for prefix in _PREFIXES:
        if header.startswith(prefix):
            return hmac.compare_digest(header.removeprefix(prefix).encode(), token.encode())
    return False


def _is_local(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
