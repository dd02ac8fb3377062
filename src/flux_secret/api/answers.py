"""Answers in Flux v1's JSON (pkg/http/transport.go, pkg/errors of fluxd 1.25)."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from flux_secret.errors import FluxSecretError

_TYPES: Final = {404: "missing", 500: "server", 503: "server"}


def refused(request: web.Request, status: int, help_text: str) -> web.Response:
    """Say no, and why: JSON where the client reads it, else text."""
    if "application/json" in request.headers.get("Accept", ""):
        body = {"type": _TYPES.get(status, "user"), "help": help_text, "error": help_text}
        return web.json_response(body, status=status)
    return web.Response(text=help_text, status=status)


def failed(request: web.Request, failure: FluxSecretError) -> web.Response:
    """Say what went wrong and what to do."""
    return refused(request, 503, f"{failure.what} ({failure.remedy})")


def given(value: Any) -> web.Response:  # noqa: ANN401 -- any JSON
    """Answer with JSON."""
    return web.json_response(value)
