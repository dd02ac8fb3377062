"""Inventories + targets → each namespace's Secrets, with what their targets let be restarted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from flux_secret.apply.allowed import is_allowed
from flux_secret.apply.inventory import Entry, Inventory, TargetId
from flux_secret.apply.restart.values import Values
from flux_secret.model.names import ObjectKey
from flux_secret.model.restart import Restarted, RestartPolicy
from flux_secret.model.target import Target

KINDS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
"""Of the group `apps`. A Job runs to its end, and the next one reads the new value."""


@dataclass(slots=True)
class Space:
    """One namespace."""

    secrets: dict[str, Values] = field(default_factory=dict)
    """Those whose targets restart workloads."""
    policies: dict[str, RestartPolicy] = field(default_factory=dict)
    """By Secret."""
    inventories: dict[str, Inventory] = field(default_factory=dict)
    """By Secret: who delivers it."""
    accounts: dict[str, str] = field(default_factory=dict)
    """By Secret: in whose name; empty for the agent's."""
    targets: dict[str, str] = field(default_factory=dict)
    """By Secret: the name of the target that delivers it."""
    others: set[str] = field(default_factory=set)
    """Secrets of which nothing can be said now: of targets that are not ours, of two targets while
    one hands it over, or with values that are not listed yet."""
    handing: set[TargetId] = field(default_factory=set)
    """Targets that list the same Secret: one of their lists is older."""

    def account(self, secrets: Iterable[str]) -> str:
        """Give in whose name is acted for some Secrets: one account's rights are enough."""
        return min((self.accounts[name] for name in secrets if name in self.accounts), default="")

    def reaches(self, secret: str, workload: ObjectKey) -> bool:
        """Whether a change of a Secret restarts a workload."""
        policy, inventory = self.policies.get(secret), self.inventories.get(secret)
        if policy is None or inventory is None:
            return False
        return policy.workloads is Restarted.ALL or workload in inventory.entries


class Lists:
    """The inventories as they were last read, found by namespace."""

    def __init__(self, inventories: Iterable[Inventory] = ()) -> None:
        self._all: dict[TargetId, Inventory] = {}
        self._places: dict[str, set[TargetId]] = defaultdict(set)
        for one in inventories:
            self.put(one)

    def put(self, new: Inventory) -> frozenset[str]:
        """Take a newer one; give the namespaces in which it has or had Secrets."""
        old = self._all.get(new.target)
        before = frozenset(one.key.namespace for one in _secrets(old)) if old else frozenset()
        after = frozenset(one.key.namespace for one in _secrets(new))
        for namespace in before - after:
            self._places[namespace].discard(new.target)
        for namespace in after:
            self._places[namespace].add(new.target)
        self._all[new.target] = new
        return before | after

    def namespaces(self, targets: Collection[TargetId]) -> frozenset[str]:
        """Give the namespaces in which these targets have Secrets."""
        found = (self._all[target] for target in targets if target in self._all)
        return frozenset(entry.key.namespace for one in found for entry in _secrets(one))

    def space(self, namespace: str, ours: Callable[[TargetId], Target | None]) -> Space:
        """Give what is in one; `ours` gives a target if it is this agent's now."""
        space, met = Space(), dict[str, TargetId]()
        for name in sorted(self._places.get(namespace, ())):
            for entry in _secrets(self._all[name]):
                if entry.key.namespace == namespace:
                    _add(space, self._all[name], ours(name), entry)
                    if entry.key.name in met:
                        space.handing |= {met[entry.key.name], name}
                        space.others.add(entry.key.name)
                        space.secrets.pop(entry.key.name, None)
                    met[entry.key.name] = name
        return space


def _secrets(inventory: Inventory) -> Iterable[Entry]:
    for key, entry in inventory.entries.items():
        if (key.group, key.kind) == ("", "Secret"):
            yield entry


def _add(space: Space, inventory: Inventory, target: Target | None, entry: Entry) -> None:
    name = entry.key.name
    if target is None:
        space.others.add(name)
    elif target.restart and is_allowed(entry.key, target.allowed_namespaces):
        space.policies[name], space.inventories[name] = target.restart, inventory
        space.accounts[name], space.targets[name] = target.service_account, target.name
        if entry.values is None:
            space.others.add(name)
        else:
            space.secrets[name] = entry.values


def is_restartable(key: ObjectKey) -> bool:
    """Whether it is of a kind that rolls out what its pod template says."""
    return key.group == "apps" and key.kind in KINDS
