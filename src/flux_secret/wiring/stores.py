"""A person's settings → their stores, opened with their own gpg and git."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from flux_secret.outside.git.clone import Clone
from flux_secret.outside.git.person import PersonGit
from flux_secret.outside.gitconfig import set_config
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.keyring import Keyring
from flux_secret.outside.workfolder import WorkFolder
from flux_secret.settings.person import PersonSettings, hash_name
from flux_secret.store.crypto.gnupg import GnuPgCrypto
from flux_secret.store.crypto.recipients import Recipients
from flux_secret.store.working.founding import Founded, found, join
from flux_secret.store.working.mounts import Mounts
from flux_secret.store.working.pin import Pin
from flux_secret.store.working.store import WorkingStore

_PUBLIC_KEYS = (".public-keys", ".gpg-keys")  # the second is gopass's older name


@asynccontextmanager
async def mounted(settings: PersonSettings) -> AsyncIterator[Mounts]:
    """Open every store that the person has."""
    gpg = _gpg(settings)
    keyring, git = Keyring(gpg), PersonGit(settings.git_env)
    async with contextlib.AsyncExitStack() as resources:
        resources.push_async_callback(gpg.close)
        there = {name: root for name, root in settings.stores.items() if root.is_dir()}
        opened = {name: await _open(name, root, keyring, git) for name, root in there.items()}
        yield Mounts({name: replace(one, pin=_pin(settings, name)) for name, one in opened.items()})


def _pin(settings: PersonSettings, name: str) -> Pin | None:
    if name not in settings.accepted:
        return None
    accept = partial(set_config, settings.config, hash_name(name))
    return Pin(settings.accepted[name], accept)


async def _open(name: str, root: Path, keyring: Keyring, git: PersonGit) -> WorkingStore:
    folder = WorkFolder(root)

    def exported(recipient: str) -> bytes | None:
        if "/" in recipient:
            return None
        paths = (f"{place}/{recipient}" for place in _PUBLIC_KEYS)
        found = (entry for path in paths if (entry := folder.entry(path)))
        plain = (one for one in found if not one.is_folder and not one.is_link)
        return next((folder.read(one.blob) for one in plain), None)

    return WorkingStore(name, folder, await Clone.find(folder, git), GnuPgCrypto(keyring, exported))


@dataclass(frozen=True, slots=True)
class Founder:
    """Makes and gets stores with a person's own gpg and git."""

    keyring: Keyring
    git: PersonGit

    async def found(self, place: Path, ids: Sequence[str]) -> Founded:
        """Make a store that these keys can read."""
        return await found(place, ids, self._recipients, self.keyring, self.git)

    async def join(self, url: str, place: Path) -> Founded:
        """Get a store that others have."""
        return await join(url, place, self.keyring, self._recipients, self.git)

    @property
    def _recipients(self) -> Recipients:
        return Recipients(self.keyring, lambda _id: None)


def founder(settings: PersonSettings) -> Founder:
    """Connect what makes and gets stores."""
    return Founder(Keyring(_gpg(settings)), PersonGit(settings.git_env))


def _gpg(settings: PersonSettings) -> Gpg:
    return Gpg(path=settings.tool_path, home=settings.gnupg_home, terminal=settings.pinentry_env)
