"""What is known of the agent → whether it is well; the table is on the page `docs/operate.md`.

`live` asks for a restart, so it fails only where one helps: when nothing moves. A restart mends no
store, no git host and no API server, and it would take the last good state of everything
else along. `ready` tells the truth about all of that.

A replica that does not lead is ready: it delivers its own share, and all that is said here is said
of that. If it were not, a rollout would wait for ever for a new replica while an old one leads.

Nothing but fixed words and numbers is said, since whoever reaches the port may read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flux_secret.model.health import Check


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known; every time is in seconds of one monotonic clock."""

    due_at: float
    """By when repositories have been asked again; that is the loop's pulse."""
    started: bool = False
    """Whether a first round of each App has ended, however it did."""
    overdue_since: float | None = None
    """Since when rounds have been due, while none has begun or ended; None when none is due."""
    leading: bool | None = None
    """Whether this replica leads the others; None where there is no election."""
    stopping: bool = False
    api_gone_since: float | None = None
    """Since when the API server has not answered at all; None when it did the last time."""
    unreadable_since: float | None = None
    """Since when none of the stores could be read; None when one could, or there are none."""
    records: bool = False
    """Whether a record is kept."""
    unrecorded_since: float | None = None
    """Since when the record could not be written; None when it could the last time."""
    unpushed_since: float | None = None
    """Since when the record's branch has been behind; None when it has everything, or is none."""
    failing_since: float | None = None
    """Since when no round has delivered anything; None when the last one did."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long what is wrong may last before it counts; seconds."""

    stalled_seconds: float = 120.0
    """Beyond the time at which repositories should have been asked."""
    rounds_seconds: float = 3600.0
    """A generator has a limit of its own, which people set; four of them may take all places."""
    api_seconds: float = 60.0
    stores_seconds: float = 60.0
    syncs_seconds: float = 900.0
    """`--unhealthy-after`."""


def live(facts: Facts, now: float, limits: Limits) -> Sequence[Check]:
    """Answer `/healthz`."""
    return (Check("ping"), *_moving(facts, now, limits))


def ready(facts: Facts, now: float, limits: Limits) -> Sequence[Check]:
    """Answer `/readyz`."""
    leader = Check("leader", note="this one" if facts.leading else "another one")
    return (
        Check("ping"),
        Check("shutdown", "the agent is stopping" if facts.stopping else ""),
        *_moving(facts, now, limits),
        _lasting(
            "cluster", facts.api_gone_since, now, limits.api_seconds,
            "the API server has not answered for {}",
        ),
        Check("started", "" if facts.started else "the first rounds have not ended"),
        _lasting(
            "stores", facts.unreadable_since, now, limits.stores_seconds,
            "no store could be read for {}",
        ),
        _lasting(
            "syncs", facts.failing_since, now, limits.syncs_seconds,
            "nothing could be delivered for {}: see the agent's log",
        ),
        *((_record(facts, now),) if facts.records else ()),
        *((leader,) if facts.leading is not None else ()),
    )  # fmt: skip


def _record(facts: Facts, now: float) -> Check:
    """Fail at once: what cannot be recorded does not happen."""
    return _lasting(
        "record", facts.unrecorded_since, now, 0.0,
        "it could not be written for {}: nothing that has to be on it happens",
    )  # fmt: skip


def _moving(facts: Facts, now: float, limits: Limits) -> Sequence[Check]:
    """Say whether anything moves; while it stops, nothing has to."""
    if facts.stopping:
        return (Check("loop"), Check("rounds"))
    late = now - facts.due_at
    return (
        Check("loop", f"it is {late:.0f} s late" if late > limits.stalled_seconds else ""),
        _lasting(
            "rounds", facts.overdue_since, now, limits.rounds_seconds,
            "rounds are due, and none has begun or ended for {}",
        ),
    )  # fmt: skip


def _lasting(name: str, since: float | None, now: float, seconds: float, words: str) -> Check:
    """Fail when something has lasted for too long."""
    if since is None or (now - since <= seconds and seconds > 0):
        return Check(name)
    return Check(name, words.format(f"{now - since:.0f} s"))
