"""Objects by kind, namespace and name; one revision counter; what happened, for watches."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from flux_secret.embedded.tree import Tree, copied, text

MOST_EVENTS: Final = 4096
"""How many changes are remembered for watches; older ones are answered with 410."""

Resource: TypeAlias = tuple[str, str]
"""(group, plural): versions of a kind are one resource."""
Key: TypeAlias = tuple[str, str]
"""(namespace, name); the namespace is `""` for what has none."""


class TooOldError(Exception):
    """A watch from a revision that is not remembered any more."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to an object."""

    type: str
    """`ADDED`, `MODIFIED`, `DELETED`."""
    resource: Resource
    key: Key
    revision: int
    tree: Tree
    before: Tree | None
    """The object before; None when there was none."""


@dataclass(slots=True)
class Store:
    """Everything the cluster holds."""

    revision: int = 1
    compacted: int = 0
    """The revision before which nothing is remembered."""
    _objects: dict[Resource, dict[Key, Tree]] = field(default_factory=dict)
    _changes: deque[Change] = field(default_factory=lambda: deque(maxlen=MOST_EVENTS))
    _watchers: set[asyncio.Queue[Change | None]] = field(default_factory=set)

    def find(self, resource: Resource, key: Key) -> Tree | None:
        """Give a copy of an object, or None."""
        found = self._objects.get(resource, {}).get(key)
        return None if found is None else copied(found)

    def all(self, resource: Resource, namespace: str = "") -> Iterator[tuple[Key, Tree]]:
        """Give all objects of a resource in the order of their names; do not change them."""
        for key, tree in sorted(self._objects.get(resource, {}).items()):
            if namespace in ("", key[0]):
                yield key, tree

    def resources(self) -> list[Resource]:
        """Give the resources that have had objects."""
        return sorted(self._objects)

    def put(self, resource: Resource, key: Key, tree: Tree) -> Tree:
        """Store; give a copy that has its new resourceVersion."""
        self.revision += 1
        tree = copied(tree)
        tree["metadata"]["resourceVersion"] = str(self.revision)
        objects = self._objects.setdefault(resource, {})
        before = objects.get(key)
        objects[key] = tree
        self._tell("MODIFIED" if before else "ADDED", resource, key, tree, before)
        stored: Tree = copied(tree)
        return stored

    def drop(self, resource: Resource, key: Key) -> Tree:
        """Remove; give the object as it was, with the revision of its end."""
        self.revision += 1
        before = self._objects[resource].pop(key)
        tree = copied(before)
        tree["metadata"]["resourceVersion"] = str(self.revision)
        self._tell("DELETED", resource, key, tree, before)
        gone: Tree = copied(tree)
        return gone

    def _tell(
        self, type_: str, resource: Resource, key: Key, tree: Tree, before: Tree | None
    ) -> None:
        change = Change(type_, resource, key, self.revision, tree, before)
        self._changes.append(change)
        for queue in self._watchers:
            queue.put_nowait(change)

    def since(self, revision: int) -> list[Change]:
        """Give the changes after a revision; raise `TooOldError`."""
        oldest = self._changes[0].revision if self._changes else self.revision + 1
        if revision < self.compacted or (
            revision < oldest - 1 and len(self._changes) == MOST_EVENTS
        ):
            raise TooOldError
        return [change for change in self._changes if change.revision > revision]

    async def watch(self, revision: int, heartbeat: float) -> AsyncIterator[Change | None]:
        """Give every change after a revision, for ever; None when nothing came for a while."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        backlog = self.since(revision)
        self._watchers.add(queue)
        try:
            for change in backlog:
                yield change
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), heartbeat)
                except TimeoutError:
                    yield None
        finally:
            self._watchers.discard(queue)


def key_of(tree: Tree) -> Key:
    """Give the key of an object."""
    return text(tree, "metadata", "namespace"), text(tree, "metadata", "name")
