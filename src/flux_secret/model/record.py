"""The record's words: what happened, as one line says it; never a value.

Whoever does something that the record is to know gives `Note`s to a `Recorder` *before* it happens
(design §2: no unrecorded read). The audit room makes records of them: numbered, dated, chained.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Detail = str | int | bool | Sequence[str] | None
"""What a line's fields hold; None and what is empty is left out of the line."""


class Kind(enum.StrEnum):
    """What happened."""

    READ = "read"
    """Somebody is given an entry: entry, blob, revision, reader, reason."""
    REFUSED = "refused"
    """Somebody asked for an entry and is not given it."""
    INTENT = "intent"
    """Something begins that has an outcome; after a crash the outcome is missing, and said so."""
    OUTCOME = "outcome"
    """How what an intent named ended."""
    DELIVERED = "delivered"
    """An object was created or configured: its resourceVersion is known."""
    FAILED = "failed"
    """An object could not be applied."""
    PRUNED = "pruned"
    ADOPTED = "adopted"
    RESTARTED = "restarted"
    """A workload was restarted for a Secret that changed."""
    KEY = "key"
    """A private key was loaded or used."""
    RECIPIENTS = "recipients"
    """Who can read changed."""
    OWNERS = "owners"
    """Who answers changed."""
    APPROVAL = "approval"
    """An owner approved a change, or an agent counted it."""
    HELD = "held"
    """A change is not delivered: whose signature is missing."""
    REWIND = "rewind"
    """A store's history was taken back: refused, or accepted by its owners."""
    STORE = "store"
    """A person's command on a store."""
    SETTINGS = "settings"
    """What an agent is told to do changed."""
    STARTED = "started"
    STOPPED = "stopped"

    # what the record says of itself
    SEGMENT = "segment"
    """A file of a chain begins."""
    SIGNATURE = "signature"
    """What is before it is signed."""
    ANCHOR = "anchor"
    """How far another writer's chain was, as this writer saw it."""
    CHECKPOINT = "checkpoint"
    """The oldest files were removed, to stay within a bound."""
    TORN = "torn"
    """A line that was not whole was found at the start, and cut off."""
    RESUMED = "resumed"
    """Nothing could be recorded for a time, so nothing happened; now it can."""


@dataclass(frozen=True, slots=True)
class Note:
    """One interaction, before it is a link of a chain."""

    kind: Kind
    about: str
    """What it is about, for people and filters: an entry's name, an object's, a store's."""
    details: Mapping[str, Detail] = field(default_factory=dict)
    """The rest, in fixed words: `app`, `blob`, `commit`, `store`, `reason`, `delivery`,
    `resourceVersion`, `uid`, `person`, `command`, `error` …"""


class Recorder(Protocol):
    """Keeps the record."""

    async def write(self, notes: Sequence[Note]) -> None:
        """Return once all of them are durable, in this order.

        Raises `RecordError` when they cannot be: then what they say must not happen.
        """


class Unrecorded:
    """Keeps nothing: nobody has named a place for the record."""

    async def write(self, notes: Sequence[Note]) -> None:
        """Forget them."""
