"""A branch's part of a round → Flux v1's sync event (facts: flux-v1 §2.9), and what was left alone.

Flux v1 had an event only when there were new commits, so that a rotated secret was invisible. Here
there is one too when anything was written without a commit; its revision is then `<no revision>`,
as Flux v1 writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from flux_secret.model.change import Action, Change
from flux_secret.model.flux_v1 import resource_id
from flux_secret.model.sync import CommitLine, Sync

MAX_IDS: Final = 200  # that one event names; a first sync may write thousands
_SHORT: Final = 7  # digits of a commit
_WRITTEN: Final = frozenset({Action.CREATED, Action.CONFIGURED, Action.ADOPTED})
_log = structlog.get_logger(component="daemon")


@dataclass(frozen=True, slots=True)
class SyncEvent:
    """What one sync did."""

    ids: Sequence[str]
    """Flux v1's ids of what is new or other than before."""
    metadata: Mapping[str, Any]
    """Flux v1's SyncEventMetadata: `commits`, `includes`, `errors`, `initialSync`."""

    def __str__(self) -> str:
        """Say it as Flux v1's log does: `Sync: 1f0c3a9, dev-demo:secret/demo-secret`."""
        revisions = [commit["revision"][:_SHORT] for commit in self.metadata.get("commits", ())]
        says = "<no revision>"
        if revisions:
            oldest, newest = revisions[-1], revisions[0]
            says = newest if len(revisions) < 3 else f"{oldest}..{newest}"  # noqa: PLR2004 -- Flux's
        return f"Sync: {says}, {', '.join(self.ids) or 'no workloads changed'}"


def sync_event(sync: Sync, changes: Iterable[Change], *, in_full: bool) -> SyncEvent | None:
    """Make the event; None when there is nothing to say.

    New commits count once everything of them was delivered: `in_full`. Before that they are new
    again in the next round.
    """
    changes = list(changes)
    written = sorted({resource_id(one.key) for one in changes if one.action in _WRITTEN})
    commits = sync.commits if in_full or written else ()
    if not commits and not written:
        return None
    ids = written[:MAX_IDS]
    if len(written) > MAX_IDS:
        ids.append(f"{len(written) - MAX_IDS} more")
    metadata: dict[str, Any] = {}
    if commits:
        metadata["commits"] = [_commit(one) for one in commits]
        metadata["includes"] = {"other": True}  # Flux v1's own commits would be releases
    if sync.more:
        metadata["more"] = True
    if errors := [_error(one) for one in changes if one.error is not None]:
        metadata["errors"] = errors
    if commits and sync.initial:
        metadata["initialSync"] = True
    return SyncEvent(ids, metadata)


def tell(sync: Sync, changes: Sequence[Change], swept: Sequence[Change], *, in_full: bool) -> None:
    """Log what people should know of a branch, what was left alone in it, and its event."""
    facts = {"url": str(sync.source.url), "branch": sync.source.branch}
    for note in sync.notes:
        _log.warning(note, headline="warning", **facts)
    if sync.error is not None:
        _log.warning("sync.marker", **facts, err=sync.error.what, remedy=sync.error.remedy)
    _left_alone("not applying resource", changes)
    _left_alone("not removing resource", swept)
    event = sync_event(sync, [*changes, *swept], in_full=in_full)
    if event is not None:
        _log.info(
            str(event), headline="event", logupstream=False,
            type="sync", serviceIDs=list(event.ids), metadata=dict(event.metadata),
        )  # fmt: skip


def _left_alone(text: str, changes: Iterable[Change]) -> None:
    for one in changes:
        if one.action is Action.SKIPPED and one.note:
            _log.info(
                text, headline="info",
                resource=resource_id(one.key), source=one.origin, reason=one.note,
            )  # fmt: skip


def _commit(one: CommitLine) -> Mapping[str, str]:
    return {"revision": one.revision, "message": one.message}


def _error(one: Change) -> Mapping[str, str]:
    what = one.error.what if one.error else ""
    return {"ID": resource_id(one.key), "Path": one.origin, "Error": what}
