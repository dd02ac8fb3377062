"""What a person has suspended beside what Apps say themselves ⇄ the data of a ConfigMap. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from flux_secret.model.app import App, AppName

EVERYTHING: Final = "all"
"""The key that suspends every App; no App's key is like it, since each has a dot."""
_KEY: Final = re.compile(r"([a-z0-9-]{1,63})\.([A-Za-z0-9._-]{1,253})")


@dataclass(frozen=True, slots=True)
class Hold:
    """Which Apps are left as they are."""

    everything: bool = False
    names: frozenset[AppName] = frozenset()

    @classmethod
    def parse(cls, data: Mapping[str, str]) -> Hold:
        """Read a ConfigMap's data; its values say since when, for people."""
        found = (_KEY.fullmatch(key) for key in data)
        names = frozenset(AppName(one[1], one[2]) for one in found if one)
        return cls(EVERYTHING in data, names)

    def holds(self, name: AppName) -> bool:
        """Whether an App is left as it is."""
        return self.everything or name in self.names

    def on(self, app: App) -> App:
        """Give an App as it is to be scheduled."""
        return replace(app, suspended=True) if self.holds(app.name) else app


def key_of(name: AppName) -> str:
    """Give the key that suspends an App."""
    return f"{name.namespace}.{name.name}"


def name_of(key: str) -> AppName:
    """Give whose key it is."""
    namespace, _, name = key.partition(".")
    return AppName(namespace, name)
