"""What following custom resources needs of others."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from flux_secret.model.app import AppName
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.store import Anchor
from flux_secret.model.target import Source
from flux_secret.outside.kubernetes import Client
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.resources.finalizer import Retire


class Mounts(Protocol):
    """Which repositories and stores are followed."""

    def mount(self, name: StoreName, url: GitUrl, anchor: Anchor) -> None:
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
