"""Requests to our API server with every right → JSON trees."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

REQUEST_SECONDS: Final = 10.0


class RefusedError(OSError):
    """The API server answered, but not with success."""


@dataclass(frozen=True, slots=True)
class Administrator:
    """Who asks; the standard library's client, so that a tool needs nothing installed."""

    port: int
    token: str
    certificate: Path
    """The API server's, which is its own authority."""

    def get(self, path: str) -> Any:  # noqa: ANN401 -- whatever JSON the API server gives
        """Read."""
        return json.loads(self._ask("GET", path, None))

    def post(self, path: str, tree: Mapping[str, object]) -> Any:  # noqa: ANN401 -- the same
        """Create."""
        return json.loads(self._ask("POST", path, json.dumps(tree)))

    def is_ready(self) -> bool:
        """Tell whether the API server has finished starting."""
        return self._ask("GET", "/readyz", None) == b"ok"

    def _ask(self, method: str, path: str, body: str | None) -> bytes:
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=REQUEST_SECONDS, context=context
        )
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            raise RefusedError(f"{method} {path}: {answer.status} {content.decode()[:500]}")
        return content
