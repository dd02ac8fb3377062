"""Asks a running agent for a sync, and waits; or how its Apps stand."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, Final

import aiohttp

from flux_secret.api.interface import SyncOutcome, TargetOutcome
from flux_secret.api.server import STATUS, SYNC
from flux_secret.errors import AccessError, UnreachableError, UsageError
from flux_secret.model.report import AppReport, parsed

_MAX_ANSWER: Final = 4 * 1024 * 1024  # bytes
_SHOWN: Final = 500  # characters of what it says


async def ask_for_sync(
    url: str, token: str | None, timeout_seconds: float, confirmed: Collection[str] = ()
) -> SyncOutcome:
    """Give how the round ended that the agent did for us.

    `confirmed` are the tokens of held changes that it may make.

    Raises `UnreachableError` when it does not answer in time, `AccessError` when it refuses,
    `UsageError` when a token is none.
    """
    asked = {"confirm": list(confirmed)}
    code, body = await _asked("POST", f"{url.rstrip('/')}{SYNC}", token, timeout_seconds, asked)
    if code == 400:  # noqa: PLR2004 -- HTTP's Bad Request
        raise UsageError(
            f"the agent at {url} refuses: {_help(body)}",
            remedy="give --confirm the token that the error of the held change names",
        )
    _ensure_ok(url, code, body)
    return _outcome(body)


async def ask_for_status(
    url: str, token: str | None, timeout_seconds: float
) -> Sequence[AppReport]:
    """Give how each App stands that the agent delivers; raise what `ask_for_sync` raises."""
    code, body = await _asked("GET", f"{url.rstrip('/')}{STATUS}", token, timeout_seconds)
    _ensure_ok(url, code, body)
    listed = body.get("apps") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise _not_understood()
    return [parsed(one) for one in listed if isinstance(one, dict)]


async def _asked(
    method: str,
    url: str,
    token: str | None,
    timeout_seconds: float,
    sent: Any = None,  # noqa: ANN401 -- any JSON
) -> tuple[int, Any]:
    """Send; give the code and the JSON that came."""
    headers = {"Accept": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    limit = aiohttp.ClientTimeout(total=timeout_seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.request(method, url, headers=headers, json=sent) as answer,
        ):
            return answer.status, await _body(answer)
    except TimeoutError:
        raise UnreachableError(
            f"the agent at {_agent(url)} was not done within {timeout_seconds:g} s",
            remedy="it goes on all the same; wait longer with --timeout, or see its log",
        ) from None
    except (aiohttp.ClientError, OSError) as error:
        raise UnreachableError(
            f"no agent answers at {_agent(url)}: {type(error).__name__}",
            remedy="run the agent with --listen, and for one in a cluster: "
            "kubectl -n flux port-forward deploy/flux 3030",
        ) from None


def _agent(url: str) -> str:
    """Give the address without the path."""
    return url.partition("/api/")[0]


def _ensure_ok(url: str, code: int, body: Any) -> None:  # noqa: ANN401 -- what came
    if code in {401, 403}:
        raise AccessError(
            f"the agent at {url} refuses: {_help(body)}",
            remedy="name the file with its token: --token-file FILE",
        )
    if code != 200:  # noqa: PLR2004 -- HTTP's OK
        raise UnreachableError(
            f"the agent at {url} answered with status {code}: {_help(body)}",
            remedy="see that --url names a flux-secret agent, and its log",
        )


async def _body(answer: aiohttp.ClientResponse) -> Any:  # noqa: ANN401 -- what came
    """Give the JSON of an answer; None for what is none, or too long."""
    text = bytearray()
    async for part in answer.content.iter_chunked(64 * 1024):
        text += part
        if len(text) > _MAX_ANSWER:
            return None
    try:
        return json.loads(bytes(text))
    except (ValueError, RecursionError):
        return None


def _help(body: Any) -> str:  # noqa: ANN401 -- what came
    text = str(body.get("help", "")) if isinstance(body, dict) else ""
    return ascii(text[:_SHOWN])[1:-1] or "no reason given"


def _outcome(body: Any) -> SyncOutcome:  # noqa: ANN401 -- what came
    try:
        targets = [
            TargetOutcome(**{**one, "changes": tuple(one["changes"]), "notes": tuple(one["notes"])})
            for one in body.pop("targets")
        ]
        return SyncOutcome(**body, targets=targets)
    except (TypeError, AttributeError, KeyError):
        raise _not_understood() from None


def _not_understood() -> UnreachableError:
    return UnreachableError(
        "the agent's answer is not understood", remedy="use the same version as the agent's"
    )
