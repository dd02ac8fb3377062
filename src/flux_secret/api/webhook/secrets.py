"""A file → the secrets that calls may be signed with, read again whenever it has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import structlog

from flux_secret.errors import ConfigurationError
from flux_secret.model.plaintext import Plaintext

MIN_SECRET: Final = 16  # bytes
MAX_SECRETS: Final = 16  # lines
MAX_FILE: Final = 64 * 1024  # bytes
_MAKE: Final = "make one: openssl rand -hex 32"
_log = structlog.get_logger(component="webhook")
_Seen = tuple[int, int, int, int]


class Secrets:
    """The secrets, one a line; two are valid together while one replaces the other."""

    def __init__(self, file: Path) -> None:
        """Read them; raise `ConfigurationError`."""
        self._file = file
        self._seen = _seen(file)
        self._valid = read_secrets(file)

    def valid(self) -> tuple[Plaintext, ...]:
        """Give those that are valid now.

        None are while the file cannot be used: whoever empties it means that nothing is to be
        accepted any more.
        """
        seen = _seen(self._file)
        if seen != self._seen:
            self._seen = seen
            try:
                self._valid = read_secrets(self._file)
                _log.info("secrets.changed", file=str(self._file), secrets=len(self._valid))
            except ConfigurationError as failure:
                self._valid = ()
                _log.error("secrets.unusable", err=failure.what, remedy=failure.remedy)
        return self._valid


def read_secrets(file: Path) -> tuple[Plaintext, ...]:
    """Read them; raise `ConfigurationError`. Blank lines, and blanks around a line, do not count.

    A secret must be long: who has seen one call can try as many as they like without asking us.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigurationError(
            f"the webhook secrets in {file} cannot be read: {error.strerror}", remedy=_MAKE
        ) from None
    lines = [line.strip() for line in data.splitlines() if line.strip()]
    if not lines:
        raise ConfigurationError(f"there is no webhook secret in {file}", remedy=_MAKE)
    if len(data) > MAX_FILE or len(lines) > MAX_SECRETS:
        raise ConfigurationError(
            f"{file} has more than {MAX_SECRETS} webhook secrets, or than {MAX_FILE} bytes",
            remedy="write one a line, and leave out those that no host uses any more",
        )
    for number, line in enumerate(lines, 1):
        if len(line) < MIN_SECRET:
            raise ConfigurationError(
                f"webhook secret {number} in {file} has fewer than {MIN_SECRET} bytes",
                remedy=_MAKE,
            )
    return tuple(map(Plaintext, lines))


def _seen(file: Path) -> _Seen | None:
    """Give what tells one state of a file from the next; a mounted Secret is another file."""
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
