"""Text → a git address of an allowed transport; its credentials are kept apart from it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote

from flux_secret.errors import UsageError
from flux_secret.model.plaintext import Plaintext

MAX_GIT_URL: Final = 2048  # characters
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST: Final = r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*)"
_SSH_USER: Final = r"(?P<user>[A-Za-z0-9_][A-Za-z0-9_.+=~-]*)"
_SCP: Final = re.compile(rf"(?:{_SSH_USER}@)?{_HOST}:(?P<path>[^:\s-]\S*)")
_URL: Final = re.compile(r"(?P<scheme>[A-Za-z]+)://(?P<authority>[^/?#]*)(?P<path>/\S*)?")
_AUTHORITY: Final = re.compile(rf"(?:(?P<login>.*)@)?{_HOST}(?::(?P<port>[0-9]{{1,5}}))?")


@dataclass(frozen=True, slots=True)
class GitUrl:
    """A repository's address: file, ssh, scp-style or https (design decision 11).

    `address` is for git's command line and for people: it holds no password, and for https no user
    either (it is often a token).
    """

    address: str
    scheme: str
    host: str = ""
    port: int | None = None
    login: Plaintext | None = field(default=None, hash=False)
    """`user:password` or `user` of an https address, each percent-encoded."""

    @classmethod
    def parse(cls, text: str) -> GitUrl:
        """Read an address; raise `UsageError` for other transports, options and control characters.

        `http` is allowed only on loopback hosts, for tests and local servers.
        """
        # unprintable: control characters, and those that change the direction of text
        if not 0 < len(text) <= MAX_GIT_URL or not text.isprintable() or text.startswith("-"):
            raise _unusable(text)
        if text.startswith("/"):
            return cls(text, "file")
        if "://" in text:
            return _from_url(text)
        match = _SCP.fullmatch(text)
        # host:secret@… is somebody's user and password without https://
        if match is None or "@" in match["path"].partition("/")[0]:
            raise _unusable(text)
        return cls(text, "ssh", match["host"])

    @property
    def path(self) -> str:
        """The folder of a `file` address; git decodes a URL, but not a plain path."""
        if self.scheme != "file" or self.address.startswith("/"):
            return self.address if self.scheme == "file" else ""
        return unquote(self.address.removeprefix("file://"))

    def __str__(self) -> str:
        return self.address


def _from_url(text: str) -> GitUrl:
    match = _URL.fullmatch(text)
    if match is None:
        raise _unusable(text)
    scheme, path = match["scheme"].lower(), match["path"] or ""
    if "\ufffd" in unquote(path) or not unquote(path).isprintable():
        raise _unusable(text)
    if scheme == "file" and path and not match["authority"]:
        return GitUrl(f"file://{path}", scheme)
    at = None if "\\" in match["authority"] else _AUTHORITY.fullmatch(match["authority"])
    if at is None or int(at["port"] or 0) > 65535:  # noqa: PLR2004 -- the highest port there is
        raise _unusable(text)
    port = int(at["port"]) if at["port"] else None
    host = at["host"] + (f":{port}" if port is not None else "")
    if scheme == "ssh":
        if at["login"] is not None and not re.fullmatch(_SSH_USER, at["login"]):
            raise _unusable(text, "an ssh address may hold a user, but no password")
        user = f"{at['login']}@" if at["login"] else ""
        return GitUrl(f"ssh://{user}{host}{path}", scheme, at["host"], port)
    if scheme == "https" or (scheme == "http" and at["host"] in _LOOPBACK):
        if "?" in path or "#" in path:
            raise _unusable(text, "a query or fragment is no part of a repository's address")
        return GitUrl(f"{scheme}://{host}{path}", scheme, at["host"], port, _login(at["login"]))
    raise _unusable(text)


def _login(text: str | None) -> Plaintext | None:
    """Encode user and password anew, since people type `@` and `/` in passwords as they are."""
    if not text:
        return None
    user, colon, password = text.partition(":")
    encoded = quote(unquote(user), safe="") + colon + quote(unquote(password), safe="")
    return Plaintext(encoded.encode())


def _masked(text: str) -> str:
    """Hide whatever might be a user, a password or a token."""
    scheme, separator, rest = text.rpartition("://")
    *hidden, shown = re.split("@", re.split(r"[?#]", rest, maxsplit=1)[0])
    prefix = scheme.partition("://")[0].rpartition("@")[2] + separator
    return f"{prefix}{'…@' if hidden else ''}{shown}"


def _unusable(text: str, reason: str = "") -> UsageError:
    return UsageError(
        f"{_masked(text)[:200]!a} is not a git address flux-secret uses"
        + (f": {reason}" if reason else ""),
        remedy="use an absolute path, file:///PATH, ssh://, git@HOST:ORG/REPO or https://",
    )
