"""A store in a person's folder: its entries, who may read them, and changes of it.

Beside it work the same person's gopass, pass and git, so nothing is cached between two changes. A
change is one commit:

1. be the only flux-secret here, and finish what an earlier one began;
2. refuse while git, or gopass, has something unfinished here;
3. encrypt each entry to everybody that its nearest recipients file names, or write nothing;
4. commit, and bring the folder after the commit (`outside.git.clone`).

A store without a repository is changed file by file, each in one step.
"""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from flux_secret.errors import (
    AccessError,
    ConfigurationError,
    DecryptError,
    EntryNotFoundError,
    UsageError,
)
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.record import Recorder
from flux_secret.outside.git.clone import Blob, Clone
from flux_secret.outside.git.progress import Progress
from flux_secret.outside.objects import DamagedRepositoryError
from flux_secret.outside.workfolder import WorkFolder
from flux_secret.store.format import names
from flux_secret.store.interface import Commit, Crypto
from flux_secret.store.tree import Located, StoreTree
from flux_secret.store.working.overlay import Overlay
from flux_secret.store.working.pin import Pin
from flux_secret.store.working.recorded import Sealed, notes


@dataclass(frozen=True, slots=True)
class WorkingStore:
    """One store that a person has mounted."""

    name: str
    """Its mount's name; empty for the root store."""
    folder: WorkFolder
    clone: Clone | None
    """Its repository; None for a plain folder, which keeps no history."""
    crypto: Crypto
    recorder: Recorder
    """Has each ciphertext before it is decrypted."""
    pin: Pin | None = None
    """Which recipients the person's gopass accepts; None where it does not look."""

    def tree(self) -> StoreTree:
        """Look at the folder as it is now."""
        return StoreTree(self.folder, self.crypto.layout)

    def full(self, name: str) -> str:
        """Give an entry's name as people write it, the mount first."""
        return posixpath.join(self.name, name)

    def place(self, folder: str) -> str:
        """Give a folder's name as people write it, the whole store's too."""
        return posixpath.join(self.name, folder) if folder else self.name or "the root store"

    async def read(self, name: str, tree: StoreTree | None = None) -> Plaintext:
        """Decrypt one entry; raise `EntryNotFoundError` or `DecryptError`."""
        answer = (await self.read_all([name], tree))[0]
        if isinstance(answer, DecryptError):
            raise answer
        return answer

    async def read_all(
        self, entries: Sequence[str], tree: StoreTree | None = None
    ) -> list[Plaintext | DecryptError]:
        """Decrypt many entries; each that cannot be is its own `DecryptError`."""
        tree = tree or self.tree()
        found = {name: self._located(tree, name) for name in entries}
        files = {name: (one.path, tree.ciphertext(one.blob)) for name, one in found.items()}
        sealed = await self.sealed(files, tree.commit)
        answers = await self.open_all([(sealed[name], files[name][1]) for name in entries])
        return [
            DecryptError(f"{self.full(name)}: {answer.what}", remedy=answer.remedy)
            if isinstance(answer, DecryptError)
            else answer
            for name, answer in zip(entries, answers, strict=True)
        ]

    async def open_all(
        self, sealed: Sequence[tuple[Sealed, bytes]]
    ) -> list[Plaintext | DecryptError]:
        """Record these ciphertexts, then decrypt them: everything that is decrypted comes by here.

        Raises `RecordError`, with nothing decrypted.
        """
        if not sealed:
            return []
        store = self.name or str(self.folder.root)
        await self.recorder.write([*notes((one for one, _ in sealed), store, self.full)])
        return await self.crypto.decrypt_all([message for _, message in sealed])

    async def sealed(
        self, files: Mapping[str, tuple[str, bytes]], commit: str = ""
    ) -> dict[str, Sealed]:
        """Say which version each entry's file is; `files` has its path and bytes by its name.

        `commit` is what they were read from; without one, the commit that is checked out is named
        where it has the same bytes at that path. A damaged repository is no reason to read nothing.
        """
        head = commit or (await self.clone.head() if self.clone is not None else None) or ""
        found = {name: Sealed(name, Clone.blob_id(data)) for name, (_, data) in files.items()}
        at = self._at(head)
        return {
            name: one._replace(commit=head) if _has(at, files[name][0], one.blob) else one
            for name, one in found.items()
        }

    def _at(self, commit: str) -> Commit | None:
        if self.clone is not None and commit:
            with suppress(DamagedRepositoryError):
                return self.clone.at(commit)
        return None

    async def refuse_unwritable(self, name: str) -> None:
        """Raise what writing an entry would raise, as far as it can be told before."""
        _, recipients = self.tree().recipients_file(posixpath.dirname(name))
        await self.crypto.encrypt(Plaintext(b"\n"), recipients.ids, self.full(name))

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Draft]:
        """Lend a draft of one change; what is not committed from it never was."""
        async with self.folder.locked():
            if self.clone is not None:
                await self.clone.quiet()
                await self.clone.recover()
                unfinished = self.clone.unfinished()
                if unfinished:
                    raise ConfigurationError(
                        f"{self.folder.root} is in the middle of {unfinished}",
                        remedy="end it without losing either side: flux-secret store sync",
                    )
            before = self.tree()
            if self.clone is not None:
                _forget_committed(self.clone, before)
            if self.pin is not None and before.nearest(""):
                self.pin.check(before.recipients_file("")[1], self.place(""))
            yield Draft(self, before)

    def _located(self, tree: StoreTree, name: str) -> Located:
        found = tree.find(name)
        if found is None:
            hint = names.meant(self.full(name), map(self.full, tree.names))
            if tree.commit:
                raise EntryNotFoundError(
                    f"there was no entry {self.full(name)} in commit {tree.commit[:12]}",
                    remedy=f"{hint}Look when there was: flux-secret store history ENTRY",
                )
            raise EntryNotFoundError(
                f"there is no entry {self.full(name)}",
                remedy=f"{hint}Look what there is: flux-secret store ls {self.name}".strip(),
            )
        return found


def _has(at: Commit | None, path: str, blob: str) -> bool:
    """Say whether a commit has that file there; no for what cannot be looked up."""
    with suppress(DamagedRepositoryError):
        entry = at.entry(path) if at is not None else None
        return entry is not None and entry.blob == blob
    return False


def _forget_committed(clone: Clone, tree: StoreTree) -> None:
    """Forget what one that was killed behind its commit still has on record as to be done."""
    progress = Progress(clone.git_dir)
    if progress.is_there:
        files = ((step, tree.plain_file(step.path)) for step in progress.steps())
        progress.forget(step.path for step, data in files
                        if data is not None and clone.blob_id(data) == step.new)  # fmt: skip


@dataclass(slots=True)
class Draft:
    """One change that is being made; nothing of it is written before `commit`."""

    store: WorkingStore
    before: StoreTree
    """The store as it is; nobody but us changes it through flux-secret meanwhile."""
    _texts: dict[str, Plaintext | None] = field(default_factory=dict, repr=False)
    _files: dict[str, bytes | None] = field(default_factory=dict)
    _sealed: dict[str, bytes | Blob] = field(default_factory=dict, repr=False)
    _after: StoreTree | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The entries that there are before the change."""
        return self.before.names

    def after(self) -> StoreTree:
        """Look at the store as it will be; the entries that are set still have their old bytes."""
        if self._after is None:
            layout = self.store.crypto.layout
            gone = {
                one + layout.extension: None for one, text in self._texts.items() if text is None
            }
            self._after = StoreTree(Overlay(self.store.folder, self._files | gone), layout)
        return self._after

    async def read(self, name: str) -> Plaintext:
        """Decrypt an entry as it is before the change."""
        return await self.store.read(name)

    def put(self, name: str, text: Plaintext) -> None:
        """Set an entry's whole text; raise `UsageError` for a name that cannot be."""
        self._check(name)
        self._texts[name], self._after = text, None

    def _check(self, name: str) -> None:
        existing = self.names
        if name not in existing:
            names.checked(name)
            twin = names.twin(name, existing)
            if twin is not None:
                raise UsageError(
                    f"there is an entry {self.store.full(twin)!a} already, "
                    f"whose name looks like {name!a}",
                    remedy="change that one, or choose a name that is told from it",
                )

    def remove(self, name: str) -> None:
        """Take an entry away."""
        self._texts[name], self._after = None, None

    async def take(self, name: str, new: str) -> None:
        """Give an entry a second name; it is encrypted anew for other people if they are others."""
        tree = self.before
        if tree.wanted_recipients(name) == tree.wanted_recipients(new):
            self._check(new)
            blob = tree.blob(name)
            if blob is not None:
                self.put_file(new + tree.layout.extension, tree.ciphertext(blob))
                return
        self.put(new, await self.read(name))

    def put_file(self, path: str, data: bytes | None) -> None:
        """Set a file that is no entry: recipients, an exported key; None takes it away."""
        self._files[path], self._after = data, None

    def reseal(self, path: str, ciphertext: bytes | Blob) -> None:
        """Set an entry's file to the same text, encrypted anew."""
        self._sealed[path] = ciphertext

    async def commit(self, message: str) -> str | None:
        """Make the change; give the new commit, None where there is no repository.

        Raises `RecipientError` when somebody cannot be encrypted to; nothing is changed then.
        """
        files: dict[str, bytes | Blob | None] = {**self._files, **self._sealed}
        after = self.after()
        for name, text in self._texts.items():
            path = name + self.store.crypto.layout.extension
            files[path] = await self._encrypted(after, path, name, text)
        commit = None
        if self.store.clone is not None:
            commit = await self._committed(self.store.clone, files, message)
        else:
            self._write(files)
        if self.store.pin is not None and after.layout.recipients in self._files:
            self.store.pin.renew(after.recipients_file("")[1])
        return commit

    def _write(self, files: Mapping[str, bytes | Blob | None]) -> None:
        for path, data in files.items():
            if data is None:
                self.store.folder.remove(path)
            elif not isinstance(data, Blob):  # a blob is made in a repository only
                self.store.folder.write(path, data)

    async def _encrypted(
        self, after: StoreTree, path: str, name: str, text: Plaintext | None
    ) -> bytes | None:
        if text is None:
            return None
        if text.is_empty:
            raise AccessError(
                f"{self.store.full(name)} would become empty",
                remedy="give it a value, or remove it: flux-secret store rm",
            )
        _, recipients = after.recipients_file(posixpath.dirname(path))
        return await self.store.crypto.encrypt(text, recipients.ids, self.store.full(name))

    async def _committed(
        self, clone: Clone, files: dict[str, bytes | Blob | None], message: str
    ) -> str:
        head = await clone.head()
        differing = clone.differing(head, list(files))
        if differing:
            raise ConfigurationError(
                f"{', '.join(differing[:5])} in {clone.folder.root} is not as git has it",
                remedy="commit them first, or look at them: flux-secret store check",
            )
        commit = await clone.commit(files, message, parents=(head,) if head else ())
        await clone.advance(head, commit, message)
        Progress(clone.git_dir).forget(self._sealed)
        return commit
