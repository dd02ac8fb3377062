"""What is scheduled on its own: some targets, when they are delivered, and who they belong to."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from flux_secret.model.names import StoreName
from flux_secret.model.target import Source, Target

Followed: TypeAlias = Source | StoreName
"""What is polled: a branch of an application repository, or a store."""

FIRST_RETRY_SECONDS = 10.0  # Flux v1 retries its git mirror every 10 s


@dataclass(frozen=True, slots=True, order=True)
class AppName:
    """An application's name, and the namespace that it lies in."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Removal(enum.Enum):
    """What becomes of its objects when an App is removed: `spec.deletionPolicy`."""

    PRUNE = "Prune"
    ORPHAN = "Orphan"


@dataclass(frozen=True, slots=True)
class App:
    """An application: it has a queue, a back-off and a status of its own.

    With Flux v1's flags all git paths are one App, since they share a sync marker and are
    delivered at one commit. In the settings file and in the cluster an App is one path.
    """

    name: AppName
    targets: tuple[Target, ...]
    sync_seconds: float = 300.0
    """Between two looks at whether everything is as it should be."""
    retry_seconds: float = FIRST_RETRY_SECONDS
    """After the first failure; it doubles with each, up to `sync_seconds`."""
    suspended: bool = False
    removal: Removal = Removal.PRUNE

    def depends_on(self, repository: Followed) -> bool:
        """Whether a new commit there may change what is delivered."""
        if isinstance(repository, Source):
            return any(target.source == repository for target in self.targets)
        return any(repository in target.stores for target in self.targets)
