"""Text → names that cannot be wrong: entries of stores, objects of a cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import UsageError

MAX_SECRET_PATH: Final = 1024  # characters; a git path may be longer, a name people type is not
_MOUNT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*(/[A-Za-z0-9_][A-Za-z0-9_.@-]*)*\Z")


@dataclass(frozen=True, slots=True, order=True)
class StoreName:
    """The mount name of a store, such as `apps`; parts may be joined by `/` as gopass allows."""

    value: str

    @classmethod
    def parse(cls, text: str) -> StoreName:
        """Read a mount name; raise `UsageError` when it is none."""
        if not _MOUNT.match(text):
            raise UsageError(
                f"{text!r} is not a store name",
                remedy="use letters, digits, '_', '-', '.', '@', as in --store apps=URL",
            )
        return cls(text)

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, order=True)
class SecretPath:
    """The full name of an entry, `apps/application/demo/prod/db`: mount first, no empty part."""

    parts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> SecretPath:
        """Read an entry's name as people and scripts write it.

        Double and trailing slashes are folded, as the walkthrough writes `flux//gpg-private-key`.
        `..`, `.`, control characters and a leading slash (an unset variable in `$STORE/demo`)
        raise `UsageError`.
        """
        if text.startswith("/"):
            raise UsageError(
                f"the entry name {text!r} starts with a slash",
                remedy="name the store first; in a script, its variable may be unset: "
                "pass it with --generator-env NAME=VALUE",
            )
        parts = tuple(part for part in text.split("/") if part)
        usable = 0 < len(text) <= MAX_SECRET_PATH and text.isprintable()
        if not parts or not usable or any(part in {".", ".."} for part in parts):
            raise UsageError(
                f"{text[:80]!r} is not an entry name",
                remedy="write STORE/FOLDER/ENTRY, printable, without '.' or '..' parts",
            )
        return cls(parts)

    def under(self, mount: StoreName) -> str | None:
        """Give the name inside `mount`, or None when this entry lies elsewhere."""
        prefix = tuple(mount.value.split("/"))
        if self.parts[: len(prefix)] != prefix or len(self.parts) == len(prefix):
            return None
        return "/".join(self.parts[len(prefix) :])

    def __str__(self) -> str:
        return "/".join(self.parts)


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """What names one object in a cluster: API group, kind, namespace, name.

    `namespace` is empty for cluster-scoped objects, and for namespaced ones until the namespace is
    defaulted against discovery.
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Speak as kubectl does: `secret/demo-secret`, `deployment.apps/demo`."""
        resource = self.kind.lower() + (f".{self.group}" if self.group else "")
        return f"{resource}/{self.name}"

    @property
    def long(self) -> str:
        """The same with its namespace: `secret/demo-secret in dev-demo`."""
        return f"{self} in {self.namespace}" if self.namespace else str(self)
