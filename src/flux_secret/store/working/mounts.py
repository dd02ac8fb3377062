"""A person's stores by their mounts' names: which store an entry lies in, as gopass decides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flux_secret.errors import ConfigurationError, UsageError
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

    def at(self, text: str) -> tuple[WorkingStore, str]:
        """Give the store of a mount's name, a folder or an entry, and the path there; "" is whole.

        Raises `UsageError` for what can be none of them, or for the root store where there is none.
        """
        text = text.strip("/")
        if text in self.stores:
            return self.stores[text], ""
        if not text and self.stores:
            raise UsageError(
                "you have no root store, and none was named",
                remedy=f"name the store, or a folder in it: {', '.join(sorted(self.stores))}",
            )
        return self.find(SecretPath.parse(text))

    def below(self, text: str | None) -> list[tuple[WorkingStore, str]]:
        """Give what a command is about: the one place that is named, else every store whole."""
        return [(store, "") for store in self.stores.values()] if not text else [self.at(text)]
