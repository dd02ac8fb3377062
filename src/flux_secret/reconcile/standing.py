"""A round of an App → how the App stands now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from flux_secret.errors import FluxSecretError
from flux_secret.model.app import App
from flux_secret.model.change import Change
from flux_secret.model.status import AppStatus, Reason, is_stalled, reason_of
from flux_secret.reconcile.round import Round

SHA1_DIGITS: Final = 40


def begun(app: App, before: AppStatus) -> AppStatus:
    """Say that a round is running; what was known stays known."""
    return replace(before, reconciling=True, suspended=app.suspended)


def suspended(before: AppStatus, now: bool) -> AppStatus:  # noqa: FBT001 -- what it is about
    """Say that nobody delivers it now, since somebody wants it so; or that it goes on."""
    return replace(before, suspended=now, reconciling=False, next_try=None)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What time it is, and what comes next."""

    now: datetime
    next_try: datetime
    failures: int
    """How many tries failed one after another."""


def ended(app: App, done: Round, before: AppStatus, outlook: Outlook) -> AppStatus:
    """Say how a round ended."""
    errors = errors_of(done)
    ready, now = not errors, outlook.now
    if ready and before.ready and all(one.repeated for one in done.deliveries):
        return replace(  # nothing was applied: what was said of the last delivery still holds
            before, held=_held(done), reconciling=False, suspended=app.suspended, delivered_at=now,
            next_try=outlook.next_try,
        )  # fmt: skip
    whole = _whole(done)
    revision = ", ".join(dict.fromkeys(str(one.revision) for one in done.deliveries
                                       if one.revision is not None))  # fmt: skip
    return AppStatus(
        name=app.name,
        ready=ready,
        reason=_reason(done),
        message="\n".join(errors) if errors else _delivered(done, revision),
        since=before.since if before.ready is ready and before.since else now,
        reconciling=False,
        stalled=any(one.error is not None and is_stalled(one.error) for one in done.deliveries),
        suspended=app.suspended,
        applied=whole if ready else before.applied,
        attempted=whole or before.attempted,
        delivered_at=now if ready else before.delivered_at,
        next_try=outlook.next_try,
        failures=outlook.failures,
        objects=sum(len(one.changes) for one in done.deliveries) or before.objects,
        notes=[note for one in done.deliveries for note in (*one.notes, *map(str, one.remarks))],
        held=_held(done),
        rollouts=before.rollouts,
    )


def refused(before: AppStatus, reason: Reason, error: FluxSecretError, now: datetime) -> AppStatus:
    """Say that an App is not delivered, and why; what it delivered before stays."""
    since = before.since if before.ready is False and before.since else now
    return replace(
        before, ready=False, reason=reason, message=said(error), since=since, reconciling=False,
        stalled=not error.retryable, next_try=None,
    )  # fmt: skip


def errors_of(done: Round) -> Sequence[str]:
    """Say what went wrong in a round, in sentences with their remedies; no value is among them."""
    errors = []
    for one in done.deliveries:
        if one.error is not None:
            errors.append(f"{one.target.name}: {said(one.error)}")
        errors += [f"{one.target.name}: {failed(change)}" for change in one.changes.failed]
    if done.sweep_error is not None:
        errors.append(f"removing what is no longer wanted: {said(done.sweep_error)}")
    return errors + list(map(failed, done.swept.failed))


def failed(change: Change) -> str:
    """Say why an object failed, and what to do."""
    remedy = change.error.remedy if change.error else ""
    return f"{change.failure} ({remedy})" if remedy else change.failure


def said(error: FluxSecretError) -> str:
    """Say what went wrong, and what to do."""
    return f"{error.what} ({error.remedy})" if error.remedy else error.what


def _held(done: Round) -> Sequence[str]:
    return tuple(dict.fromkeys(str(held) for one in done.deliveries for held in one.held))


def _reason(done: Round) -> Reason:
    failures = [one.error for one in done.deliveries if one.error is not None]
    failures += [change.error for one in done.deliveries for change in one.changes.failed
                 if change.error is not None]  # fmt: skip
    if failures:
        return reason_of(failures[0])
    if done.sweep_error is not None or done.swept.failed:
        return Reason.PRUNE_FAILED
    return Reason.SUCCEEDED


def _whole(done: Round) -> str:
    """Give what was delivered as Flux v2 writes it, and the stores: `main@sha1:COMMIT, apps@…`."""
    said: list[str] = []
    for one in done.deliveries:
        if one.revision is None:
            continue
        commit, stores = one.revision.commit, one.revision.stores
        kind = "sha1" if len(commit) == SHA1_DIGITS else "sha256"
        said.append(f"{one.target.source.branch}@{kind}:{commit}")
        said += [f"{name}@{stores[name].commit}" for name in sorted(stores)]
    return ", ".join(dict.fromkeys(said))


def _delivered(done: Round, revision: str) -> str:
    objects = sum(len(one.changes) for one in done.deliveries)
    return f"delivered {revision or 'nothing'}: {objects} object{'s' if objects != 1 else ''}"
