from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from flux_secret.errors import FluxSecretError, UnreachableError
from flux_secret.outside.kubernetes import Connection, Limits
from flux_secret.outside.kubernetes.transport import Answer, Transport


class Scripted(Transport):
    """Answers what it is told, one after another."""

    def __init__(self, *script: int | FluxSecretError, pause: float = 0.0) -> None:
        super().__init__(Connection("https://127.0.0.1:9"), Limits(max_pause_seconds=0.01))
        self.script = list(script)
        self.pause = pause

    async def _once(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        params: Mapping[str, str],
        body: bytes | None,
    ) -> tuple[Answer, float]:
        del method, path, headers, params, body
        await asyncio.sleep(0)
        said = self.script.pop(0)
        if isinstance(said, FluxSecretError):
            raise said
        return Answer(said, b"{}"), self.pause


async def send(transport: Transport, *, repeatable: bool = True) -> int:
    return (await transport.send("GET", "/", repeatable=repeatable)).code


@pytest.mark.parametrize("code", [429, 503])
async def test_a_busy_api_server_is_asked_again_within_limits(code: int) -> None:
    assert await send(Scripted(code, code, 200, pause=1e9)) == 200
    tired = Scripted(*[code] * 9)
    assert await send(tired) == code
    assert len(tired.script) == 5


async def test_what_is_not_repeatable_is_sent_once() -> None:
    once = Scripted(503, 200)
    assert await send(once, repeatable=False) == 503
    once = Scripted(UnreachableError("gone"), 200)
    with pytest.raises(UnreachableError):
        await send(once, repeatable=False)


async def test_a_broken_connection_is_tried_again_within_limits() -> None:
    assert await send(Scripted(UnreachableError("gone"), 200)) == 200
    tired = Scripted(*[UnreachableError("gone")] * 9)
    with pytest.raises(UnreachableError):
        await send(tired)
    assert len(tired.script) == 5


async def test_a_401_is_answered_once_with_new_credentials() -> None:
    assert await send(Scripted(401, 200), repeatable=False) == 200
    assert await send(Scripted(401, 401, 200)) == 401


async def test_other_codes_are_not_repeated() -> None:
    for code in (400, 403, 404, 409, 422, 500):
        assert await send(Scripted(code, 200)) == code
