"""Objects of one kind → Apps that are scheduled: Apps themselves, and StoreSecrets.

1. An object gets a finalizer before it is delivered for the first time, so that what it delivers is
   never forgotten.
2. One that cannot be used is `Stalled` with the reason; what it delivered before stays.
3. One that is deleted is delivered no more; then its objects are removed, or left, as it asks.
   While it is suspended nothing of it is removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.model.app import App, AppName, Removal
from flux_secret.model.status import AppStatus, Reason
from flux_secret.model.store import Store
from flux_secret.outside.kubernetes import Gone, ServedKind, Synced, Told, Upsert
from flux_secret.outside.kubernetes.body import mapping, text
from flux_secret.reconcile.chores import AT_ONCE, Chores
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.resources.finalizer import Finalizer
from flux_secret.reconcile.resources.interface import Surroundings
from flux_secret.reconcile.resources.kinds import Tree
from flux_secret.reconcile.resources.teller import Teller

FOLLOW_SECONDS: Final = 0.5
"""That Apps which come at once have to come in."""
NEW: Final = "what it says now is being delivered"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind that is delivered."""

    served: ServedKind
    named: Callable[[str, str], AppName]
    """(namespace, name) → how the App is called."""
    parse: Callable[[AppName, object, Mapping[str, Store], str], App]
    """(name, spec, usable Stores, the agent's namespace) → the App; raises `FluxSecretError`."""


class Deliverables:
    """All objects of one kind."""

    def __init__(self, kind: Kind, around: Surroundings, chores: Chores, teller: Teller) -> None:
        self._kind = kind
        self._around = around
        self._board = around.board
        self._chores = chores
        self._teller = teller
        self._finalizer = Finalizer(around.client, kind.served, around.retire)
        self._trees: dict[AppName, Tree] = {}
        self._releasing = asyncio.Semaphore(AT_ONCE)
        self._asking: dict[AppName, str] = {}
        """What somebody asked for with an annotation, until the status says that it was done."""
        self.listed = False
        """Whether all of them were seen once."""
        self.usable: Callable[[], Mapping[str, Store] | None] = lambda: None
        """Gives the Stores; None while they are not known yet: then nothing is scheduled."""

    def hear(self, told: Told[Tree]) -> None:
        """Take in what the API server says."""
        match told:
            case Synced(objects=objects):
                new = {self._name(tree): tree for tree in objects}
                gone, self._trees = self._trees.keys() - new.keys(), new
                self.listed = True
                for name in gone:
                    self._forget(name)
                for tree in objects:
                    self._teller.hear(self._kind.served, tree)
                self.settle()
            case Upsert(object=tree):
                self._trees[self._name(tree)] = tree
                self._teller.hear(self._kind.served, tree)
                self._settle(self._name(tree))
            case Gone(namespace=namespace, name=short):
                self._trees.pop(self._kind.named(namespace, short), None)
                self._forget(self._kind.named(namespace, short))
            case _:
                pass

    def settle(self) -> None:
        """Look at everything anew: what was another replica's may be ours now."""
        for name in tuple(self._trees):
            self._settle(name)

    def stands(self, status: AppStatus) -> bool:
        """Say how one stands, if it is of this kind."""
        tree = self._trees.get(status.name)
        if tree is not None and self._around.owns(status.name):
            self._teller.app(self._kind.served, tree, status)
        return tree is not None

    def uid(self, name: AppName) -> str:
        """Give an object's uid; empty where it is not of this kind."""
        return text(self._trees.get(name), "metadata", "uid")

    def _name(self, tree: Tree) -> AppName:
        found = kinds.name_of(tree)
        return self._kind.named(found.namespace, found.name)

    def _settle(self, name: AppName) -> None:
        """Make what is scheduled equal to what the cluster says of one object."""
        usable = self.usable()
        if usable is None:
            return
        tree = self._trees[name]
        finalizer, is_ours = f"finalizer of {name}", kinds.FINALIZER in kinds.finalizers(tree)
        if not self._around.owns(name):
            self._leave(name)
        elif kinds.is_leaving(tree):
            self._chores.forget(f"sync of {name}")
            if is_ours:
                self._chores.want(finalizer, lambda: self._release(name), waits=True)
        elif not is_ours:
            self._chores.want(finalizer, lambda: self._claim(name))
        else:
            self._schedule(name, tree, usable)

    def _schedule(self, name: AppName, tree: Tree, usable: Mapping[str, Store]) -> None:
        try:
            said = self._kind.parse(name, tree.get("spec"), usable, self._around.namespace)
        except FluxSecretError as error:
            self._drop(name)
            self._board.refuse(name, Reason.INVALID, error)
            asked = kinds.requested(tree)
            if asked and asked != kinds.handled(tree):  # that is the answer
                status = self._board.status(name)
                self._teller.app(self._kind.served, tree, status, handled=asked)
            return
        self._chores.forget(f"lane of {name}")
        lane, app = self._board.scheduler.lane(name), self._board.held(said)
        stands = app.suspended or (lane is not None and lane.app == app)
        self._board.put(said)
        self._chores.want("branches that are followed", self._follow, after_seconds=FOLLOW_SECONDS)
        if not self._teller.observed(self._kind.served, tree):
            status = self._board.status(name)
            if not stands:  # what is known tells of what it said before
                status = replace(
                    status, ready=None, reason=Reason.PROGRESSING, message=NEW, reconciling=True
                )
            self._teller.app(self._kind.served, tree, status)
        elif stands and lane is not None and not lane.is_new:
            self._teller.mend(self._kind.served, tree, self._board.status(name))
        if not app.suspended:
            self._ask(name, tree)

    def _ask(self, name: AppName, tree: Tree) -> None:
        """Deliver it if an annotation asks for that; once, however often the object changes."""
        asked = kinds.requested(tree)
        if not asked or asked == kinds.handled(tree):
            self._asking.pop(name, None)
        elif self._asking.get(name) != asked:
            self._asking[name] = asked
            self._chores.want(f"sync of {name}", lambda: self._asked(name, asked), waits=True)

    async def _follow(self) -> None:
        apps = self._board.scheduler.apps
        self._around.mounts.keep(
            {target.source for app in apps for target in app.targets if not target.inline}
        )

    async def _claim(self, name: AppName) -> None:
        if name in self._trees:
            await self._finalizer.claim(self._trees[name])

    async def _release(self, name: AppName) -> None:
        tree = self._trees.get(name)
        if tree is None or kinds.FINALIZER not in kinds.finalizers(tree):
            return
        await self._board.scheduler.drop(name)
        spec = mapping(tree, "spec")
        prune = spec.get("deletionPolicy") != Removal.ORPHAN.value
        if prune and self._board.rests(name, said=spec.get("suspend") is True):
            error = _rests(self._kind, name)
            self._board.refuse(name, Reason.SUSPENDED, error)
            raise error  # so that it is looked at again
        try:
            async with self._releasing:
                await self._finalizer.release(name, tree, prune=prune)
        except FluxSecretError as error:
            self._board.refuse(name, Reason.PRUNE_FAILED, error)
            raise

    async def _asked(self, name: AppName, asked: str) -> None:
        """Deliver one because somebody asked for it with an annotation."""
        try:
            await self._board.scheduler.sync([name])
        except ConfigurationError:  # it was suspended meanwhile
            self._asking.pop(name, None)
            return
        if name in self._trees:
            status = self._board.status(name)
            self._teller.app(self._kind.served, self._trees[name], status, handled=asked)

    def _drop(self, name: AppName) -> None:
        scheduler = self._board.scheduler
        self._asking.pop(name, None)
        self._chores.forget(f"sync of {name}")
        self._chores.want(f"lane of {name}", lambda: scheduler.drop(name), waits=True)

    def _leave(self, name: AppName) -> None:
        """Write nothing more to an object: it is another replica's, or no more."""
        self._asking.pop(name, None)
        for chore in ("finalizer", "sync"):
            self._chores.forget(f"{chore} of {name}")
        self._teller.forget(self._kind.served, name.namespace, kinds.short(name))

    def _forget(self, name: AppName) -> None:
        self._drop(name)
        self._leave(name)
        self._board.forget(name)


def _rests(kind: Kind, name: AppName) -> ConfigurationError:
    short, what = kinds.short(name), f"{kind.served.plural}.{kinds.GROUP}"
    return ConfigurationError(
        f"{kind.served.kind} {short} is deleted and suspended: its objects stay until it is "
        "resumed",
        remedy=f"resume it (kubectl patch {what} {short} -n {name.namespace} --type=merge "
        """-p '{"spec": {"suspend": false}}'; or where it was suspended so: """
        "flux-secret resume --agent), or leave its objects for good: the same with "
        """'{"spec": {"deletionPolicy": "Orphan"}}'""",
    )
