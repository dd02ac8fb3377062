"""A store's tree → who answers for what in it."""

from __future__ import annotations

from flux_secret.errors import ConfigurationError
from flux_secret.model.owners import MAX_FILE, NOBODY, OWNERS_FILE, Owners, parse_owners
from flux_secret.store.interface import Commit


def owners_of(commit: Commit) -> Owners:
    """Read a commit's owners file, nobody for none; raise `ConfigurationError`."""
    entry = commit.entry(OWNERS_FILE)
    if entry is None:
        return NOBODY
    if not entry.is_file or commit.size(entry.blob) > MAX_FILE:
        raise ConfigurationError(
            f"{OWNERS_FILE} is no file of at most {MAX_FILE} bytes", remedy="put the file there"
        )
    return parse_owners(commit.read(entry.blob))
