"""What owners of a store have agreed to: what reading needs to know of it, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flux_secret.model.delivery import HeldBack
from flux_secret.store.standing import Standing


@dataclass(frozen=True, slots=True)
class ReadRule:
    """Who may read what lies below a prefix; the longest prefix of an entry counts."""

    prefix: str
    apps: tuple[str, ...] | None = None
    """Patterns of targets' names, `*` for any run of characters; None for all."""
    clusters: tuple[str, ...] | None = None
    """Patterns of clusters' names; None for all."""

    def refuses(self, target: str, cluster: str) -> str:
        """Say why a target of a cluster may not read it; empty when it may."""
        if not _is_among(cluster, self.clusters):
            named = f"this one is {cluster!a}" if cluster else "this one has no name"
            return f"its owners let clusters {_named(self.clusters)} read it, and {named}"
        if not _is_among(target, self.apps):
            return f"its owners let {_named(self.apps)} read it"
        return ""


class ReadRules:
    """The rules of one store."""

    def __init__(self, rules: Iterable[ReadRule] = ()) -> None:
        self._by_prefix = {rule.prefix: rule for rule in rules}

    def of(self, name: str) -> ReadRule | None:
        """Give the rule that counts for an entry; None where nobody owns it."""
        while name:
            if name in self._by_prefix:
                return self._by_prefix[name]
            name = name.rpartition("/")[0]
        return self._by_prefix.get("")


def _is_among(name: str, patterns: tuple[str, ...] | None) -> bool:
    return patterns is None or any(_fits(name, pattern) for pattern in patterns)


def _fits(name: str, pattern: str) -> bool:
    """Match `*` for any characters: a regular expression could take hours, at an owner's word."""
    first, *parts = pattern.split("*")
    if not parts:
        return name == pattern
    *middle, last = parts
    at, end = len(first), len(name) - len(last)
    if at > end or not (name.startswith(first) and name.endswith(last)):
        return False
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _named(patterns: tuple[str, ...] | None) -> str:
    return ", ".join(patterns or ()) or "nobody"


@dataclass(frozen=True, slots=True)
class Agreed:
    """What of a commit counts."""

    standing: Standing
    """With what owners have agreed to by now."""
    held: tuple[HeldBack, ...] = ()
    """What of the commit waits for them."""
    rules: tuple[ReadRule, ...] = ()
    """Who may read what."""
    approvals: str = ""
    """Names what was there of approvals; empty for none."""


class Judge(Protocol):
    """Asks owners' signatures."""

    async def judge(self, mirror: Path, standing: Standing, approvals: str) -> Agreed:
        """Say what of `standing.commit` counts, from what was agreed to before.

        `approvals` names those that the mirror has. Raises `IntegrityError` and
        `ConfigurationError` when nothing of it may be read.
        """

    async def rewound(
        self, mirror: Path, standing: Standing, head: str, approvals: str
    ) -> Standing | None:
        """Say what is on record once owners have accepted a head that leads away; None: not."""


class Unjudged:
    """For who looks at no owners."""

    async def judge(self, _mirror: Path, standing: Standing, approvals: str) -> Agreed:
        """Let it count."""
        return Agreed(standing, approvals=approvals)

    async def rewound(
        self, _mirror: Path, _standing: Standing, _head: str, _approvals: str
    ) -> Standing | None:
        """Accept none."""
        return None
