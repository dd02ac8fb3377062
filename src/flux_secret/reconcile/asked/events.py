"""Events in the cluster → what happened to Apps, the oldest first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flux_secret.model.report import stamp, unstamped
from flux_secret.outside.kubernetes import EVENTS, Client, Gone, Synced, Told, Troubled, Upsert
from flux_secret.outside.kubernetes.body import mapping, number, text
from flux_secret.reconcile.recorder import COMPONENT, REVISION
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.resources.kinds import Tree

OURS: Final = f"reportingComponent={COMPONENT}"


@dataclass(frozen=True, slots=True)
class AppEvent:
    """One thing that happened."""

    uid: str
    event: str
    """The Event's own name; ours tell the time, so they are in order within a second too."""
    last: datetime | None
    type: str
    """`Normal` or `Warning`."""
    reason: str
    namespace: str
    kind: str
    """`App`, or `Namespace` for an agent's Apps that are no objects."""
    name: str
    message: str
    revision: str
    count: int

    @property
    def about(self) -> str:
        """Name what it is about, as kubectl does: `app/demo`."""
        return f"{self.kind.lower()}/{self.name}"

    def to_json(self) -> Mapping[str, str | int]:
        """Give it for people's programs."""
        return {
            "lastSeen": stamp(self.last),
            "type": self.type,
            "reason": self.reason,
            "namespace": self.namespace,
            "kind": self.kind,
            "name": self.name,
            "message": self.message,
            "revision": self.revision,
            "count": self.count,
        }


def event_of(tree: Tree) -> AppEvent:
    """Read one."""
    about = mapping(tree, "involvedObject")
    last = text(tree, "lastTimestamp") or text(tree, "metadata", "creationTimestamp")
    return AppEvent(
        uid=text(tree, "metadata", "uid"),
        event=text(tree, "metadata", "name"),
        last=unstamped(last),
        type=text(tree, "type"),
        reason=text(tree, "reason"),
        namespace=text(tree, "metadata", "namespace"),
        kind=text(about, "kind"),
        name=text(about, "name"),
        message=text(tree, "message"),
        revision=text(tree, "metadata", "annotations", REVISION),
        count=max(1, number(tree, "count")),
    )


async def events(client: Client, namespace: str, names: Collection[str] = ()) -> Sequence[AppEvent]:
    """Give what happened to these Apps, or to all, in a namespace or in all (`""`)."""
    listed = await client.list(EVENTS, namespace, "", fields=OURS)
    return _sorted(listed, names)


async def follow(
    client: Client, namespace: str, names: Collection[str], tell: Callable[[AppEvent], None]
) -> None:
    """Tell each that comes, after those that are there; raise what the API server refuses."""
    refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    told: set[tuple[str, int]] = set()

    def take(one: Told[Tree]) -> None:
        match one:
            case Synced(objects=objects):
                trees: Sequence[Tree] = objects
            case Upsert(object=tree):
                trees = [tree]
            case Troubled(error=error):
                if not error.retryable and not refused.done():
                    refused.set_exception(error)
                return
            case Gone() | _:
                return
        for event in _sorted(trees, names):
            if (event.uid, event.count) not in told:
                told.add((event.uid, event.count))
                tell(event)

    following = asyncio.ensure_future(client.reflector(EVENTS, namespace, fields=OURS).run(take))
    try:
        await refused
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def _sorted(trees: Sequence[Tree], names: Collection[str]) -> Sequence[AppEvent]:
    ours = (tree for tree in trees if _is_ours(tree))
    found = [one for one in map(event_of, ours) if not names or _is_about(one, names)]
    return sorted(found, key=lambda one: (stamp(one.last), one.event))


def _is_ours(tree: Tree) -> bool:
    about = mapping(tree, "involvedObject")
    is_app = text(about, "apiVersion").startswith(f"{kinds.GROUP}/")
    return is_app or text(tree, "reportingComponent") == COMPONENT


def _is_about(one: AppEvent, names: Collection[str]) -> bool:
    """Whether it is about one of these; what is no object is named first in the message."""
    if one.kind != kinds.APPS.kind:
        said = one.message.partition(": ")[0]
        return any(name in {said, said.rpartition("/")[2]} for name in names)
    return bool({one.name, f"{one.namespace}/{one.name}"} & set(names))
