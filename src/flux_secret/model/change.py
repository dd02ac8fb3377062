"""What happened, or would happen, to each object."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field

from flux_secret.errors import FluxSecretError
from flux_secret.model.names import ObjectKey


class Action(enum.Enum):
    """The outcome for one object, in kubectl's words (fluxcd/pkg ssa has the same set)."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    SKIPPED = "skipped"
    FAILED = "failed"
    ADOPTED = "adopted"
    """Taken over from Flux v1; no field of it changed."""
    RELEASED = "released"
    """Given back to Flux v1."""


@dataclass(frozen=True, slots=True)
class Change:
    """One object's outcome; `error` is set exactly when the action is FAILED."""

    key: ObjectKey
    action: Action
    note: str = ""
    """Why, in a few words, for people: `repaired: spec.replicas was changed by kubectl-edit`."""
    error: FluxSecretError | None = None
    origin: str = ""
    """Where its manifest stands, for people: file or command, document, line."""
    lasting: bool = False
    """Whether it was skipped for as long as somebody in the cluster wants it so."""
    again_seconds: float = 0.0
    """After how many seconds it is decided; 0: it is decided."""

    @property
    def failure(self) -> str:
        """Say in one sentence which object failed, where it is written, and why."""
        if self.error is None:
            return ""
        name = self.key.long
        about = f"{name} ({self.origin})" if self.origin else name
        what = self.error.what
        if what.startswith((f"{name} ", f"{name}:")):  # it is the sentence's own subject
            return about + what.removeprefix(name)
        return f"{about}: {what}"

    def __str__(self) -> str:
        """One line in kubectl's words: `secret/demo-secret created`."""
        line = f"{self.key} {self.action.value}"
        return f"{line} ({self.note})" if self.note else line


@dataclass(slots=True)
class ChangeSet:
    """The outcomes of one delivery, in the order in which they happened; filled in place."""

    changes: list[Change] = field(default_factory=list)

    def add(self, change: Change) -> None:
        """Note one more outcome."""
        self.changes.append(change)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    @property
    def failed(self) -> tuple[Change, ...]:
        """The objects that could not be applied."""
        return tuple(change for change in self.changes if change.action is Action.FAILED)
