"""Probes, over real sockets: kube-apiserver's answers, whatever strangers do at the port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from flux_secret.api.health import serve_health
from flux_secret.api.interface import Agent
from flux_secret.api.server import listening
from flux_secret.api.serving import MAX_CONNECTIONS, serve_strangers
from flux_secret.errors import ConfigurationError
from flux_secret.model.health import Check
from system.test_strangers import ANYWHERE, Polls, Port, holding


@dataclass
class Health:
    alive: Sequence[Check] = (Check("ping"), Check("loop"))
    able: Sequence[Check] = (Check("ping"), Check("stores", "no store could be read for 75 s"))

    def live(self) -> Sequence[Check]:
        return self.alive

    def ready(self) -> Sequence[Check]:
        return self.able


@asynccontextmanager
async def probed(health: Health) -> AsyncIterator[Port]:
    async with AsyncExitStack() as servers:
        address = await serve_health(health, ANYWHERE, servers)
        yield Port(address, Polls(), Path(), [])


async def test_probes_are_answered_as_kube_apiserver_does() -> None:
    async with probed(Health()) as one:
        get = "GET {} HTTP/1.1\nHost: x"
        assert await one.send(get.format("/healthz")) == (200, "ok")
        assert await one.send(get.format("/livez")) == (200, "ok")
        assert await one.send("HEAD /healthz HTTP/1.1\nHost: x") == (200, "")
        verbose = "[+]ping ok\n[+]loop ok\nhealthz check passed"
        assert await one.send(get.format("/healthz?verbose")) == (200, verbose)
        failed = (
            "[+]ping ok\n[-]stores failed: no store could be read for 75 s\nreadyz check failed"
        )
        assert await one.send(get.format("/readyz")) == (500, failed)
        assert await one.send(get.format("/readyz?exclude=stores")) == (200, "ok")
        assert (await one.send("POST /readyz HTTP/1.1\nHost: x\nContent-Length: 0"))[0] == 405
        assert (await one.send(get.format("/metrics")))[0] == 404


async def test_no_probe_fails_because_strangers_hold_connections_open() -> None:
    async with probed(Health()) as one, holding(one, MAX_CONNECTIONS * 4):
        for _ in range(3):
            assert await one.send("GET /healthz HTTP/1.1\nHost: x") == (200, "ok")


async def test_a_bug_is_an_answer_and_its_words_are_not_told() -> None:
    class Broken(Health):
        def live(self) -> Sequence[Check]:
            raise RuntimeError("private words")

    async with probed(Broken()) as one:
        with capture_logs() as logs:
            assert await one.send("GET /healthz HTTP/1.1\nHost: x") == (500, "this is a bug")
        (said,) = logs
        assert (said["event"], said["error"]) == ("bug", "RuntimeError")
        assert said["at"].startswith("live:")
        assert "private" not in str(logs)


async def test_the_api_too_says_neither_what_was_sent_nor_why_it_broke(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        async def workloads(self, _namespace: str) -> None:
            raise RuntimeError("private words")

    with capture_logs() as logs:
        agent = cast("Agent", Broken())
        async with listening(agent, bytes, api=ANYWHERE, metrics_at=None, token=None) as address:
            one = Port(address, Polls(), Path(), [])
            head = f"GET /api/flux/v6/services HTTP/1.1\nHost: {address}\nConnection: close"
            assert await one.send(head) == (500, "this is a bug")
            assert (await one.send(f"{head}\nX-Long: {'x' * 20_000}"))[0] == 400
            assert (await one.send(head.replace("v6", "v7")))[0] == 404
    assert [(one["event"], one["error"]) for one in logs] == [("bug", "RuntimeError")]
    assert caplog.records == []
    assert "private" not in str(logs)


async def test_a_body_of_which_aiohttp_says_that_it_is_broken_is_no_bug() -> None:
    async def broken(_request: web.BaseRequest) -> web.Response:
        raise web.RequestPayloadError

    async with AsyncExitStack() as servers:
        address = await serve_strangers(broken, ANYWHERE, servers, flag="--x")
        one = Port(address, Polls(), Path(), [])
        with capture_logs() as logs:
            assert (await one.send("GET / HTTP/1.1\nHost: x"))[0] == 400
        assert logs == []


async def test_an_address_that_is_taken_is_an_error_that_names_its_flag() -> None:
    async with probed(Health()) as one, AsyncExitStack() as servers:
        with pytest.raises(ConfigurationError, match="cannot listen on") as caught:
            await serve_health(Health(), one.address, servers)
        assert "--listen-health" in caught.value.remedy
