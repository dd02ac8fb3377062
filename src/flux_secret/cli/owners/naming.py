"""What a person calls a store: its mount's name, or `.` for the root store."""

from __future__ import annotations

from flux_secret.errors import UsageError
from flux_secret.store.working.mounts import Mounts
from flux_secret.store.working.store import WorkingStore

ROOT = "."


def named(mounts: Mounts, text: str) -> tuple[WorkingStore, str]:
    """Give a store, and the path in it that is named; "" for all of it."""
    return mounts.at("" if text == ROOT else text)


def named_store(mounts: Mounts, text: str) -> WorkingStore:
    """Give a store; raise `UsageError` for a place inside one."""
    store, folder = named(mounts, text)
    if folder:
        known = ", ".join(sorted(one or ROOT for one in mounts.stores))
        raise UsageError(f"{text} is no store", remedy=f"name one of {known}")
    return store
