"""Flags and files → stores: the name that scripts call each by, and its address."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.model.giturl import MAX_GIT_URL, GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.ownerkey import OwnerKey
from flux_secret.model.store import Anchor
from flux_secret.settings.address import expanded

_MAX_KEYS: Final = 64 * 1024  # bytes
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


def anchors_of(commits: Sequence[str], files: Sequence[str]) -> Mapping[StoreName, Anchor]:
    """Read `--store-anchor NAME=COMMIT` and `--store-owner-keys NAME=FILE`; raise `UsageError`."""
    found: dict[StoreName, Anchor] = {}
    for text in commits:
        name, _, commit = text.partition("=")
        if not _COMMIT.match(commit):
            raise UsageError(
                f"--store-anchor {text[:120]!a} names no commit by its whole id",
                remedy="write --store-anchor NAME=COMMIT, with 40 or 64 hex digits",
            )
        found[StoreName.parse(name)] = Anchor(commit)
    for text in files:
        name, _, file = text.partition("=")
        store = StoreName.parse(name)
        found[store] = replace(found.get(store, Anchor()), keys=_keys(Path(file)))
    return found


def _keys(file: Path) -> tuple[OwnerKey, ...]:
    """Read one key a line, as an owners file writes them; what follows a # is for people."""
    try:
        with file.open("rb") as opened:
            text = opened.read(_MAX_KEYS + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error.strerror}",
            remedy="name a file of keys: --store-owner-keys NAME=FILE",
        ) from None
    lines = [line.partition("#")[0].strip() for line in text.decode(errors="replace").splitlines()]
    keys = tuple(OwnerKey.parse(line) for line in lines if line)
    if not keys or len(text) > _MAX_KEYS:
        raise ConfigurationError(
            f"{file} has no keys" if not keys else f"{file} is larger than {_MAX_KEYS} bytes",
            remedy="write one key a line: openpgp:FINGERPRINT, or ssh-ed25519 AAAA…",
        )
    return keys


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
