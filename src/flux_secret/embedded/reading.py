"""Objects of a kind → one, a page of them, or what happens to them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from flux_secret.embedded.schema.kinds import Kind
from flux_secret.embedded.selectors import Selector, by_fields, by_labels
from flux_secret.embedded.status import bad_request, gone, not_found
from flux_secret.embedded.store import Change, Key, Resource, Store, TooOldError
from flux_secret.embedded.tree import Tree, copied

HEARTBEAT_SECONDS: Final = 1.0
"""How often a watch looks whether its time is over, and sends a bookmark when it was asked to."""
INITIAL_END: Final = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for."""

    namespace: str
    selects: Selector
    limit: int = 0
    after: Key | None = None
    """Where the last page ended."""
    remembered: int = 0
    """The revision of the first page."""
    version: str = ""

    @classmethod
    def read(cls, kind: Kind, namespace: str, query: Mapping[str, str]) -> Query:
        """Read a list's parameters; raise `StatusError` 400, 410."""
        labels = by_labels(query.get("labelSelector", ""))
        fields = by_fields(query.get("fieldSelector", ""), kind.kind)
        token = query.get("continue", "")
        revision, after = _read_token(token) if token else (0, None)
        return cls(
            namespace=namespace,
            selects=lambda tree: labels(tree) and fields(tree),
            limit=_number(query, "limit"),
            after=after,
            remembered=revision,
            version=query.get("resourceVersion", ""),
        )


def _number(query: Mapping[str, str], name: str) -> int:
    value = query.get(name, "") or "0"
    if not value.isdecimal():
        raise bad_request(f"invalid {name}: {value!r}")
    return int(value)


def _read_token(token: str) -> tuple[int, Key]:
    try:
        revision, namespace, name = json.loads(base64.urlsafe_b64decode(token + "=="))
        return int(revision), (str(namespace), str(name))
    except ValueError as error:
        raise bad_request("continue key is not valid") from error


def _token(revision: int, key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([revision, *key]).encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads objects of one kind in one version."""

    store: Store
    kind: Kind

    @property
    def _resource(self) -> Resource:
        return self.kind.group, self.kind.plural

    def shown(self, tree: Tree) -> Tree:
        """Give a copy of a stored object in this version."""
        return {**copied(tree), "apiVersion": self.kind.api_version}

    def get(self, key: Key) -> Tree:
        """Give one; raise `StatusError` 404."""
        found = self.store.find(self._resource, key)
        if found is None:
            raise not_found(self.kind, key[1])
        return self.shown(found)

    def list(self, query: Query) -> Tree:
        """Give a page of them."""
        every = [
            (key, tree)
            for key, tree in self.store.all(self._resource, query.namespace)
            if query.selects(tree) and (query.after is None or key > query.after)
        ]
        page = every[: query.limit] if query.limit else every
        revision = query.remembered or self.store.revision
        metadata: Tree = {"resourceVersion": str(revision)}
        if len(page) < len(every):
            metadata["continue"] = _token(revision, page[-1][0])
            metadata["remainingItemCount"] = len(every) - len(page)
        return {
            "kind": self.kind.listed,
            "apiVersion": self.kind.api_version,
            "metadata": metadata,
            "items": [self.shown(tree) for _, tree in page],
        }

    async def watch(
        self, query: Query, *, bookmarks: bool, initial: bool
    ) -> AsyncIterator[tuple[str, Tree] | None]:
        """Give (type, object) for ever, None when nothing came; raise `StatusError` 410."""
        version = query.version
        if version and not version.isdecimal():
            raise bad_request(f"invalid resource version {version!r}")
        revision = int(version or "0")
        if revision == 0 or initial:
            revision = self.store.revision
            for _, tree in list(self.store.all(self._resource, query.namespace)):
                if query.selects(tree):
                    yield "ADDED", self.shown(tree)
            if initial:
                yield "BOOKMARK", self._bookmark(initial=True)
        async for event in self._since(revision, query, bookmarks=bookmarks):
            yield event

    async def _since(
        self, revision: int, query: Query, *, bookmarks: bool
    ) -> AsyncIterator[tuple[str, Tree] | None]:
        try:
            async for change in self.store.watch(revision, HEARTBEAT_SECONDS):
                if change is None:
                    yield ("BOOKMARK", self._bookmark()) if bookmarks else None
                    continue
                events = list(self._events(change, query))
                for event in events:
                    yield event
                if change.resource != self._resource:
                    yield None  # so that a watch of a quiet kind also notices when it is over
        except TooOldError as error:
            raise gone(f"too old resource version: {revision} ({self.store.revision})") from error

    def _events(self, change: Change, query: Query) -> Iterator[tuple[str, Tree]]:
        """Translate: what starts or stops to be selected is added or deleted."""
        if change.resource != self._resource or query.namespace not in ("", change.key[0]):
            return
        was = change.before is not None and query.selects(change.before)
        is_now = change.type != "DELETED" and query.selects(change.tree)
        if was and is_now:
            yield "MODIFIED", self.shown(change.tree)
        elif is_now:
            yield "ADDED", self.shown(change.tree)
        elif was:
            last = change.tree if change.type == "DELETED" else copied(change.before)
            last["metadata"]["resourceVersion"] = str(change.revision)
            yield "DELETED", self.shown(last)

    def _bookmark(self, *, initial: bool = False) -> Tree:
        annotations = {"annotations": {INITIAL_END: "true"}} if initial else {}
        return {
            "kind": self.kind.kind,
            "apiVersion": self.kind.api_version,
            "metadata": {"resourceVersion": str(self.store.revision), **annotations},
        }
