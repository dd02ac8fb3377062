"""Text → a git URL of an allowed transport, and the form of it that may be printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from flux_secret.errors import UsageError

_SCP: Final = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_.-]+)@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>[^:].*)"
)
_SCHEMES: Final = frozenset({"file", "ssh", "https", "http"})
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class GitUrl:
    """A repository's address: file, ssh, scp-style or https (design decision 11).

    `raw` may hold credentials and is for git alone; `str()` never shows them.
    """

    raw: str
    scheme: str

    @classmethod
    def parse(cls, text: str) -> GitUrl:
        """Read an address; raise `UsageError` for other transports, options and control characters.

        `http` is allowed only on loopback hosts, for tests and local servers.
        """
        if not text or text.startswith("-") or _CONTROL.search(text) or "::" in text.split("/")[0]:
            raise _unusable(text)
        if text.startswith("/"):
            return cls(text, "file")
        if "://" not in text:
            match = _SCP.fullmatch(text)
            if match is None or match["host"].startswith("-") or match["path"].startswith("-"):
                raise _unusable(text)
            return cls(text, "ssh")
        try:
            parts = urlsplit(text)
            host, user = parts.hostname or "", parts.username or ""
            _ = parts.port
        except ValueError as error:
            raise _unusable(text) from error
        loopback = host in {"localhost", "127.0.0.1", "::1"}
        if (
            parts.scheme not in _SCHEMES
            or (parts.scheme != "file" and not host)
            or (parts.scheme == "http" and not loopback)
            or host.startswith("-")
            or user.startswith("-")
        ):
            raise _unusable(text)
        return cls(text, parts.scheme)

    def __str__(self) -> str:
        """The address without its password and, for http, without its user (often a token)."""
        return _masked(self.raw)

    def __repr__(self) -> str:
        return f"GitUrl({self})"


def _masked(text: str) -> str:
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
        host = parts.netloc.rpartition("@")[2]
        user = parts.username if parts.scheme == "ssh" else None
    except ValueError:
        return f"{text.partition('://')[0]}://…"
    netloc = f"{user}@{host}" if user else host
    return urlunsplit((parts.scheme, netloc, parts.path, "", ""))


def _unusable(text: str) -> UsageError:
    return UsageError(
        f"{_masked(text)[:200]!r} is not a git address flux-secret uses",
        remedy="use a path, file://, ssh://, git@HOST:ORG/REPO or https://",
    )
