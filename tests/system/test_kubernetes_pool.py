"""Connections are closed with their pool, also those whose other side says no farewell."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from flux_secret.errors import UnreachableError
from flux_secret.outside.kubernetes import Connection, Limits
from flux_secret.outside.kubernetes.connection import Trust
from flux_secret.outside.kubernetes.transport import Transport
from simulators.tls import LOOPBACK, tls_server

LIMITS = Limits(total_seconds=20, max_answer_bytes=2)


@contextlib.contextmanager
def mute(folder: Path) -> Iterator[Connection]:
    """Serve the first line of an answer, then neither say nor read anything until the end."""
    over = threading.Event()

    class Mute(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\nabcd\n\r\n")
            over.wait()

        def log_message(self, *_said: object) -> None:
            """Say nothing."""

    with tls_server(folder, Mute) as server:
        try:
            trust = Trust(server.ca_file.read_text())
            yield Connection(f"https://{LOOPBACK}:{server.port}", trust=trust)
        finally:
            over.set()


async def leaves_a_stream(transport: Transport) -> None:
    async with transport.stream("/", accept="*/*", seconds=20) as stream:
        async for line in stream.untrusted_lines:
            assert line == b"abcd"
            return


async def is_cancelled_in_a_stream(transport: Transport) -> None:
    seen = asyncio.Event()

    async def follow() -> None:
        async with transport.stream("/", accept="*/*", seconds=20) as stream:
            async for _ in stream.untrusted_lines:
                seen.set()

    following = asyncio.ensure_future(follow())
    await seen.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def refuses_an_answer(transport: Transport) -> None:
    with pytest.raises(UnreachableError, match="larger than 2 bytes"):
        await transport.send("GET", "/")


@pytest.mark.parametrize("acts", [leaves_a_stream, is_cancelled_in_a_stream, refuses_an_answer])
def test_no_connection_outlives_its_pool(
    tmp_path: Path, acts: Callable[[Transport], Awaitable[None]]
) -> None:
    async def command(connection: Connection) -> None:
        async with Transport(connection, LIMITS) as transport:
            await acts(transport)

    gc.collect()  # what earlier tests left is not ours
    with mute(tmp_path / "server") as connection, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        asyncio.run(command(connection))
        gc.collect()
    assert [str(one.message) for one in seen] == []
