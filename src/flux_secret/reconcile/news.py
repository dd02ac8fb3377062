"""How an App stood, and stands after a round → what people are told of it: Kubernetes Events.

A pass in which nothing happened gives none. Names, counts and reasons only, never a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import FluxSecretError, HeldError
from flux_secret.model.change import Action, Change
from flux_secret.model.restart import ROLLOUT
from flux_secret.model.status import AppStatus, Reason
from flux_secret.reconcile.round import Round

MAX_MESSAGE: Final = 1024
"""Characters: events.k8s.io/v1 allows as many in `note`."""
MAX_NAMES: Final = 10
HELD: Final = "Held"
PRUNED: Final = "Pruned"
RESUMED: Final = "Resumed"
RESTARTING: Final = "Restarting"
RESTARTED: Final = "Restarted"
RESTART_OVER: Final = "RestartOver"
_WRITTEN: Final = (Action.CREATED, Action.CONFIGURED, Action.ADOPTED)


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened to an App."""

    reason: str
    """One word; where the App's `Ready` condition has one for it, that."""
    message: str
    revision: str = ""
    is_warning: bool = False


def news(before: AppStatus, after: AppStatus, done: Round | None) -> Sequence[News]:
    """Say what happened; `done` is the round that says so, if there was one."""
    found = [*_suspended(before, after)]
    if done is not None:
        found += _done(before, after, done)
    found += _held(before, after)
    found += _rollouts(before, after)
    if after.ready is False and _is_other(before, after):
        found.append(_failed(after, done))
    return found


def _suspended(before: AppStatus, after: AppStatus) -> Iterator[News]:
    """Say that somebody suspended or resumed it; not that it was so when the agent started."""
    if after.suspended and not before.suspended and before.ready is not None:
        says = "suspended: it is left as it is until it is resumed"
        yield News(Reason.SUSPENDED.value, says, after.applied)
    elif before.suspended and not after.suspended:
        yield News(RESUMED, "resumed: it is delivered again", after.applied)


def _held(before: AppStatus, after: AppStatus) -> Iterator[News]:
    """Say which changes of stores wait for owners, or no longer do."""
    new = [one for one in after.held if one not in before.held]
    if new:
        yield _news(Reason.APPROVAL_MISSING.value, "\n".join(new), after.applied, is_warning=True)
    elif before.held and not after.held:
        says = "no change of a store waits for its owners any more"
        yield _news(Reason.APPROVED.value, says, after.applied)


def _rollouts(before: AppStatus, after: AppStatus) -> Iterator[News]:
    """Say which workloads wait for, or have, a changed Secret."""
    old, new = ({one.workload: one for one in each.rollouts} for each in (before, after))
    for key in sorted(new.keys() - old.keys(), key=str):
        waits = f", which waits for {new[key].waiting_for}" if new[key].waiting_for else ""
        says = f"{key} is to run with what changed in {', '.join(new[key].secrets)}{waits}"
        yield _news(RESTARTING, says, after.applied)
    for key in sorted(old.keys() - new.keys(), key=str):
        secrets = ", ".join(old[key].secrets)
        if old[key].waiting_for == ROLLOUT:
            says = f"{key} runs with what changed in {secrets}"
            yield _news(RESTARTED, says, after.applied)
        else:  # it is gone, or somebody wants no restart, or has made one
            says = f"no restart of {key} is due any more for what changed in {secrets}"
            yield _news(RESTART_OVER, says, after.applied)


def _done(before: AppStatus, after: AppStatus, done: Round) -> Iterator[News]:
    changes = [change for one in done.deliveries for change in one.changes] + list(done.swept)
    written = [change for change in changes if change.action in _WRITTEN]
    removed = [change for change in changes if change.action is Action.DELETED]
    recovered = "recovered; " if before.ready is False and after.ready else ""
    if after.ready and (written or recovered):
        says = f"{recovered}delivered {after.applied}: {_counted(written)}"
        yield _news(Reason.SUCCEEDED.value, says, after.applied)
    elif written:
        says = f"in part: {_counted(written)}"
        yield _news(Reason.PROGRESSING.value, says, after.attempted)
    if removed:
        yield _news(PRUNED, f"no longer wanted: {_counted(removed)}", after.attempted)


def _failed(after: AppStatus, done: Round | None) -> News:
    errors = list(_errors(done)) if done is not None else []
    is_held = bool(errors) and all(isinstance(error, HeldError) for error in errors)
    more = "\nthe refused attempt is recorded" * (after.reason is Reason.ACCESS_DENIED)
    reason = HELD if is_held else after.reason.value
    return _news(reason, after.message, after.attempted, more=more, is_warning=True)


def _is_other(before: AppStatus, after: AppStatus) -> bool:
    """Whether it fails since now, or otherwise than before."""
    return before.ready is not False or (before.reason, before.message) != (
        after.reason, after.message,
    )  # fmt: skip


def _errors(done: Round) -> Iterator[FluxSecretError]:
    for one in done.deliveries:
        if one.error is not None:
            yield one.error
        yield from (change.error for change in one.changes.failed if change.error)
    if done.sweep_error is not None:
        yield done.sweep_error
    yield from (change.error for change in done.swept.failed if change.error)


def _counted(changes: Sequence[Change]) -> str:
    """Write `1 created, 2 configured: secret/demo-secret, deployment/demo`."""
    if not changes:
        return "nothing had changed"
    counts = Counter(change.action.value for change in changes)
    says = ", ".join(f"{count} {word}" for word, count in counts.items())
    names = [str(change.key) for change in changes[:MAX_NAMES]]
    more = f" and {len(changes) - MAX_NAMES} more" * (len(changes) > MAX_NAMES)
    return f"{says}: {', '.join(names)}{more}"


def _news(
    reason: str, says: str, revision: str, *, more: str = "", is_warning: bool = False
) -> News:
    most = MAX_MESSAGE - len(more)
    shown = says if len(says) <= most else f"{says[: most - 1]}…"
    return News(reason, shown + more, revision, is_warning)
