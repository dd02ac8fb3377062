"""A person's stores by their mounts' names: which store an entry lies in, as gopass decides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flux_secret.errors import ConfigurationError
from flux_secret.model.names import SecretPath
from flux_secret.store.working.store import WorkingStore


@dataclass(frozen=True, slots=True)
class Mounts:
    """Every store of one person that is there."""

    stores: Mapping[str, WorkingStore]
    """Mount name → store; the root store under the empty name."""

    def find(self, path: SecretPath) -> tuple[WorkingStore, str]:
        """Give the store of an entry and its name there: the longest mount's name wins."""
        text = str(path)
        for mount in sorted(self.stores, key=len, reverse=True):
            if not mount:
                return self.stores[mount], text
            if text.startswith(f"{mount}/"):
                return self.stores[mount], text.removeprefix(f"{mount}/")
        raise ConfigurationError(
            f"{text} lies in no store that you have",
            remedy="make one: flux-secret store init, or flux-secret store clone URL MOUNT",
        )
