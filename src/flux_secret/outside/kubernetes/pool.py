"""Connections to one API server: kept alive, and all of them closed when the pool is.

aiohttp closes a connection that is cut off in the middle of an answer, as each watch is, with a
farewell of TLS, and does not wait for the other side's: for up to 30 s such a connection is still
open, and a command whose loop ends meanwhile leaves it behind.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import weakref
from typing import Final

import aiohttp

_KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 3}
"""Seconds until the first probe, between two, and how many go unanswered."""
_LAST_TURNS: Final = 5
"""Of the event loop, in which aborted connections are closed; a command's loop ends after them."""


class Pool(aiohttp.TCPConnector):
    """At most `connections` at once; 0: any number."""

    def __init__(self, *, context: ssl.SSLContext | bool, connections: int) -> None:
        """Begin without any; `context` is what the server's certificate is checked against."""
        super().__init__(ssl=context, limit=connections, socket_factory=_kept_alive)
        self._made: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 -- aiohttp's signature
    ) -> aiohttp.connector.Connection:
        """Lend one."""
        lent = await super().connect(req, traces, timeout)
        if lent.transport is not None:
            self._made.add(lent.transport)
        return lent

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Close all, those too that wait for a farewell."""
        await super().close(abort_ssl=abort_ssl)
        for transport in tuple(self._made):
            transport.abort()
        for _ in range(_LAST_TURNS):
            await asyncio.sleep(0)


def _kept_alive(address: aiohttp.AddrInfoType) -> socket.socket:
    """Make a socket that notices within a minute that nobody is there any more."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, number in _KEEP_ALIVE.items():
        if hasattr(socket, option):  # another system may have none of them
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), number)
    return made
