"""Stores in the cluster → stores that are followed, and what may be read of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.model.app import Followed
from flux_secret.model.names import StoreName
from flux_secret.model.store import Store, parse_store
from flux_secret.outside.kubernetes import Gone, Synced, Told, Upsert
from flux_secret.reconcile.poller import Answers
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.resources.conditions import Head
from flux_secret.reconcile.resources.interface import Surroundings
from flux_secret.reconcile.resources.kinds import Tree
from flux_secret.reconcile.resources.teller import Teller


class MountedStores:
    """The Stores of the agent's namespace."""

    def __init__(self, around: Surroundings, teller: Teller, changed: Callable[[], None]) -> None:
        """Begin; `changed` is called when something else may be read than before."""
        self._around = around
        self._teller = teller
        self._changed = changed
        self._trees: dict[str, Tree] = {}
        self._heads: dict[Followed, str | FluxSecretError] = {}
        self.listed = False
        """Whether all of them were seen once."""
        self.usable: Mapping[str, Store] = {}
        """By their names."""

    def hear(self, told: Told[Tree]) -> None:
        """Take in what the API server says."""
        match told:
            case Synced(objects=objects):
                self._trees = {kinds.name_of(tree).name: tree for tree in objects}
                self.listed = True
            case Upsert(object=tree):
                before = self._trees.get(kinds.name_of(tree).name, {})
                self._trees[kinds.name_of(tree).name] = tree
                if before.get("spec") == tree.get("spec"):
                    return
            case Gone(namespace=namespace, name=name):
                self._trees.pop(name, None)
                self._teller.forget(kinds.STORES, namespace, name)
            case _:
                return
        self._mount()
        self._changed()

    def polled(self, answers: Answers) -> None:
        """Say of each whether it answered."""
        self._heads.update(answers)
        for name, store in self.usable.items():
            if store.name in answers:
                self._say(self._trees[name], answers[store.name])

    def _mount(self) -> None:
        """Follow what they say; one that cannot be used says why."""
        usable: dict[str, Store] = {}
        mounted: dict[StoreName, str] = {}
        urls = {store.name: store.url for store in self.usable.values()}
        for name, tree in sorted(self._trees.items()):
            try:
                store = parse_store(name, tree.get("spec"), f"Store {name}")
                if store.name in mounted:
                    raise _mounted_twice(name, mounted[store.name], store.name)
            except FluxSecretError as error:
                self._say(tree, error)
                continue
            usable[name], mounted[store.name] = store, name
            if urls.get(store.name, store.url) != store.url:
                self._heads.pop(store.name, None)  # that is what another repository has
            self._around.mounts.mount(store.name, store.url, store.anchor)
            self._say(tree, self._heads.get(store.name))
        for store in self.usable.values():
            if store.name not in mounted:
                self._around.mounts.unmount(store.name)
                self._heads.pop(store.name, None)
        self.usable = usable
        self._around.board.vitals.stores(mounted)
        if any(store.name not in self._heads for store in usable.values()):
            self._around.board.hint()

    def _say(self, tree: Tree, head: Head) -> None:
        if self._around.leads():
            self._teller.store(tree, head)


def _mounted_twice(name: str, other: str, mount: StoreName) -> ConfigurationError:
    return ConfigurationError(
        f"Store {name} and Store {other} are both mounted at {mount}",
        remedy="give one of them another spec.mount",
    )
