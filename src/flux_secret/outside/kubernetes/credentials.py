"""Who we are to the API server: a token, a file of one, a program that prints one.

A token is asked for before every request and kept only as long as its source says; after a 401 it
is asked for again, once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from flux_secret.errors import AccessError, UnreachableError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside import process
from flux_secret.outside.kubernetes.body import parse, text

MAX_TOKEN: Final = 64 * 1024  # bytes
TOKEN_FILE_SECONDS: Final = 60.0  # client-go re-reads token files as often
EXEC_SECONDS: Final = 60.0  # a login program may ask a person's browser
EXEC_VERSIONS: Final = frozenset(
    {"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"}
)


class Credentials(Protocol):
    """Gives the value of the Authorization header."""

    async def authorization(self) -> Plaintext | None:
        """Give `Bearer …`; None for no header. Raises `AccessError`."""

    def refused(self) -> None:
        """Forget what was remembered: the API server said 401."""


class Anonymous:
    """No header: a client certificate is the identity, or there is none."""

    async def authorization(self) -> Plaintext | None:
        """Give none."""
        return None

    def refused(self) -> None:
        """Do nothing: nothing is remembered."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header that never changes: a token, or a user name with a password."""

    value: Plaintext

    @classmethod
    def bearer(cls, token: str) -> Header:
        """Make the header of a token."""
        return cls(Plaintext(b"Bearer " + token.strip().encode()))

    async def authorization(self) -> Plaintext | None:
        """Give it."""
        return self.value

    def refused(self) -> None:
        """Do nothing: it cannot be renewed."""


class TokenFile:
    """A file that somebody renews, as the kubelet does with a pod's token."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header: Plaintext | None = None
        self._read_at = 0.0

    async def authorization(self) -> Plaintext | None:
        """Read the file again when the last reading is a minute old."""
        now = time.monotonic()
        if self._header is None or now - self._read_at > TOKEN_FILE_SECONDS:
            self._header = Header.bearer(self._read()).value
            self._read_at = now
        return self._header

    def refused(self) -> None:
        """Read it again before the next request."""
        self._header = None

    def _read(self) -> str:
        try:
            with self._path.open("rb") as file:
                token = file.read(MAX_TOKEN).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            token = ""
        if not token:
            raise AccessError(
                f"the token file {self._path} cannot be read or is empty",
                remedy="check tokenFile in the kubeconfig",
            )
        return token


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """What a kubeconfig's `exec` says."""

    argv: tuple[str, ...]
    api_version: str
    env: Mapping[str, str]
    """The whole environment of the program."""
    directory: Path
    """Where the kubeconfig lies: a relative command with a slash counts from there."""
    hint: str = ""


class ExecToken:
    """Runs a credential plugin, and again when what it printed expires."""

    def __init__(self, plugin: ExecPlugin) -> None:
        self._plugin = plugin
        self._header: Plaintext | None = None
        self._expires = float("inf")  # seconds since the epoch

    async def authorization(self) -> Plaintext | None:
        """Give the token that the program printed."""
        if self._header is None or time.time() > self._expires - 10:
            self._header, self._expires = await self._ask()
        return self._header

    def refused(self) -> None:
        """Run the program again before the next request."""
        self._header = None

    async def _ask(self) -> tuple[Plaintext, float]:
        plugin = self._plugin
        done = await process.run(
            plugin.argv,
            env=plugin.env,
            cwd=plugin.directory,
            limits=process.Limits(timeout_seconds=EXEC_SECONDS, max_stdout_bytes=4 * MAX_TOKEN),
        )
        if done.returncode != 0:
            raise AccessError(
                f"the kubeconfig's program {plugin.argv[0]!r} ended with {done.returncode}",
                remedy=plugin.hint or "run it by hand and see what it says",
            )
        try:
            status = parse(done.untrusted_stdout)
        except UnreachableError:
            status = {}
        token, until = (
            text(status, "status", "token"),
            text(status, "status", "expirationTimestamp"),
        )
        if text(status, "apiVersion") != plugin.api_version or not token:
            raise AccessError(
                f"the kubeconfig's program {plugin.argv[0]!r} printed no token of "
                f"{plugin.api_version}",
                remedy="flux-secret reads ExecCredential with status.token",
            )
        return Header.bearer(token).value, _epoch(until)


def _epoch(timestamp: str) -> float:
    """Read RFC 3339; what cannot be read does not expire."""
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return float("inf")
