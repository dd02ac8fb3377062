"""Mirrors, trees and keys → the facts of a chain: where it is written, who can read, which key."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flux_secret.errors import AccessError, FluxSecretError
from flux_secret.model.delivery import Read, Revision
from flux_secret.model.names import SecretPath, StoreName
from flux_secret.model.record import Kind, Note, Recorder, Unrecorded
from flux_secret.model.target import Target
from flux_secret.model.why import Touched
from flux_secret.outside.git import Mirror
from flux_secret.outside.git.blame import commits, touched
from flux_secret.outside.objects import Commit
from flux_secret.reconcile.why.places import nearest_first
from flux_secret.reconcile.why.seen import EntryFacts, KeyFacts
from flux_secret.settings.person import PersonSettings
from flux_secret.store.crypto.agerecipients import stanzas
from flux_secret.store.crypto.packets import HIDDEN, recipients
from flux_secret.store.tree import AGE, StoreTree, layout_of
from flux_secret.wiring.keys import Keys, own_key_ids

MAX_FILES: Final = 2_000  # of a repository that are looked through
MAX_FILE: Final = 256 * 1024  # bytes; larger ones are not looked through
MAX_TEXT: Final = 16 * 1024 * 1024  # bytes of all of them
MAX_TRIED: Final = 20  # older versions of a damaged entry
_NEAR: Final = 3
_TRIED: Final = "its last version that opens was looked for"
_DEEP: Final = 50  # folders


@dataclass(frozen=True, slots=True)
class PinnedRepository:
    """A commit of an application repository."""

    mirror: Mirror
    commit: str

    def texts(self, near: str) -> Sequence[tuple[str, str]]:
        """Give (path, text) of its text files, those nearest to a path first, within bounds."""
        tree = Commit(self.mirror.path, self.commit)
        blobs = dict(_files(tree, "", 0))
        found, left = [], MAX_TEXT
        for path in nearest_first(blobs, near)[:MAX_FILES]:
            size = tree.size(blobs[path])
            if size > min(MAX_FILE, left):
                continue
            data = tree.read(blobs[path])
            if b"\0" not in data:
                left -= size
                found.append((path, data.decode(errors="replace")))
        return found

    async def touched(self, file: str, line: int | None) -> Touched | None:
        """Say which commit changed a line, a file (no line) or anything (no file) last."""
        return await touched(self.mirror, self.commit, file, line)


def _files(tree: Commit, folder: str, depth: int) -> Iterator[tuple[str, str]]:
    for entry in tree.children(folder):
        path = f"{folder}/{entry.name}" if folder else entry.name
        if entry.is_folder and depth < _DEEP:
            yield from _files(tree, path, depth + 1)
        elif entry.is_file:
            yield path, entry.blob


@dataclass(frozen=True, slots=True)
class EntryLook:
    """Looks at entries in the stores' pinned commits, and at the keys."""

    mirrors: Mapping[StoreName, Mirror]
    keys: Keys | None
    where: str
    """Where the keys come from, for people."""
    problem: FluxSecretError | None = None
    """Why there are no keys."""
    recorder: Recorder = field(default_factory=Unrecorded)
    """Has each older version that is tried before it is."""

    async def key(self) -> KeyFacts:
        """Say which keys decrypt."""
        if self.keys is None:
            return KeyFacts(self.where, error=self.problem)
        ids = tuple(self.keys.decryptor.key_ids) or tuple(sorted(await own_key_ids(self.keys)))
        return KeyFacts(self.where, ids)

    async def facts(
        self, target: Target, path: SecretPath, read: Read | None, revision: Revision | None
    ) -> EntryFacts:
        """Say what is known of an entry."""
        pinned = revision.stores if revision else {}
        mounts = [name for name in pinned if path.under(name) is not None]
        if not mounts:
            names = [str(name) for name in target.stores]
            near = difflib.get_close_matches(path.parts[0], names, n=_NEAR)
            return EntryFacts(path, "", near=tuple(near))
        store = max(mounts, key=lambda name: str(name).count("/"))
        return await self._in(store, path, pinned[store].commit, damaged=_is_unopened(read))

    async def _in(
        self, store: StoreName, path: SecretPath, commit: str, *, damaged: bool
    ) -> EntryFacts:
        mirror, name = self.mirrors[store], path.under(store) or ""
        tree = _tree(mirror.path, commit)
        file, blob = tree.file(name), tree.blob(name)
        if file is None or blob is None:
            known = (f"{store}/{one}" for one in tree.names)
            near = tuple(difflib.get_close_matches(str(path), list(known), n=_NEAR))
            return EntryFacts(path, str(store), commit=commit, near=near, clone=_clone(store))
        return EntryFacts(
            path, str(store), file, commit,
            await touched(mirror, commit, file, None),
            tuple(_readers(tree, blob)),
            tree.wanted_recipients(name),
            tree.nearest(file.rpartition("/")[0]),
            good=await self._good(store, commit, path, file) if damaged else "",
            url=str(mirror.url),
            clone=_clone(store),
        )  # fmt: skip

    async def _good(self, store: StoreName, commit: str, path: SecretPath, file: str) -> str:
        """Find the newest older version that opens; what is in it is thrown away."""
        if self.keys is None:
            return ""
        decryptors, mirror = self.keys.decryptors, self.mirrors[store]
        for one in (await commits(mirror, commit, file, limit=MAX_TRIED))[1:]:
            old = _tree(mirror.path, one.commit)
            decryptor = decryptors.age if old.layout is AGE else decryptors.openpgp
            blob = old.blob(file.removesuffix(old.layout.extension))
            try:
                if blob is not None:
                    details = {"store": str(store), "commit": one.commit, "blob": blob}
                    note = Note(Kind.READ, str(path), {**details, "reason": _TRIED})
                    await self.recorder.write([note])
                    await decryptor.decrypt(old.ciphertext(blob))
                    return one.commit
            except AccessError:
                continue
        return ""


def _is_unopened(read: Read | None) -> bool:
    return read is not None and read.error is not None


def _tree(repository: Path, commit: str) -> StoreTree:
    at = Commit(repository, commit)
    return StoreTree(at, layout_of(at))


def _readers(tree: StoreTree, blob: str) -> Sequence[str]:
    message = tree.ciphertext(blob)
    if tree.layout is AGE:
        return [HIDDEN] * len(stanzas(message) or ())
    return recipients(message)


def _clone(store: StoreName) -> str:
    """Say where this person has the store."""
    try:
        folder = PersonSettings.load().stores.get(str(store))
    except FluxSecretError:
        return ""
    return str(folder) if folder is not None and folder.is_dir() else ""
