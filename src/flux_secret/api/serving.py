"""A handler and an address → a listening server that strangers cannot wear out.

Where everybody in a cluster may connect: a connection has one request; its head must be there
within seconds; of too many connections the oldest is closed, so that who comes now is served,
however many are being held open. Nothing that a client sends makes a line in the log.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler as Typed

from flux_secret.errors import ConfigurationError
from flux_secret.model.listening import Address

MAX_LINE: Final = 8190  # bytes of a request's line and of each header
MAX_HEADERS: Final = 64
MAX_CONNECTIONS: Final = 32
HEAD_SECONDS: Final = 5.0  # within which a request's head is there
SHUTDOWN_SECONDS: Final = 2.0
Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]
_log = structlog.get_logger(component="api")
silent: Final = logging.Logger("flux_secret.api.silent")  # noqa: LOG001 -- apart from all others
silent.disabled = True


class _Bounded(web.Server):
    """Holds so many connections and no more."""

    def __init__(self, handler: Handler, connections: int) -> None:
        super().__init__(
            handler,
            access_log=None,
            logger=silent,
            keepalive_timeout=HEAD_SECONDS,  # counted from the start of a connection, too
            lingering_time=0,  # what is not wanted of a body is not read
            auto_decompress=False,  # a signature is of what was sent; and no bomb goes off
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=MAX_HEADERS,
        )
        self._most = connections

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Let it in; let the oldest go where there are too many."""
        super().connection_made(handler, transport)
        open_ = [one for one in self.connections if one.transport is not None]
        if len(open_) > self._most:
            open_[0].force_close()


async def serve_strangers(
    handler: Handler, address: Address, servers: AsyncExitStack, *, flag: str,
    connections: int = MAX_CONNECTIONS,
) -> Address:  # fmt: skip
    """Serve until `servers` is closed; give the address, its port filled in.

    `flag` names the address in the `ConfigurationError` that is raised when it cannot be had.
    """

    async def once(request: web.BaseRequest) -> web.Response:
        response = await _answered(handler, request)
        response.force_close()
        return response

    runner = web.ServerRunner(_Bounded(once, connections), shutdown_timeout=SHUTDOWN_SECONDS)
    return await listen(runner, address, servers, flag=flag)


async def _answered(handler: Handler, request: web.BaseRequest) -> web.Response:
    try:
        return await handler(request)
    except ConnectionError:
        raise
    except web.RequestPayloadError:
        return web.Response(status=400, text="the body is broken\n")
    except Exception as error:  # noqa: BLE001 -- a bug: its text may quote what was sent
        return _bug(error)


@web.middleware
async def tell_bugs(request: web.Request, handler: Typed) -> web.StreamResponse:
    """Do the same for an application, where aiohttp is silent: it would quote what was sent."""
    try:
        return await handler(request)
    except (ConnectionError, web.HTTPException):
        raise
    except Exception as error:  # noqa: BLE001 -- as above
        return _bug(error)


def _bug(error: Exception) -> web.Response:
    trace = traceback.extract_tb(error.__traceback__)
    place = f"{trace[-1].name}:{trace[-1].lineno}" if trace else ""
    _log.error("bug", error=type(error).__name__, at=place)
    return web.Response(status=500, text="this is a bug\n")


async def listen(
    runner: web.BaseRunner, address: Address, servers: AsyncExitStack, *, flag: str
) -> Address:
    """Do it with whatever serves."""
    await runner.setup()
    servers.push_async_callback(runner.cleanup)
    try:
        if address.is_everywhere:
            await web.SockSite(runner, _on_every_interface(address.port)).start()
        else:
            await web.TCPSite(runner, address.host, address.port).start()
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {address}: {error.strerror}",
            remedy=f"name another address with {flag}, or end what listens there",
        ) from None
    return Address(address.host, runner.addresses[0][1])


def _on_every_interface(port: int) -> socket.socket:
    """Listen for both families with one socket, as Go does; for IPv4 where there is no IPv6."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))
