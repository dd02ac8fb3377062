"""Deliveries → the last outcome of every object, and how many went how."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from flux_secret.model.change import Change
from flux_secret.model.delivery import Delivery
from flux_secret.model.names import ObjectKey
from flux_secret.model.workload import is_workload
from flux_secret.reconcile.standing import failed, said


class Outcomes:
    """What is known of all targets; a target is counted when it is delivered, and not at each."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.failed = 0
        """Objects that failed the last time."""
        self.applied = 0
        """Objects that are as they should be."""
        self._changes: dict[str, tuple[Change, ...]] = {}
        self._failures: dict[str, str] = {}
        """Why a target was not delivered the last time, by its name."""

    def note(self, delivery: Delivery) -> None:
        """Take in how a target's delivery ended; what failed as a whole changed no object."""
        name = delivery.target.name
        self._failures.pop(name, None)
        if delivery.error is not None:
            self._failures[name] = f"{name}: {said(delivery.error)}"
        elif changes := tuple(delivery.changes):
            self._put(name, changes)

    def forget(self, targets: Collection[str]) -> None:
        """Know nothing of these targets any more."""
        for name in targets:
            self._failures.pop(name, None)
            self._put(name, ())

    def errors(self) -> Iterator[tuple[ObjectKey, str]]:
        """Give what went wrong with each workload, by itself or with its whole target."""
        for target, changes in self._changes.items():
            whole = self._failures.get(target, "")
            for change in changes:
                if is_workload(change.key) and (whole or change.failure):
                    yield change.key, whole or failed(change)

    def _put(self, name: str, changes: tuple[Change, ...]) -> None:
        for each, sign in ((self._changes.pop(name, ()), -1), (changes, 1)):
            bad = sum(change.error is not None for change in each)
            self.failed += sign * bad
            self.applied += sign * (len(each) - bad)
        if changes:
            self._changes[name] = changes
