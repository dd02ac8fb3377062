"""What is served now: built-in kinds, and those of established CustomResourceDefinitions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flux_secret.embedded.rules.registry import rule_for
from flux_secret.embedded.rules.rule import Rule, World
from flux_secret.embedded.schema.kinds import Kind, built_in


@dataclass(frozen=True, slots=True)
class Served:
    """A kind and its rules."""

    kind: Kind
    rule: Rule


@dataclass(slots=True)
class Catalog:
    """Finds kinds by their place in a path."""

    world: World
    _served: dict[tuple[str, str, str], Served] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in built_in().kinds:
            self.serve(kind, rule_for(kind, self.world))

    def serve(self, kind: Kind, rule: Rule) -> None:
        """Serve a kind, or serve it in another way than before."""
        self._served[kind.group, kind.version, kind.plural] = Served(kind, rule)

    def withdraw(self, group: str, plural: str) -> None:
        """Serve it in no version any more."""
        for key in [key for key in self._served if (key[0], key[2]) == (group, plural)]:
            del self._served[key]

    def find(self, group: str, version: str, plural: str) -> Served | None:
        """Give what is served there, or None."""
        return self._served.get((group, version, plural))

    def any_version(self, group: str, plural: str) -> Served | None:
        """Give it in some version, or None."""
        return next(
            (one for one in self if (one.kind.group, one.kind.plural) == (group, plural)), None
        )

    def of_kind(self, group: str, kind: str) -> Served | None:
        """Give it by its kind, in some version, or None."""
        return next((one for one in self if (one.kind.group, one.kind.kind) == (group, kind)), None)

    def __iter__(self) -> Iterator[Served]:
        return iter(list(self._served.values()))
