"""What happened to one secret, from git and from the record, in one order; never a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened to it."""

    time: str
    """RFC 3339; of git in its author's zone, of the record in UTC."""
    source: str
    """`git` or `record`."""
    what: str
    """In a few words: `created`, `value changed`, `recipients changed`, `read`, `delivered`."""
    who: str
    """An author, an App, a person or a writer of the record."""
    says: str = ""
    """The rest, for people."""
    readers: Sequence[str] = ()
    """Who could read it then, as far as the message or its recipients file says; of git only."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """The rest, for programs."""

    @property
    def utc(self) -> str:
        """The time in UTC, as it is shown and sorted by."""
        try:
            moment = datetime.fromisoformat(self.time).astimezone(UTC)
        except ValueError:
            return self.time
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def to_json(self) -> Mapping[str, Any]:
        """Give it for programs."""
        return {
            "time": self.utc, "source": self.source, "what": self.what, "who": self.who,
            "says": self.says, "readers": list(self.readers), "details": dict(self.details),
        }  # fmt: skip


def in_order(*moments: Iterable[Moment]) -> list[Moment]:
    """Merge, the oldest first; of one time, in the order in which they are given."""
    return sorted((one for each in moments for one in each), key=lambda one: one.utc)
