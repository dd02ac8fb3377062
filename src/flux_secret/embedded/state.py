"""Everything a cluster is: objects, kinds, addresses in use, and its clock."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from flux_secret.embedded.catalog import Catalog, Served
from flux_secret.embedded.definitions import RESOURCE as DEFINITIONS
from flux_secret.embedded.definitions import Definitions
from flux_secret.embedded.rules.rule import World
from flux_secret.embedded.schema.kinds import Kind
from flux_secret.embedded.store import Store
from flux_secret.embedded.tables.table import Column
from flux_secret.embedded.tree import Tree

FIRST_NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")
_SERVICE_NET: Final = IPv4Network("10.0.0.0/16")
_NODE_PORTS: Final = range(30000, 32768)


class Numbers:
    """Hands out numbers of a range, each to one at a time."""

    def __init__(self, numbers: range) -> None:
        self._range = numbers
        self._used: set[int] = set()

    def take(self, wanted: int = 0) -> int:
        """Give the wanted one, or a free one for 0; raise `ValueError`."""
        if not wanted:
            free = (one for one in self._range if one not in self._used)
            wanted = next(free, 0)
            if not wanted:
                raise ValueError("range is full")
        elif wanted in self._used:
            raise ValueError("provided IP is already allocated")
        self._used.add(wanted)
        return wanted

    def give_back(self, number: int) -> None:
        """Make it free again."""
        self._used.discard(number)


class State:
    """One cluster's state."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self._clock = now or (lambda: datetime.now(UTC))
        first = int(_SERVICE_NET.network_address)
        self._addresses = Numbers(range(first + 1, first + _SERVICE_NET.num_addresses - 1))
        self._ports = Numbers(_NODE_PORTS)
        self.store = Store()
        world = World(
            now=self.now,
            cluster_ip=self._cluster_ip,
            free_ip=self._free_ip,
            node_port=self._ports.take,
            free_port=self._ports.give_back,
        )
        self.catalog = Catalog(world)
        self._definitions = Definitions(self.store, self.catalog, self.now)
        for name in FIRST_NAMESPACES:
            self._add_namespace(name)

    def now(self) -> str:
        """Give the time as objects write it."""
        return self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _cluster_ip(self, wanted: str) -> str:
        number = int(IPv4Address(wanted)) if wanted else 0
        if wanted and IPv4Address(wanted) not in _SERVICE_NET:
            raise ValueError(f"the provided IP ({wanted}) is not in the valid range")
        return str(IPv4Address(self._addresses.take(number)))

    def _free_ip(self, address: str) -> None:
        self._addresses.give_back(int(IPv4Address(address)))

    def _add_namespace(self, name: str) -> None:
        tree: Tree = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "uid": str(uuid.uuid4()),
                "creationTimestamp": self.now(),
                "labels": {"kubernetes.io/metadata.name": name},
            },
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }
        self.store.put(("", "namespaces"), ("", name), tree)

    def after_write(self, served: Served, tree: Tree) -> None:
        """Do what follows from a write."""
        if (served.kind.group, served.kind.plural) == DEFINITIONS:
            self._definitions.written(served, tree)

    def after_delete(self, served: Served, tree: Tree) -> None:
        """Do what follows when an object is gone."""
        served.rule.release(tree)
        if (served.kind.group, served.kind.plural) == DEFINITIONS:
            self._definitions.gone(tree)

    def columns(self, kind: Kind) -> list[Column]:
        """Give the columns that a CustomResourceDefinition asks for."""
        return self._definitions.columns(kind)
