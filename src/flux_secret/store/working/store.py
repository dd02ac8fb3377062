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
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from flux_secret.errors import (
    AccessError,
    ConfigurationError,
    DecryptError,
    EntryNotFoundError,
    UsageError,
)
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.git.clone import Clone
from flux_secret.outside.workfolder import WorkFolder
from flux_secret.store.format import names
from flux_secret.store.interface import Crypto
from flux_secret.store.tree import StoreTree


@dataclass(frozen=True, slots=True)
class WorkingStore:
    """One store that a person has mounted."""

    name: str
    """Its mount's name; empty for the root store."""
    folder: WorkFolder
    clone: Clone | None
    """Its repository; None for a plain folder, which keeps no history."""
    crypto: Crypto

    def tree(self) -> StoreTree:
        """Look at the folder as it is now."""
        return StoreTree(self.folder, self.crypto.layout)

    def full(self, name: str) -> str:
        """Give an entry's name as people write it, the mount first."""
        return posixpath.join(self.name, name)

    async def read(self, name: str) -> Plaintext:
        """Decrypt one entry; raise `EntryNotFoundError` or `DecryptError`."""
        answer = (await self.read_all([name]))[0]
        if isinstance(answer, DecryptError):
            raise answer
        return answer

    async def read_all(self, entries: Sequence[str]) -> list[Plaintext | DecryptError]:
        """Decrypt many entries; each that cannot be is its own `DecryptError`."""
        tree = self.tree()
        answers = await self.crypto.decrypt_all([self._ciphertext(tree, one) for one in entries])
        return [
            DecryptError(f"{self.full(name)}: {answer.what}", remedy=answer.remedy)
            if isinstance(answer, DecryptError)
            else answer
            for name, answer in zip(entries, answers, strict=True)
        ]

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Draft]:
        """Lend a draft of one change; what is not committed from it never was."""
        async with self.folder.locked():
            if self.clone is not None:
                await self.clone.recover()
                unfinished = self.clone.unfinished()
                if unfinished:
                    raise ConfigurationError(
                        f"{self.folder.root} is in the middle of {unfinished}",
                        remedy="end it without losing either side: flux-secret store sync",
                    )
            yield Draft(self)

    def _ciphertext(self, tree: StoreTree, name: str) -> bytes:
        blob = tree.blob(name)
        if blob is None:
            raise EntryNotFoundError(
                f"there is no entry {self.full(name)}",
                remedy=f"look what there is: flux-secret store ls {posixpath.dirname(name)}",
            )
        return tree.ciphertext(blob)


@dataclass(slots=True)
class Draft:
    """One change that is being made; nothing of it is written before `commit`."""

    store: WorkingStore
    _texts: dict[str, Plaintext | None] = field(default_factory=dict, repr=False)
    _files: dict[str, bytes] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The entries that there are before the change."""
        return self.store.tree().names

    async def read(self, name: str) -> Plaintext:
        """Decrypt an entry as it is before the change."""
        return await self.store.read(name)

    def put(self, name: str, text: Plaintext) -> None:
        """Set an entry's whole text; raise `UsageError` for a name that cannot be."""
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
        self._texts[name] = text

    def remove(self, name: str) -> None:
        """Take an entry away."""
        self._texts[name] = None

    def put_file(self, path: str, data: bytes) -> None:
        """Set a file that is no entry: recipients, an exported key."""
        self._files[path] = data

    async def commit(self, message: str) -> str | None:
        """Make the change; give the new commit, None where there is no repository.

        Raises `RecipientError` when somebody cannot be encrypted to; nothing is changed then.
        """
        files: dict[str, bytes | None] = {
            path: await self._sealed(path, name, text) for name, text in self._texts.items()
            for path in [name + self.store.crypto.layout.extension]
        }  # fmt: skip
        files |= self._files
        if self.store.clone is None:
            for path, data in files.items():
                if data is None:
                    self.store.folder.remove(path)
                else:
                    self.store.folder.write(path, data)
            return None
        return await self._committed(self.store.clone, files, message)

    async def _sealed(self, path: str, name: str, text: Plaintext | None) -> bytes | None:
        if text is None:
            return None
        if text.is_empty:
            raise AccessError(
                f"{self.store.full(name)} would become empty",
                remedy="give it a value, or remove it: flux-secret store rm",
            )
        return await self.store.crypto.encrypt(text, self._wanted(path), self.store.full(name))

    def _wanted(self, path: str) -> Collection[str]:
        """Give who is to read an entry after the change: a recipients file may be part of it."""
        tree = self.store.tree()
        folder = posixpath.dirname(path)
        file, recipients = tree.recipients_file(folder)
        for above in [folder, *_parents(folder)]:
            own = posixpath.join(above, tree.layout.recipients)
            if own in self._files:
                return type(recipients)(self._files[own]).ids
            if own == file:
                return recipients.ids
        return recipients.ids

    async def _committed(self, clone: Clone, files: dict[str, bytes | None], message: str) -> str:
        head = await clone.head()
        differing = clone.differing(head, list(files))
        if differing:
            raise ConfigurationError(
                f"{', '.join(differing[:5])} in {clone.folder.root} is not as git has it",
                remedy="commit them first, or look at them: flux-secret store check",
            )
        commit = await clone.commit(files, message, parents=(head,) if head else ())
        await clone.advance(head, commit, message)
        return commit


def _parents(folder: str) -> list[str]:
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:end]) for end in range(len(parts) - 1, -1, -1)]
