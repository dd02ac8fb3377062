"""`/hook/…`: whoever shows a signature has us look for commits now; nobody else is told anything.

1. A body that is too large is not read; 2. nor is one without anything like a signature; 3. nor is
one that comes too soon after others. 4. The body comes within its time, 5. its signature is right,
6. it is understood, 7. it is about a push, 8. to a repository of ours. Then there is a hint, and
hints that come together are one. So a call that is replayed is harmless.

Whoever fails at 2 or 5 gets one and the same answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiohttp import web

from flux_secret.api.interface import Polls
from flux_secret.api.rates import Bucket, Coalesced
from flux_secret.api.webhook.calls import Call, Event, call_of, payload
from flux_secret.api.webhook.hosts import HOSTS, Host
from flux_secret.api.webhook.secrets import Secrets
from flux_secret.api.webhook.signature import is_signed, shown
from flux_secret.model.repository import is_same_repository, repository_name

MAX_BODY: Final = 1024 * 1024  # bytes
BODY_SECONDS: Final = 10.0  # within which a body is there; GitHub waits no longer than that
CALLS: Final = (20.0, 60)  # a second, and at once: of calls whose body is read
REFUSALS: Final = (1.0, 20)  # of calls that are told, and logged, that they are not signed
HINT_SECONDS: Final = 1.0  # between two hints
_log = structlog.get_logger(component="webhook")
Told = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """What strangers may cost us."""

    body_bytes: int = MAX_BODY
    body_seconds: float = BODY_SECONDS
    calls: Bucket = field(default_factory=lambda: Bucket(*CALLS))
    refusals: Bucket = field(default_factory=lambda: Bucket(*REFUSALS))
    hint_seconds: float = HINT_SECONDS


class Receiver:
    """Answers git hosts."""

    def __init__(
        self, polls: Polls, secrets: Secrets, told: Told, limits: Limits | None = None
    ) -> None:
        """`told` is given the host and the outcome of each call, for the metrics."""
        self._polls = polls
        self._secrets = secrets
        self._told = told
        self._limits = limits or Limits()
        self._hints = Coalesced(polls.hint, self._limits.hint_seconds)

    def close(self) -> None:
        """Pass no hint on any more."""
        self._hints.close()

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Take a call."""
        host = HOSTS.get(request.path)
        if host is None:
            return self._unsigned("none", request)
        if request.method != "POST":
            return self._said(host, "method", 405, "call with POST", {"Allow": "POST"})
        if (request.content_length or 0) > self._limits.body_bytes:  # 1
            return self._too_large(host)
        proof = shown(host, request.headers)
        if not proof:  # 2
            return self._unsigned(host.name, request)
        wait = self._limits.calls.take()  # 3
        return self._too_often(host.name, wait) if wait else await self._read(host, request, proof)

    async def _read(self, host: Host, request: web.BaseRequest, proof: str) -> web.Response:
        try:
            async with asyncio.timeout(self._limits.body_seconds):  # 4
                body = await self._body(request)
        except TimeoutError:
            return self._said(host, "slow", 408, "the body did not come within its time")
        if body is None:
            return self._too_large(host)
        try:
            signed, untrusted_json = payload(host, request.headers.get("Content-Type", ""), body)
        except ValueError:
            signed = untrusted_json = body
        if not is_signed(host, proof, signed, self._secrets.valid()):  # 5
            return self._unsigned(host.name, request)
        return self._taken(host, request, untrusted_json)

    async def _body(self, request: web.BaseRequest) -> bytes | None:
        """Read it; None when there is more of it than may be, whatever was announced."""
        if request.headers.get("Expect", "").lower() == "100-continue":  # RFC 9110 §10.1.1
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        chunks, size = [], 0
        async for chunk in request.content.iter_any():
            size += len(chunk)
            if size > self._limits.body_bytes:
                return None
            chunks.append(chunk)
        return b"".join(chunks)

    def _taken(self, host: Host, request: web.BaseRequest, untrusted_json: bytes) -> web.Response:
        try:
            call = call_of(host, request.headers, untrusted_json)
        except (ValueError, RecursionError):  # 6
            return self._said(host, "unreadable", 400, "the body is not what this host sends")
        if call.event is Event.PING:
            return self._said(host, "ping", 200, "pong")
        if call.event is Event.OTHER:  # 7
            return self._said(host, "ignored", 202, "ignored: no commit was pushed")
        known = _known(call, self._polls.repositories)
        if call.names and not known:  # 8
            return self._said(host, "unknown", 202, "ignored: no repository of ours")
        self._hints.hint(known)
        _log.info("hint", host=host.name, repositories=" ".join(known) or "all")
        return self._said(host, "hint", 202, "looking for commits now")

    def _unsigned(self, name: str, request: web.BaseRequest) -> web.Response:
        if wait := self._limits.refusals.take():
            return self._too_often(name, wait)
        self._told(name, "unsigned")
        _log.warning("refused", host=name, peer=request.remote, reason="no valid signature")
        return _text(401, "not signed with a secret that is valid here")

    def _too_often(self, name: str, wait: float) -> web.Response:
        self._told(name, "limited")
        seconds = str(max(1, round(wait + 0.5)))
        return _text(429, "too many calls", {"Retry-After": seconds})

    def _too_large(self, host: Host) -> web.Response:
        most = self._limits.body_bytes
        return self._said(host, "large", 413, f"a body has at most {most} bytes")

    def _said(
        self,
        host: Host,
        outcome: str,
        status: int,
        text: str,
        headers: dict[str, str] | None = None,
    ) -> web.Response:
        self._told(host.name, outcome)
        return _text(status, text, headers)


def _known(call: Call, repositories: Collection[str]) -> list[str]:
    """Give those of ours that a call may be about."""
    named = {ours: repository_name(ours) for ours in repositories}
    return [
        ours
        for ours, name in named.items()
        if any(is_same_repository(name, said) for said in call.names)
    ]


def _text(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers=headers)
