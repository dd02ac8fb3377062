"""A store's tree at one commit: its entries, and who is meant to read them."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from flux_secret.errors import AccessError
from flux_secret.model.owners import FOLDER
from flux_secret.store.format.recipients import RecipientsFile
from flux_secret.store.interface import Commit, Entry, Layout

_MAX_LINKS: Final = 8
_KEYS: Final = frozenset({FOLDER, ".public-keys"})
"""Folders of the root that hold keys and rules, and no entries: nobody has to agree to them."""
_MAX_DEPTH: Final = 100  # folders; gopass walks up at most 100 levels too


GPG: Final = Layout(".gpg", ".gpg-id")
AGE: Final = Layout(".age", ".age-recipients")


def layout_of(commit: Commit) -> Layout:
    """Say what a store's files are called; where both kinds lie, OpenPGP counts, as in gopass."""
    is_age = commit.entry(AGE.recipients) is not None and commit.entry(GPG.recipients) is None
    return AGE if is_age else GPG


@dataclass(frozen=True, slots=True)
class Located:
    """Where an entry's ciphertext is."""

    tree: StoreTree
    path: str
    """Of its file, links followed."""
    blob: str


def located(name: str, at: Callable[[str], StoreTree]) -> Located | None:
    """Find an entry in whichever tree it, and each link on the way, is read from."""
    path = _file_of(name, at)
    for _ in range(_MAX_LINKS):
        if path.partition("/")[0] in _KEYS:
            return None
        tree = at(path)
        entry = tree.lookup(path)
        if entry is None or not (entry.is_file or entry.is_link):
            return None
        if entry.is_file:
            return Located(tree, path, entry.blob)
        path = tree.follow(path, entry)
    raise AccessError(
        f"the link {name!r} in the store leads in circles",
        remedy="remove it, and make it anew with `gopass link`",
    )


def _file_of(name: str, at: Callable[[str], StoreTree]) -> str:
    """Give the file of an entry, in whichever of the two layouts it is read."""
    for layout in (GPG, AGE):
        path = f"{name}{layout.extension}"
        if at(path).layout is layout:
            return path
    return f"{name}{GPG.extension}"


class StoreTree:
    """Entries by name, as gopass lists them (facts: gopass §1.2)."""

    def __init__(self, commit: Commit, layout: Layout = GPG) -> None:
        self._commit = commit
        self.layout = layout
        self._folders: dict[str, dict[str, Entry]] = {}
        self._near: dict[str, tuple[str, Entry] | None] = {}
        self._files: dict[str, RecipientsFile] = {}

    @property
    def commit(self) -> str:
        """The pinned commit's id."""
        return self._commit.commit

    def at(self, _path: str) -> StoreTree:
        """Give the tree that an entry is read from."""
        return self

    def blob(self, name: str) -> str | None:
        """Find an entry's ciphertext; None when there is no such entry.

        A link, as `gopass link` makes it, is followed inside the store; one that leads out of it,
        or in circles, raises `AccessError`.
        """
        found = self.find(name)
        return found.blob if found else None

    def file(self, name: str) -> str | None:
        """Find the file that holds an entry, links followed as in `blob`; None for no entry."""
        found = self.find(name)
        return found.path if found else None

    def find(self, name: str) -> Located | None:
        """Find both."""
        return located(name, self.at)

    def ciphertext(self, blob: str) -> bytes:
        """Give an entry's bytes as they are in git."""
        return self._commit.read(blob)

    def size(self, blob: str) -> int:
        """Give the size of an entry's ciphertext in bytes."""
        return self._commit.size(blob)

    def plain_file(self, path: str) -> bytes | None:
        """Give the bytes of a file that is no entry; None for what is no file."""
        entry = self._commit.entry(path)
        return self._commit.read(entry.blob) if entry and entry.is_file else None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every entry's name, sorted bytewise; folders that start with a dot are none."""
        return tuple(sorted(self._walk("", 0), key=os.fsencode))

    def wanted_recipients(self, name: str) -> tuple[str, ...]:
        """Give the ids of the nearest recipients file upwards, sorted; none where there is none."""
        found = self._nearest(posixpath.dirname(name))
        return self._recipients(found[1]).ids if found and found[1].is_file else ()

    def recipients_file(self, folder: str) -> tuple[str, RecipientsFile]:
        """Give the path and content of what says who may read below a folder.

        The nearest one upwards counts, and replaces those above it. Raises `AccessError` where
        there is none, or where it is no file: never does its absence mean "anyone".
        """
        found = self._nearest(folder)
        where = folder or "the store"
        if found is None:
            raise AccessError(
                f"nothing says who may read {where}: there is no {self.layout.recipients}",
                remedy="make it: flux-secret store init KEY…",
            )
        path, entry = found
        if not entry.is_file:
            kind = "folder" if entry.is_folder else "link" if entry.is_link else "submodule"
            raise AccessError(
                f"{path} is a {kind}, not a file of recipients",
                remedy="put the file itself there",
            )
        recipients = self._recipients(entry)
        if not recipients.ids:
            raise AccessError(
                f"{path} names nobody", remedy="bring it back from git history, or name a key in it"
            )
        return path, recipients

    def nearest(self, folder: str) -> str:
        """Give the path of the recipients file that counts below a folder; "" where there is none.

        It may be one that cannot be used.
        """
        found = self._nearest(folder)
        return found[0] if found else ""

    @property
    def recipients_files(self) -> tuple[str, ...]:
        """The folders that have a recipients file of their own, the root as "" first."""
        return tuple(self._folders_with(self.layout.recipients, "", 0))

    def _folders_with(self, name: str, folder: str, depth: int) -> Iterator[str]:
        if depth > _MAX_DEPTH:
            return
        entries = list(self._commit.children(folder))
        if any(entry.name == name and not entry.is_folder for entry in entries):
            yield folder
        for entry in entries:
            if entry.is_folder and not entry.name.startswith("."):
                path = f"{folder}/{entry.name}" if folder else entry.name
                yield from self._folders_with(name, path, depth + 1)

    def _nearest(self, folder: str) -> tuple[str, Entry] | None:
        """Find the recipients file that counts for a folder; each folder is looked at once."""
        if folder not in self._near:
            path = posixpath.join(folder, self.layout.recipients)
            entry = self._commit.entry(path)
            above = self._nearest(posixpath.dirname(folder)) if folder and not entry else None
            self._near[folder] = (path, entry) if entry else above
        return self._near[folder]

    def _recipients(self, entry: Entry) -> RecipientsFile:
        if entry.blob not in self._files:
            self._files[entry.blob] = RecipientsFile(self._commit.read(entry.blob))
        return self._files[entry.blob]

    def lookup(self, path: str) -> Entry | None:
        """Find a file or a link.

        A folder is listed once: git would parse it again for each of its files.
        """
        folder, name = posixpath.split(path)
        if folder not in self._folders:
            found = self._commit.entry(folder)
            is_folder = found is not None and found.is_folder
            children = self._commit.children(folder) if is_folder else ()
            self._folders[folder] = {child.name: child for child in children}
        return self._folders[folder].get(name)

    def follow(self, path: str, entry: Entry) -> str:
        """Give where a link leads; raise `AccessError` when that is out of the store."""
        to = self._commit.read(entry.blob).decode(errors="replace")
        end = posixpath.normpath(posixpath.join(posixpath.dirname(path), to))
        if to.startswith("/") or end.startswith(".."):
            raise AccessError(
                f"the link {path!r} leads out of the store",
                remedy="remove it, and make it anew with `gopass link`",
            )
        return end

    def _walk(self, folder: str, depth: int) -> Iterator[str]:
        if depth > _MAX_DEPTH:
            return
        for entry in self._commit.children(folder):
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_folder and not entry.name.startswith("."):
                yield from self._walk(path, depth + 1)
            elif entry.name.endswith(self.layout.extension) and (entry.is_file or entry.is_link):
                yield path.removesuffix(self.layout.extension)
