"""A record + what the lists say now + workloads → what is due. Pure: it decides only.

1. A Secret that is new to the record restarts nothing: at first contact nobody knows what ran.
2. A value that is another one than the record's makes every workload that uses it due.
3. Due is what its pods were started with, so a value that comes back before the restart needs none.
4. A pod template that changed after a change was noted was rolled out with the new value.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from flux_secret.apply.restart.record import Due, Record
from flux_secret.apply.restart.references import Reference
from flux_secret.apply.restart.values import Values, is_changed
from flux_secret.model.names import ObjectKey


@dataclass(frozen=True, slots=True)
class Seen:
    """A workload, as it is in the cluster."""

    key: ObjectKey
    uid: str
    template: str
    """Digest of its pod template."""
    mark: str
    """What its pod template carries of ours."""
    uses: frozenset[Reference]
    never: bool = False
    """Whether an annotation says that it is not to be restarted."""


class Verdict(enum.Enum):
    """What becomes of a workload that is due."""

    RESTART = "restart"
    GONE = "it is gone"
    NEVER = "an annotation says never"
    BACK = "its pods have these values"
    ROLLED = "it was rolled out meanwhile"


def changed(record: Record, now: Mapping[str, Values]) -> Mapping[str, Values]:
    """Give the Secrets whose values are others now, with what they were."""
    known = record.secrets
    return {name: known[name] for name in known.keys() & now.keys() if known[name] != now[name]}


def noted(
    record: Record,
    now: Mapping[str, Values],
    seen: Iterable[Seen],
    when: dt.datetime,
    reaches: Callable[[str, ObjectKey], bool],
) -> Record:
    """Give the record that knows `now`; `reaches` says whether a Secret restarts a workload."""
    before, due = changed(record, now), dict(record.due)
    for one in seen:
        ran = {
            use.secret: before[use.secret]
            for use in one.uses
            if use.secret in before
            and is_changed(use, before[use.secret], now[use.secret])
            and reaches(use.secret, one.key)
        }
        if ran and not one.never:
            waits = due.get(one.key)
            if waits and not waits.mark and (waits.uid, waits.template) == (one.uid, one.template):
                due[one.key] = replace(waits, ran={**ran, **waits.ran})
            else:
                due[one.key] = Due(one.key, one.uid, one.template, when, ran)
    return replace(record, secrets={**record.secrets, **now}, due=due)


def without(record: Record, secrets: Collection[str]) -> Record:
    """Forget Secrets that are nobody's any more."""
    kept = {name: values for name, values in record.secrets.items() if name not in secrets}
    return replace(record, secrets=kept) if len(kept) != len(record.secrets) else record


def verdict(due: Due, live: Seen | None, now: Mapping[str, Values]) -> Verdict:
    """Decide about a workload whose turn it is."""
    if live is None or live.uid != due.uid:
        return Verdict.GONE
    if live.never:
        return Verdict.NEVER
    if live.template != due.template:
        return Verdict.ROLLED
    if not any(
        is_changed(use, due.ran[use.secret], now[use.secret])
        for use in live.uses
        if use.secret in due.ran and use.secret in now
    ):
        return Verdict.BACK
    return Verdict.RESTART
