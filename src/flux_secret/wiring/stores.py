"""A person's settings → their stores, opened with their own gpg and git."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from flux_secret.outside.git.clone import Clone
from flux_secret.outside.git.person import PersonGit
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.keyring import Keyring
from flux_secret.outside.workfolder import WorkFolder
from flux_secret.settings.person import PersonSettings
from flux_secret.store.crypto.gnupg import GnuPgCrypto
from flux_secret.store.working.mounts import Mounts
from flux_secret.store.working.store import WorkingStore

_PUBLIC_KEYS = (".public-keys", ".gpg-keys")  # the second is gopass's older name


@asynccontextmanager
async def mounted(settings: PersonSettings) -> AsyncIterator[Mounts]:
    """Open every store that the person has."""
    gpg = Gpg(path=settings.tool_path, home=settings.gnupg_home, terminal=settings.pinentry_env)
    keyring, git = Keyring(gpg), PersonGit(settings.git_env)
    async with contextlib.AsyncExitStack() as resources:
        resources.push_async_callback(gpg.close)
        there = {name: root for name, root in settings.stores.items() if root.is_dir()}
        yield Mounts({name: await _open(name, root, keyring, git) for name, root in there.items()})


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
