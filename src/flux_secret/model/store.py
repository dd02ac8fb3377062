"""A Store: where a gopass or pass store lies, and which namespaces may read which paths of it.

    apiVersion: flux-secret.io/v1alpha1
    kind: Store
    metadata: {name: apps, namespace: flux}
    spec:
      url: git@git.example.org:org/secrets
      readers:
        - {namespaces: [dev-demo], paths: [application/demo/dev]}

Without readers nobody may read it (design decision 14). `owners: {anchor: {commit: …}}` says which
owners file is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import UsageError
from flux_secret.model.fields import Fields, bad
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.ownerkey import OwnerKey

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
EVERY: Final = "*"
"""Every namespace; or every path."""
_SPEC: Final = ("url", "mount", "readers", "suspend", "owners")


@dataclass(frozen=True, slots=True)
class Reader:
    """Some namespaces whose Apps may read some paths."""

    namespaces: frozenset[str]
    paths: tuple[str, ...]
    """Folders or entries below the store, as `application/demo`; `*` for all of it."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Whose word counts about a store's owners to begin with."""

    commit: str = ""
    """One whose owners file is trusted: its whole id."""
    keys: tuple[OwnerKey, ...] = ()
    """Without a commit: the one that brought the file in counts, if one of them has signed it."""


NO_ANCHOR: Final = Anchor()
"""The first owners file that is seen is trusted."""


@dataclass(frozen=True, slots=True)
class Store:
    """A store that Apps may name."""

    name: StoreName
    """Its mount: the first part of its entries' names."""
    url: GitUrl
    readers: tuple[Reader, ...] = ()
    suspended: bool = False
    """Whether nobody may read it for now."""
    anchor: Anchor = NO_ANCHOR

    def granted(self, namespace: str) -> tuple[str, ...]:
        """Give the paths that Apps of a namespace may read; empty for none."""
        if self.suspended:
            return ()
        paths = (
            path
            for reader in self.readers
            if reader.namespaces & {namespace, EVERY}
            for path in reader.paths
        )
        return tuple(dict.fromkeys(paths))


def covers(paths: tuple[str, ...], entry: str) -> bool:
    """Whether one of the paths is an entry's name below its store, or a folder above it."""
    return any(path in {EVERY, entry} or entry.startswith(f"{path}/") for path in paths)


def parse_store(name: str, spec: object, where: str) -> Store:
    """Read `spec`; raise `ConfigurationError`. `where` names the document for people."""
    fields = Fields(spec, f"{where}: spec", _SPEC)
    readers = [
        _reader(item, f"{fields.place('readers')}[{number}]")
        for number, item in enumerate(fields.items("readers"))
    ]
    url = fields.read("url", GitUrl.parse)
    if url.login is not None:
        raise bad(
            f"{fields.place('url')} holds a user or a password",
            "leave it out: the agent's --git-credentials-file has it",
        )
    return Store(
        name=fields.read("mount", StoreName.parse, StoreName.parse(name)),
        url=url,
        readers=tuple(readers),
        suspended=fields.flag("suspend", default=False),
        anchor=_anchor(fields.within("owners", ("anchor",))),
    )


def _anchor(owners: Fields) -> Anchor:
    fields = owners.within("anchor", ("commit", "keys"))
    commit = fields.read("commit", parse_commit, "") if fields.has("commit") else ""
    keys = []
    for text in fields.texts("keys") if fields.has("keys") else ():
        try:
            keys.append(OwnerKey.parse(text))
        except UsageError as error:
            raise bad(f"{fields.place('keys')}: {error.what}", error.remedy) from None
    return Anchor(commit, tuple(keys))


def parse_commit(text: str) -> str:
    """Read a commit's whole id; raise `UsageError`."""
    if not _COMMIT.fullmatch(text):
        raise UsageError(
            f"{text[:80]!a} is no commit by its whole id",
            remedy="write 40 or 64 hex digits: git log --format=%H",
        )
    return text


def _reader(item: object, where: str) -> Reader:
    fields = Fields(item, where, ("namespaces", "paths"))
    namespaces, paths = fields.texts("namespaces"), fields.texts("paths")
    if not namespaces or not paths:
        raise bad(
            f"{where} names no {'namespaces' if not namespaces else 'paths'}",
            "name who may read what; '*' stands for all",
        )
    for path in paths:
        parts = path.split("/")
        if path != EVERY and (not path.isprintable() or {"", ".", ".."} & set(parts)):
            raise bad(
                f"{fields.place('paths')} names {path[:80]!a}, which is no folder of a store",
                "write FOLDER/ENTRY without the store's name, or '*'",
            )
    return Reader(frozenset(namespaces), paths)


def parse_stores(documents: Mapping[str, object]) -> Mapping[str, Store]:
    """Read several, by their names; raise `ConfigurationError` when two have one mount."""
    stores = {name: parse_store(name, spec, f"Store {name}") for name, spec in documents.items()}
    mounts: dict[StoreName, str] = {}
    for name, store in stores.items():
        if store.name in mounts:
            raise bad(
                f"Store {name} and Store {mounts[store.name]} are both mounted at {store.name}",
                "give one of them another spec.mount",
            )
        mounts[store.name] = name
    return stores
