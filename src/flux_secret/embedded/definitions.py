"""What follows when a CustomResourceDefinition is written or gone: kinds come and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flux_secret.embedded.catalog import Catalog, Served
from flux_secret.embedded.codec.body import Duplicates
from flux_secret.embedded.options import WriteOptions
from flux_secret.embedded.rules.custom import CustomRule
from flux_secret.embedded.rules.definition import established, kinds_of, printed
from flux_secret.embedded.schema.kinds import Kind
from flux_secret.embedded.store import Store, key_of
from flux_secret.embedded.tables.custom import custom_columns
from flux_secret.embedded.tables.table import Column
from flux_secret.embedded.tree import Tree, items, text
from flux_secret.embedded.writing import Writer

RESOURCE: Final = ("apiextensions.k8s.io", "customresourcedefinitions")
_CONTROLLER: Final = "kube-apiserver"  # whose field manager the real status is written with


class Definitions:
    """Keeps the catalog as the definitions say."""

    def __init__(self, store: Store, catalog: Catalog, now: Callable[[], str]) -> None:
        self._store = store
        self._catalog = catalog
        self._now = now

    def written(self, served: Served, tree: Tree) -> None:
        """Serve what a definition defines, then establish it."""
        key = key_of(tree)
        live = self._store.find(RESOURCE, key)
        if live is None:
            return
        group, plural = text(live, "spec", "group"), text(live, "spec", "names", "plural")
        self._catalog.withdraw(group, plural)
        for kind, schema in kinds_of(live):
            self._catalog.serve(kind, CustomRule(kind, self._catalog.world, schema))
        if not items(live, "status", "conditions"):
            live["status"] = established(live, self._now())
            writer = Writer(self._store, served.kind, served.rule, self._now, "status")
            writer.update(key, live, WriteOptions(manager=_CONTROLLER), Duplicates())

    def gone(self, tree: Tree) -> None:
        """Stop serving what the definition defined."""
        names = text(tree, "spec", "group"), text(tree, "spec", "names", "plural")
        self._catalog.withdraw(*names)

    def columns(self, kind: Kind) -> list[Column]:
        """Give the columns that a definition asks for; none for built-in kinds."""
        if not kind.is_custom:
            return []
        found = self._store.find(RESOURCE, ("", f"{kind.plural}.{kind.group}"))
        return custom_columns(printed(found or {}, kind.version))
