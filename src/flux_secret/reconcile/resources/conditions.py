"""How an App or a Store stands → its `status`, as kstatus and `kubectl wait` read it.

`Ready` is always there. `Reconciling` and `Stalled` are there only while they are true
(kstatus: abnormal-true). What changes at every look, as when it was last looked, is not part of
it: a pass with nothing to do writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from flux_secret.errors import FluxSecretError
from flux_secret.model.report import outlook
from flux_secret.model.restart import SecretRollout
from flux_secret.model.status import AppStatus, Reason, reason_of
from flux_secret.outside.kubernetes import Json
from flux_secret.outside.kubernetes.body import items, mapping, number, text

APPROVAL: Final = "ApprovalMissing"
"""There while something is not delivered for want of owners' signatures; that alone is no fault."""
SUSPENDED: Final = "Suspended"
"""There while nobody delivers it: its object says so, or a person, beside it."""
MAX_ROLLOUTS: Final = 1000  # that a status may list
MAX_MESSAGE: Final = 4000  # characters; a Condition's message may have 32,768


Head: TypeAlias = "str | FluxSecretError | None"
"""A repository's newest commit, or why it cannot be asked; None: it was not asked yet."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Whose status it is, and what it said before."""

    generation: int
    before: Mapping[str, Json]
    handled: str = ""
    """What was asked for with an annotation, and done."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One of them."""

    type: str
    status: str
    reason: Reason
    message: str
    since: datetime | None = None
    """None: since when the status says so already, or now."""


_SUSPENDED: Final = Condition(
    SUSPENDED, "True", Reason.SUSPENDED, "it is left as it is until it is resumed"
)


def of_app(status: AppStatus, shown: Shown) -> Mapping[str, Json]:
    """Give an App's status.

    An agent that starts, or a replica that an App came to, knows nothing of it before its first
    round: what was said last of what the object says still holds until then.
    """
    before = shown.before if _still_holds(status, shown) else {}
    conditions = _conditions(_app_conditions(status), shown)
    if ready := _ready_in(before):
        conditions[0] = {**ready, "observedGeneration": shown.generation}
    tree: dict[str, Json] = {
        "observedGeneration": shown.generation,
        "conditions": conditions,
        "objects": number(before, "objects") if before else status.objects,
        "failures": number(before, "failures") if before else status.failures,
    }
    if applied := status.applied or text(shown.before, "lastAppliedRevision"):
        tree["lastAppliedRevision"] = applied
    if rollouts := [_rollout(one) for one in status.rollouts[:MAX_ROLLOUTS]] or [
        *items(before, "rollouts")
    ]:
        tree["rollouts"] = rollouts
    if attempted := status.attempted or text(shown.before, "lastAttemptedRevision"):
        tree["lastAttemptedRevision"] = attempted
    if shown.handled:
        tree["lastHandledReconcileAt"] = shown.handled
    return tree


def _still_holds(status: AppStatus, shown: Shown) -> bool:
    """Whether the last status tells more than is known here."""
    is_of_this = number(shown.before, "observedGeneration") == shown.generation
    return status.ready is None and (status.suspended or is_of_this)


def _ready_in(before: Mapping[str, Json]) -> Mapping[str, Json]:
    """Give the `Ready` that a status has, if that says something."""
    ready = next((one for one in items(before, "conditions") if text(one, "type") == "Ready"), {})
    return mapping(ready) if text(ready, "status") in {"True", "False"} else {}


def _rollout(one: SecretRollout) -> Json:
    pods = {"podsOld": one.pods_old, "podsNew": one.pods_new}
    return {
        "kind": one.workload.kind,
        "namespace": one.workload.namespace,
        "name": one.workload.name,
        "secrets": list(one.secrets),
        "since": _stamp(one.since),
        "waitingFor": one.waiting_for,
        **{name: count for name, count in pods.items() if count is not None},
    }


def of_store(head: Head, shown: Shown) -> Mapping[str, Json]:
    """Give a Store's status: its newest commit, or why it cannot be asked."""
    tree: dict[str, Json] = {"observedGeneration": shown.generation}
    if isinstance(head, FluxSecretError):
        reason = reason_of(head)
        ready = Condition("Ready", "False", reason, told(head))
    elif head is None:
        ready = Condition("Ready", "Unknown", Reason.PROGRESSING, "not asked yet")
    else:
        ready = Condition("Ready", "True", Reason.SUCCEEDED, f"its newest commit is {head[:12]}")
        tree["revision"] = head.partition("+")[0]
    tree["conditions"] = _conditions([ready], shown)
    return tree


def told(error: FluxSecretError) -> str:
    """Say what is wrong, and what to do."""
    return f"{error.what} ({error.remedy})" if error.remedy else error.what


def _app_conditions(status: AppStatus) -> list[Condition]:
    words = {None: "Unknown", True: "True", False: "False"}
    ready = Condition("Ready", words[status.ready], status.reason, status.message, status.since)
    found = [ready]
    if status.suspended:
        return [*found, _SUSPENDED]
    if status.reconciling:
        found.append(Condition("Reconciling", "True", Reason.PROGRESSING, "it is being delivered"))
    elif status.stalled:
        found.append(Condition("Stalled", "True", status.reason, status.message))
    elif status.failures:
        found.append(Condition("Reconciling", "True", Reason.RETRYING, outlook(status)))
    if status.held:
        missing = "\n".join(status.held)
        found.append(Condition(APPROVAL, "True", Reason.APPROVAL_MISSING, missing))
    return found


def _conditions(wanted: list[Condition], shown: Shown) -> list[Json]:
    before = {text(one, "type"): one for one in items(shown.before, "conditions")}
    made: list[Json] = []
    for one in wanted:
        old = before.get(one.type, {})
        same = text(old, "status") == one.status and text(old, "lastTransitionTime")
        since = same or _stamp(one.since or datetime.now(UTC))
        made.append(
            {
                "type": one.type,
                "status": one.status,
                "reason": one.reason.value,
                "message": one.message[:MAX_MESSAGE],
                "lastTransitionTime": since,
                "observedGeneration": shown.generation,
            }
        )
    return made


def _stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
