"""What a person is shown of an App: the same from its object in the cluster and from an agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from flux_secret.model.app import AppName
from flux_secret.model.status import AppStatus, Reason

_FORM: Final = "%Y-%m-%dT%H:%M:%SZ"
_EXIT_CODES: Final[Mapping[str, int]] = {
    Reason.SUCCEEDED.value: 0,
    Reason.INVALID.value: 3,
    Reason.BUILD_FAILED.value: 3,
    Reason.ARTIFACT_FAILED.value: 3,
    Reason.ACCESS_DENIED.value: 4,
    Reason.SECRET_MISSING.value: 4,
    Reason.SECRET_FAILED.value: 4,
    Reason.VERIFICATION_FAILED.value: 6,
    Reason.RECORD_FAILED.value: 5,
}
_OTHER_FAILURE: Final = 7


@dataclass(frozen=True, slots=True)
class AppReport:
    """How one App stands; nothing of it is a value of a secret."""

    name: AppName
    ready: bool | None = None
    """None: nothing is known yet."""
    reason: str = Reason.PROGRESSING.value
    """One word, as the `Ready` condition has it."""
    message: str = "no agent has looked at it yet"
    """In sentences, with the remedy."""
    since: datetime | None = None
    """Since when it is ready, or not."""
    next: str = ""
    """What is being done, or will be tried when."""
    suspended: bool = False
    stalled: bool = False
    applied: str = ""
    attempted: str = ""
    failures: int = 0
    objects: int = 0
    handled: str = ""
    """What was asked for with an annotation, and done."""

    @property
    def exit_code(self) -> int:
        """The code of the design's §6 that its reason stands for."""
        return 0 if self.ready else _EXIT_CODES.get(self.reason, _OTHER_FAILURE)

    def to_json(self) -> Mapping[str, bool | int | str | None]:
        """Give it as the API and `status -o json` do."""
        return {
            "namespace": self.name.namespace,
            "name": self.name.name,
            "ready": self.ready,
            "reason": self.reason,
            "message": self.message,
            "since": stamp(self.since),
            "next": self.next,
            "suspended": self.suspended,
            "stalled": self.stalled,
            "lastAppliedRevision": self.applied,
            "lastAttemptedRevision": self.attempted,
            "failures": self.failures,
            "objects": self.objects,
        }


def report(status: AppStatus) -> AppReport:
    """Give what an agent knows."""
    return AppReport(
        name=status.name,
        ready=status.ready,
        reason=status.reason.value,
        message=status.message,
        since=status.since,
        next=outlook(status),
        suspended=status.suspended,
        stalled=status.stalled,
        applied=status.applied,
        attempted=status.attempted,
        failures=status.failures,
        objects=status.objects,
    )


def parsed(tree: Mapping[str, object]) -> AppReport:
    """Read what `to_json` wrote; what is missing or of another type counts as not said."""
    said = {key: value for key, value in tree.items() if isinstance(value, str)}
    ready = tree.get("ready")
    return AppReport(
        name=AppName(said.get("namespace", ""), said.get("name", "")),
        ready=ready if isinstance(ready, bool) else None,
        reason=said.get("reason", ""),
        message=said.get("message", ""),
        since=unstamped(said.get("since", "")),
        next=said.get("next", ""),
        suspended=tree.get("suspended") is True,
        stalled=tree.get("stalled") is True,
        applied=said.get("lastAppliedRevision", ""),
        attempted=said.get("lastAttemptedRevision", ""),
        failures=_number(tree.get("failures")),
        objects=_number(tree.get("objects")),
    )


def _number(found: object) -> int:
    return found if isinstance(found, int) else 0


def outlook(status: AppStatus) -> str:
    """Say what is being done, or will be tried when; empty where nothing is wrong."""
    if status.suspended:
        return ""
    if status.reconciling:
        return "it is being delivered"
    if not status.failures:
        return ""
    times = "once" if status.failures == 1 else f"{status.failures} times"
    at = f" at {stamp(status.next_try)}" if status.next_try else ""
    return f"failed {times}, and is tried again{at}"


def stamp(when: datetime | None) -> str:
    """Write a time as Kubernetes does; empty for none."""
    return when.astimezone(UTC).strftime(_FORM) if when else ""


def unstamped(text: str) -> datetime | None:
    """Read it; None for what is no time."""
    try:
        return datetime.strptime(text, _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None
