"""Stores and Apps in the cluster → Apps that are scheduled; the API server is the only memory.

1. Nothing is scheduled before all Stores and Apps were listed once: what an App may read follows
   from the Stores.
2. An App gets a finalizer before it is delivered for the first time, so that its objects are never
   forgotten.
3. A document that cannot be used is `Stalled` with the reason; what it delivered before stays.
4. One that is deleted is delivered no more; then its objects are removed, or left, as it asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.model.app import AppName, Followed, Removal
from flux_secret.model.appspec import parse_app
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.status import AppStatus, Reason
from flux_secret.model.store import Store, parse_store
from flux_secret.model.target import Source
from flux_secret.outside.kubernetes import Client, Gone, Synced, Told, Troubled, Upsert
from flux_secret.outside.kubernetes.body import mapping, text
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.chores import Chores
from flux_secret.reconcile.poller import Answers
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.resources.conditions import Head
from flux_secret.reconcile.resources.finalizer import Finalizer, Retire
from flux_secret.reconcile.resources.kinds import Tree
from flux_secret.reconcile.resources.teller import Teller
from flux_secret.reconcile.round import Round

_log = structlog.get_logger(component="resources")
FOLLOW_SECONDS: Final = 0.5
"""That Apps which come at once have to come in."""
_BOTH: Final = frozenset({kinds.APPS, kinds.STORES})


class Mounts(Protocol):
    """Which repositories and stores are followed."""

    def mount(self, name: StoreName, url: GitUrl) -> None:
        """Follow a store, or follow it at another address from now on."""

    def unmount(self, name: StoreName) -> None:
        """Follow a store no more."""

    def keep(self, wanted: Collection[Source]) -> None:
        """Follow these branches, and no other."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the controller works on."""

    client: Client
    board: Board
    mounts: Mounts
    retire: Retire
    namespace: str
    """The agent's own: Stores are read there, and its Apps are an administrator's."""
    owns: Callable[[AppName], bool] = lambda _name: True
    """Whether an App is delivered by this replica now."""
    leads: Callable[[], bool] = lambda: True
    """Whether this replica does what only one may do."""


class Controller:
    """Follows custom resources until it is cancelled."""

    def __init__(self, around: Surroundings, chores: Chores) -> None:
        self._around = around
        self._board = around.board
        self._chores = chores
        self._teller = Teller(around.client, chores)
        self._finalizer = Finalizer(around.client, around.retire)
        self._stores: dict[str, Tree] = {}
        self._apps: dict[AppName, Tree] = {}
        self._usable: Mapping[str, Store] = {}
        self._heads: dict[Followed, str | FluxSecretError] = {}
        self._listed: set[object] = set()
        self.trouble: FluxSecretError | None = None
        """Why changes of custom resources are not seen now."""
        self._board.complete = False
        self._board.changed = self._stands
        self._board.polled = self._polled
        self._board.uid_of = lambda name: text(self._apps.get(name), "metadata", "uid")

    async def run(self) -> None:
        """Follow both kinds, until it is cancelled."""
        client = self._around.client
        stores = client.reflector(kinds.STORES, self._around.namespace)
        await asyncio.gather(
            stores.run(self._store),
            client.reflector(kinds.APPS).run(self._app),
            self._chores.failed(),
        )

    def settle(self) -> None:
        """Look at everything anew: what was another replica's may be ours now."""
        if self._listed == _BOTH:
            for name in tuple(self._apps):
                self._settle(name)
            self._board.complete = True

    def _store(self, told: Told[Tree]) -> None:
        match told:
            case Synced(objects=objects):
                self._stores = {kinds.name_of(tree).name: tree for tree in objects}
                self._listed.add(kinds.STORES)
            case Upsert(object=tree):
                before = self._stores.get(kinds.name_of(tree).name, {})
                self._stores[kinds.name_of(tree).name] = tree
                if before.get("spec") == tree.get("spec"):
                    return
            case Gone(namespace=namespace, name=name):
                self._stores.pop(name, None)
                self._teller.forget(kinds.STORES, namespace, name)
            case _:
                self._troubled(told)
                return
        self._mount()
        self.settle()

    def _app(self, told: Told[Tree]) -> None:
        match told:
            case Synced(objects=objects):
                new = {kinds.name_of(tree): tree for tree in objects}
                gone, self._apps = self._apps.keys() - new.keys(), new
                self._listed.add(kinds.APPS)
                for name in gone:
                    self._forget(name)
                self.settle()
            case Upsert(object=tree):
                name = kinds.name_of(tree)
                self._apps[name] = tree
                if self._listed == _BOTH:
                    self._settle(name)
            case Gone(namespace=namespace, name=short):
                self._apps.pop(AppName(namespace, short), None)
                self._forget(AppName(namespace, short))
            case _:
                self._troubled(told)

    def _troubled(self, told: object) -> None:
        self.trouble = told.error if isinstance(told, Troubled) else None
        if isinstance(told, Troubled):
            _log.warning(
                "resources.unseen", err=told.error.what, remedy=told.error.remedy,
                again_seconds=round(told.again_seconds, 1),
            )  # fmt: skip

    def _mount(self) -> None:
        """Follow what the Stores say; one that cannot be used says why."""
        usable: dict[str, Store] = {}
        mounted: dict[StoreName, str] = {}
        for name, tree in sorted(self._stores.items()):
            try:
                store = parse_store(name, tree.get("spec"), f"Store {name}")
                if store.name in mounted:
                    raise _mounted_twice(name, mounted[store.name], store.name)
            except FluxSecretError as error:
                self._say_store(tree, error)
                continue
            usable[name], mounted[store.name] = store, name
            self._around.mounts.mount(store.name, store.url)
            self._say_store(tree, self._heads.get(store.name))
        for store in self._usable.values():
            if store.name not in mounted:
                self._around.mounts.unmount(store.name)
                self._heads.pop(store.name, None)
        self._usable = usable
        self._board.vitals.stores(mounted)
        if any(store.name not in self._heads for store in usable.values()):
            self._board.hint()

    def _settle(self, name: AppName) -> None:
        """Make what is scheduled equal to what the cluster says of one App."""
        tree = self._apps[name]
        finalizer, is_ours = f"finalizer of {name}", kinds.FINALIZER in kinds.finalizers(tree)
        if not self._around.owns(name):
            self._chores.forget(finalizer)
        elif kinds.is_leaving(tree):
            if is_ours:
                self._chores.want(finalizer, lambda: self._release(name))
        elif not is_ours:
            self._chores.want(finalizer, lambda: self._finalizer.claim(self._apps[name]))
        else:
            self._schedule(name, tree)

    def _schedule(self, name: AppName, tree: Tree) -> None:
        try:
            app = parse_app(name, tree.get("spec")).app(self._usable, self._around.namespace)
        except FluxSecretError as error:
            self._drop(name)
            self._board.refuse(name, Reason.INVALID, error)
            return
        self._chores.forget(f"lane of {name}")
        self._board.put(app)
        self._chores.want("branches that are followed", self._follow, after_seconds=FOLLOW_SECONDS)
        if not self._teller.observed(kinds.APPS, tree):
            self._teller.app(tree, self._board.status(name))
        asked = kinds.requested(tree)
        if asked and asked != kinds.handled(tree) and not app.suspended:
            self._chores.want(f"sync of {name}", lambda: self._asked(name, asked))

    async def _follow(self) -> None:
        apps = self._board.scheduler.apps
        self._around.mounts.keep({target.source for app in apps for target in app.targets})

    async def _release(self, name: AppName) -> None:
        tree = self._apps.get(name)
        if tree is None:
            return
        await self._board.scheduler.drop(name)
        policy = mapping(tree, "spec").get("deletionPolicy")
        try:
            await self._finalizer.release(tree, prune=policy != Removal.ORPHAN.value)
        except FluxSecretError as error:
            self._board.refuse(name, Reason.PRUNE_FAILED, error)
            raise

    async def _asked(self, name: AppName, asked: str) -> None:
        """Deliver an App because somebody asked for it with an annotation."""
        try:
            await self._board.scheduler.sync([name])
        except ConfigurationError:
            return  # it was suspended meanwhile
        if name in self._apps:
            self._teller.app(self._apps[name], self._board.status(name), handled=asked)

    def _drop(self, name: AppName) -> None:
        scheduler = self._board.scheduler
        self._chores.want(f"lane of {name}", lambda: scheduler.drop(name))

    def _forget(self, name: AppName) -> None:
        self._drop(name)
        for chore in ("finalizer", "sync"):
            self._chores.forget(f"{chore} of {name}")
        self._teller.forget(kinds.APPS, name.namespace, name.name)
        self._board.forget(name)

    def _stands(self, status: AppStatus, _done: Round | None) -> None:
        tree = self._apps.get(status.name)
        if tree is not None and self._around.owns(status.name):
            self._teller.app(tree, status)

    def _polled(self, answers: Answers) -> None:
        self._heads.update(answers)
        for name, store in self._usable.items():
            if store.name in answers:
                self._say_store(self._stores[name], answers[store.name])

    def _say_store(self, tree: Tree, head: Head) -> None:
        if self._around.leads():
            self._teller.store(tree, head)


def _mounted_twice(name: str, other: str, mount: StoreName) -> ConfigurationError:
    return ConfigurationError(
        f"Store {name} and Store {other} are both mounted at {mount}",
        remedy="give one of them another spec.mount",
    )
