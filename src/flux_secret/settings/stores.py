"""Flags and files → stores: the name that scripts call each by, and its address."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.model.giturl import MAX_GIT_URL, GitUrl
from flux_secret.model.names import StoreName
from flux_secret.settings.address import expanded

_COMMIT: Final = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")


def stores_of(
    texts: Sequence[str], environ: Mapping[str, str]
) -> Iterator[tuple[StoreName, GitUrl]]:
    """Read `--store NAME=URL`; each store once."""
    seen = set()
    for text in texts:
        name, separator, url = text.partition("=")
        if not separator:
            raise UsageError(
                "--store names an address but no store",
                remedy="write --store NAME=URL, as in --store apps=git@host:org/secrets",
            )
        store = StoreName.parse(name)
        if store in seen:
            raise UsageError(f"--store {store} is given twice", remedy="name each store once")
        seen.add(store)
        yield store, GitUrl.parse(expanded(url, environ))


def rewinds_of(texts: Sequence[str]) -> Mapping[StoreName, str]:
    """Read `--accept-store-rewind NAME=COMMIT`; raise `UsageError`."""
    found: dict[StoreName, str] = {}
    for text in texts:
        name, _, commit = text.partition("=")
        if not _COMMIT.match(commit):
            raise UsageError(
                f"--accept-store-rewind {text[:120]!a} names no commit by its whole id",
                remedy="write --accept-store-rewind NAME=COMMIT, with 40 or 64 hex digits",
            )
        found[StoreName.parse(name)] = commit
    return found


def registered(folder: Path | None) -> list[str]:
    """Give `NAME=URL` for each file of `--stores-from`: named as the store, holding its address.

    The walkthrough's `initialize_gopass.sh URL STORE` writes them while the agent is running.
    """
    if folder is None or not folder.is_dir():
        return []
    files = [file for file in sorted(folder.iterdir()) if file.name[0] != "." and file.is_file()]
    return [f"{file.name}={_first_line(file)}" for file in files]


def _first_line(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.readline(MAX_GIT_URL + 1).strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            f"{file} cannot be read as a store's address",
            remedy="write it anew: initialize_gopass.sh URL STORE",
        ) from None
