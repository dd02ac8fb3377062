"""What an agent has on the record of itself: its keys, its settings, its start and its end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import structlog

import flux_secret
from flux_secret.audit.pushing import nobody
from flux_secret.errors import RecordError
from flux_secret.model.finding import Finding, Level
from flux_secret.model.record import Kind, Note, Recorder
from flux_secret.outside.git import GitAccess
from flux_secret.outside.gpg import Gpg
from flux_secret.reconcile.vitals import Vitals
from flux_secret.reconcile.watched import Watched
from flux_secret.settings import Settings
from flux_secret.settings.effective import said
from flux_secret.settings.person import PersonSettings
from flux_secret.settings.record import RecordSettings
from flux_secret.wiring.keys import Keys
from flux_secret.wiring.record import recorder as kept

_AGENT = "agent"
_log = structlog.get_logger()


async def record_of(  # noqa: PLR0913 -- what a record is made of, and who hears of it
    settings: Settings,
    keys: Keys,
    git: GitAccess,
    resources: contextlib.AsyncExitStack,
    recorder: Recorder | None = None,
    *,
    vitals: Vitals | None = None,
) -> Watched | None:
    """Open the record that the settings name, unless there is one; which keys are held is on it.

    `git` is how a repository is reached that it is pushed to. None where no record is kept; what
    becomes of one `vitals` learn. Raises `RecordError` when it cannot begin.
    """
    if recorder is None and settings.record is not None:
        pushed = vitals.pushed if vitals is not None else nobody
        opening = kept(settings.record, keys.gpg, access=git, pushed=pushed)
        recorder = await resources.enter_async_context(opening)
    if recorder is None:
        return None
    watched = Watched(recorder)
    if vitals is not None:
        watched.told = vitals.recorded
    if loaded := list(_loaded(keys)):
        await watched.announce(loaded)
    return watched


@asynccontextmanager
async def persons(settings: RecordSettings) -> AsyncIterator[Recorder]:
    """Open a person's own record; raise `RecordError`.

    Their gpg is asked only where they named a key that signs it.
    """
    async with contextlib.AsyncExitStack() as resources:
        gpg = None
        if settings.signing_key:
            person = PersonSettings.load()
            gpg = Gpg(path=person.tool_path, home=person.gnupg_home, terminal=person.pinentry_env)
            resources.push_async_callback(gpg.close)
        yield await resources.enter_async_context(kept(settings, gpg))


def _loaded(keys: Keys) -> Iterator[Note]:
    """Name the private keys that are in memory; a GnuPG home keeps its own."""
    reason = "it was loaded"
    if ids := keys.decryptor.key_ids:
        yield Note(Kind.KEY, ids[0], {"keys": ids, "reason": reason})
    for identity in keys.age.key_ids:
        yield Note(Kind.KEY, identity, {"reason": reason})


def findings(settings: Settings) -> Iterator[Finding]:
    """Say where the record would be, and whether it can be; nothing is written.

    That there is no place for one is among the risks of settings.
    """
    if settings.record is None:
        return
    place = settings.record.folder
    there = next((one for one in (place, *place.parents) if one.exists()), place)
    pushed = f", and pushed to {settings.record.git_url}" if settings.record.git_url else ""
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        yield Finding(Level.OK, "record", f"it is kept in {place}{pushed}")
        return
    failure = RecordError(
        f"nothing can be recorded in {place}: {there} cannot be written to",
        remedy="let this user write there, or name another place: --record-dir",
    )
    yield Finding.of("record", failure)


async def begin(record: Watched | None, settings: Settings, before: Settings | None) -> None:
    """Record what the agent is told to do; `before` is what it was told, None when it starts."""
    if record is None:
        if before is None:
            _log.warning(
                "record.none",
                reason="what is read and delivered is in this log, and nowhere else: nobody can "
                "prove it later",
                remedy="name a place for the record: --record-dir DIRECTORY",
            )
        return
    started = Note(Kind.STARTED, _AGENT, {"version": flux_secret.__version__})
    first = [started] if before is None else []
    await record.announce([*first, said(settings, before)])


async def end(record: Watched | None) -> None:
    """Record that the agent stops."""
    if record is not None:
        await record.announce([Note(Kind.STOPPED, _AGENT)])
