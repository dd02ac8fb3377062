"""How Apps and Stores stand → their status in the cluster, written when it says something new.

A round that ends soon is not announced: `Reconciling` is shown once it has taken a while, so that a
look that finds nothing to do writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flux_secret.model.status import AppStatus
from flux_secret.outside.kubernetes import Client, Json, NotFoundError, ServedKind
from flux_secret.outside.kubernetes.body import encoded, mapping, text
from flux_secret.reconcile.chores import Chores
from flux_secret.reconcile.resources import conditions, kinds
from flux_secret.reconcile.resources.conditions import Shown
from flux_secret.reconcile.resources.kinds import Tree

QUIET_SECONDS: Final = 3.0  # that a round may take before it is shown
LONGEST_SECONDS: Final = 300.0  # that a status waits which somebody keeps overwriting


class Teller:
    """Writes statuses; each object has one writer at a time."""

    def __init__(self, client: Client, chores: Chores) -> None:
        self._client = client
        self._chores = chores
        self._writing: set[str] = set()
        """Whose status is being written now: what it says then, nobody knows yet."""
        self._handled: dict[str, str] = {}
        """What was done last of what annotations asked for; it is not unsaid by another status
        that was made while this one was being written."""
        self._mended: dict[str, float] = {}
        """How long a status waits that somebody keeps overwriting, in seconds."""
        self._said: dict[str, Mapping[str, Json]] = {}
        """What each status says, as it was written last, until the object is heard of again."""

    def app(self, kind: ServedKind, tree: Tree, status: AppStatus, *, handled: str = "") -> None:
        """Say how one stands; `handled` is what was asked for with an annotation, and done."""
        if handled:
            self._handled[_key_of(kind, tree)] = handled
        wanted = conditions.of_app(status, self._shown(kind, tree))
        self._mended.pop(_key_of(kind, tree), None)
        self._say(kind, tree, wanted, QUIET_SECONDS if status.reconciling else 0.0)

    def hear(self, kind: ServedKind, tree: Tree) -> None:
        """Take the status that an object has in the cluster, unless we are about to write one."""
        if not self._is_telling(kind, tree):
            self._said.pop(_key_of(kind, tree), None)

    def mend(self, kind: ServedKind, tree: Tree, status: AppStatus) -> None:
        """Say again how one stands if its status has come to say something else.

        A replica that delivered it before may have been writing while it went to this one. What we
        wrote ourselves is often heard of late, so it is not written again at once; and later each
        time, until the next round: another agent of the cluster may do the same.
        """
        if self._is_telling(kind, tree):
            return
        key, shown = _key_of(kind, tree), self._shown(kind, tree)
        wanted, pause = conditions.of_app(status, shown), self._mended.get(key, QUIET_SECONDS)
        if wanted != shown.before:
            self._mended[key] = min(2 * pause, LONGEST_SECONDS)
        self._say(kind, tree, wanted, pause)

    def store(self, tree: Tree, head: conditions.Head) -> None:
        """Say whether a Store answers."""
        wanted = conditions.of_store(head, self._shown(kinds.STORES, tree))
        self._say(kinds.STORES, tree, wanted, 0.0)

    def observed(self, kind: ServedKind, tree: Tree) -> bool:
        """Whether the status speaks of what the object says now."""
        return self._shown(kind, tree).before.get("observedGeneration") == kinds.generation_of(tree)

    def forget(self, kind: ServedKind, namespace: str, name: str) -> None:
        """Say nothing more of an object: it is gone."""
        key = _key(kind, namespace, name)
        for known in (self._said, self._handled, self._mended):
            known.pop(key, None)
        self._chores.forget(key)

    def _is_telling(self, kind: ServedKind, tree: Tree) -> bool:
        return self._chores.has(_key_of(kind, tree))

    def _shown(self, kind: ServedKind, tree: Tree) -> Shown:
        key = _key_of(kind, tree)
        before = self._said.get(key) or mapping(tree, "status")
        done = self._handled.get(key) or text(before, "lastHandledReconcileAt")
        return Shown(kinds.generation_of(tree), before, done)

    def _say(
        self, kind: ServedKind, tree: Tree, wanted: Mapping[str, Json], after_seconds: float
    ) -> None:
        key = _key_of(kind, tree)
        known = self._said.get(key) or mapping(tree, "status")
        if wanted == known and key not in self._writing:
            self._chores.forget(key)  # what was about to be said is true no more
            return
        name = kinds.name_of(tree)
        body = encoded(
            {
                "apiVersion": kind.api_version,
                "kind": kind.kind,
                "metadata": {"namespace": name.namespace, "name": name.name},
                "status": wanted,
            }
        )

        async def write() -> None:
            self._writing.add(key)
            try:
                await self._client.apply_status(
                    kind, name.namespace, name.name, body, manager=kinds.STATUS_MANAGER
                )
            except NotFoundError:
                return
            finally:
                self._writing.discard(key)
            self._said[key] = wanted

        self._chores.want(key, write, after_seconds=after_seconds)


def _key_of(kind: ServedKind, tree: Tree) -> str:
    name = kinds.name_of(tree)
    return _key(kind, name.namespace, name.name)


def _key(kind: ServedKind, namespace: str, name: str) -> str:
    return f"status of {kind.kind} {namespace}/{name}"
