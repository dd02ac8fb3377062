"""A person's settings → their stores, opened with their own gpg and git."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from flux_secret.errors import KeyFileError, UsageError
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.record import Recorder
from flux_secret.outside.digestcache import DigestCache
from flux_secret.outside.git.clone import Clone
from flux_secret.outside.git.person import PersonGit
from flux_secret.outside.gitconfig import set_config
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.keyring import Keyring
from flux_secret.outside.passphrase import ask_passphrase
from flux_secret.outside.workfolder import WorkFolder
from flux_secret.settings.age import AgeSettings
from flux_secret.settings.person import PersonSettings, hash_name
from flux_secret.store.crypto.age import AgeCrypto
from flux_secret.store.crypto.ageidentities import new_identity
from flux_secret.store.crypto.ageperson import AgeFiles, PersonsAge
from flux_secret.store.crypto.gnupg import GnuPgCrypto
from flux_secret.store.crypto.recipients import Exported, Recipient, Recipients
from flux_secret.store.interface import Layout
from flux_secret.store.tree import AGE, layout_of
from flux_secret.store.working.founding import Founded, found, found_age, join, refuse_full
from flux_secret.store.working.mounts import Mounts
from flux_secret.store.working.pin import Pin
from flux_secret.store.working.store import WorkingStore

_PUBLIC_KEYS = (".public-keys", ".gpg-keys")  # the second is gopass's older name


@asynccontextmanager
async def mounted(settings: PersonSettings, recorder: Recorder) -> AsyncIterator[Mounts]:
    """Open every store that the person has; `recorder` has what is read before it is decrypted."""
    gpg = _gpg(settings)
    keyring, git, age = Keyring(gpg), PersonGit(settings.git_env), persons_age(settings)
    async with contextlib.AsyncExitStack() as resources:
        resources.push_async_callback(gpg.close)
        there = {name: root for name, root in settings.stores.items() if root.is_dir()}
        opened = {
            name: await _open(name, root, (keyring, age), git, recorder)
            for name, root in there.items()
        }
        yield Mounts({name: replace(one, pin=_pin(settings, name)) for name, one in opened.items()})


def remembering(settings: PersonSettings, store: WorkingStore) -> DigestCache:
    """Open what is remembered of a store's versions, between commands of one person."""
    place = store.clone.git_dir if store.clone is not None else store.folder.root
    return DigestCache(settings.cache, str(place.resolve()))


def _pin(settings: PersonSettings, name: str) -> Pin | None:
    if name not in settings.accepted:
        return None
    accept = partial(set_config, settings.config, hash_name(name))
    return Pin(settings.accepted[name], accept)


def persons_age(settings: PersonSettings) -> PersonsAge:
    """Find a person's identities for age; none is read yet."""
    age = settings.age

    async def ask(file: str) -> Plaintext | None:
        return age.passphrase or await ask_passphrase(f"passphrase of {file}")

    return PersonsAge(AgeFiles((age.gopass, age.passage), age.ssh), ask)


async def _open(
    name: str,
    root: Path,
    keys: tuple[Keyring, PersonsAge],
    git: PersonGit,
    recorder: Recorder,
) -> WorkingStore:
    folder, (keyring, age) = WorkFolder(root), keys
    is_age = layout_of(folder) is AGE
    crypto = AgeCrypto(age) if is_age else GnuPgCrypto(keyring, _exported(folder))
    return WorkingStore(name, folder, await Clone.find(folder, git), crypto, recorder)


def _exported(folder: WorkFolder) -> Exported:
    def exported(recipient: str) -> bytes | None:
        if "/" in recipient:
            return None
        paths = (f"{place}/{recipient}" for place in _PUBLIC_KEYS)
        found = (entry for path in paths if (entry := folder.entry(path)))
        plain = (one for one in found if one.is_file)
        return next((folder.read(one.blob) for one in plain), None)

    return exported


@dataclass(frozen=True, slots=True)
class Founder:
    """Makes and gets stores with a person's own keys and git."""

    keyring: Keyring
    age: PersonsAge
    git: PersonGit
    settings: AgeSettings

    async def found(self, place: Path, ids: Sequence[str], *, age: bool = False) -> Founded:
        """Make a store that these keys can read; raise, and leave nothing, when that cannot be."""
        if not age:
            return await found(place, ids, self._recipients, self.keyring, self.git)
        refuse_full(place)
        return await found_age(place, ids or [await self._own()], AgeCrypto(self.age), self.git)

    async def join(self, url: str, place: Path) -> Founded:
        """Get a store that others have."""
        return await join(url, place, self._is_readable, self.git)

    async def _is_readable(self, layout: Layout, ids: Sequence[str]) -> bool:
        if layout is AGE:
            return any(one.is_self for one in await AgeCrypto(self.age).readers(ids))
        own = {key.fingerprint for key in await self.keyring.secret_keys()}
        others = await self._recipients.find(ids)
        return any(isinstance(one, Recipient) and one.key.fingerprint in own for one in others)

    async def _own(self) -> str:
        """Give the person's only recipient for age; make one where they have none, as gopass does.

        Raises `UsageError` where they have several, and `KeyFileError` without a passphrase.
        """
        plain, locked = await self.age.ready(ssh=False), await self.age.unlocked()
        publics = sorted({*plain.publics, *locked.publics})
        if len(publics) > 1:
            raise UsageError(
                f"you have {len(publics)} identities for age: {', '.join(publics)}",
                remedy="name those who are to read the store",
            )
        if publics:
            return publics[0]
        if self.settings.gopass.exists():
            raise KeyFileError(
                f"{self.settings.gopass} holds no identity that can be used here",
                remedy="add one: gopass age identities keygen",
            )
        return await self._new_identity()

    async def _new_identity(self) -> str:
        passphrase = self.settings.passphrase or await ask_passphrase(
            f"new passphrase for {self.settings.gopass}", again=True
        )
        if passphrase is None or passphrase.is_empty:
            raise KeyFileError(
                "you have no identity for age, and there is no passphrase to keep a new one under",
                remedy="run it on a terminal, or set GOPASS_AGE_PASSWORD, or name a recipient",
            )
        public, file = new_identity(passphrase)
        WorkFolder(self.settings.gopass.parent).write(self.settings.gopass.name, file)
        self.age.forget()
        return public

    @property
    def _recipients(self) -> Recipients:
        return Recipients(self.keyring, lambda _id: None)


def founder(settings: PersonSettings) -> Founder:
    """Connect what makes and gets stores."""
    keyring, git = Keyring(_gpg(settings)), PersonGit(settings.git_env)
    return Founder(keyring, persons_age(settings), git, settings.age)


def _gpg(settings: PersonSettings) -> Gpg:
    return Gpg(path=settings.tool_path, home=settings.gnupg_home, terminal=settings.pinentry_env)
