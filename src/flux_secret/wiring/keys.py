"""Settings → the keys that decrypt, sign and verify."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.errors import KeyFileError
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.keyring import Keyring
from flux_secret.outside.reading import read_bounded
from flux_secret.settings import KeySettings
from flux_secret.store.crypto.age import AgeDecryptor
from flux_secret.store.crypto.ageidentities import agents, together
from flux_secret.store.crypto.openpgp import GnuPgHome, OpenPgp
from flux_secret.store.crypto.packets import is_public_only
from flux_secret.store.interface import Decryptor, Decryptors

MAX_KEYS: Final = 16 * 1024 * 1024
"""Bytes of a file of OpenPGP keys, or of a passphrase."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What the keys are for."""

    decryptor: Decryptor
    gpg: Gpg
    """Has them all, public ones too: git verifies with it, and the sync tag is signed by it."""
    home: Gpg
    """A person's own, which decrypts where no private key was imported."""
    age: AgeDecryptor

    @property
    def decryptors(self) -> Decryptors:
        """Who opens stores."""
        return Decryptors(self.decryptor, self.age)

    @property
    def private(self) -> Gpg:
        """The one that has the private keys."""
        return self.gpg if self.decryptor.key_ids else self.home


async def own_key_ids(keys: Keys) -> frozenset[str]:
    """Give the ids of the private keys: those that were imported, else those of the GnuPG home."""
    if keys.decryptor.key_ids:
        return frozenset(keys.decryptor.key_ids)
    known = await Keyring(keys.home).secret_keys()
    return frozenset(subkey.key_id for key in known for subkey in key.subkeys)


def load_keys(keys: KeySettings, tool_path: str, resources: contextlib.AsyncExitStack) -> Keys:
    """Load the imported keys, once; where none of them is private, a person's own home decrypts."""
    age = AgeDecryptor(together(map(agents, keys.age_identities)))
    persons = Gpg(path=tool_path, home=keys.gnupg_home, terminal=keys.terminal)
    resources.push_async_callback(persons.close)
    if not keys.files:
        return Keys(GnuPgHome(persons), persons, persons, age)
    blocks = {file: _read(file) for path in keys.files for file in _key_files(path)}
    passphrase = _read(keys.passphrase_file).rstrip(b"\r\n") if keys.passphrase_file else b""
    gpg = Gpg.private(list(blocks.values()), passphrase, path=tool_path)
    resources.push_async_callback(gpg.close)
    private = {file: block for file, block in blocks.items() if not is_public_only(block)}
    for file, block in private.items():
        try:
            OpenPgp([block], passphrase.decode() or None, gpg)
        except KeyFileError as error:
            raise KeyFileError(f"{file}: {error.what}", remedy=error.remedy) from None
    if not private:
        return Keys(GnuPgHome(persons), gpg, persons, age)
    openpgp = OpenPgp(list(private.values()), passphrase.decode() or None, gpg)
    return Keys(openpgp, gpg, persons, age)


def _key_files(path: Path) -> list[Path]:
    """Give the file, or a folder's regular files, as Flux v1's `--git-gpg-key-import` does."""
    if not path.is_dir():
        return [path]
    files = [file for file in sorted(path.iterdir()) if file.is_file() and file.name[0] != "."]
    if not files:
        raise KeyFileError(f"{path} holds no key file", remedy="put the armored private key there")
    return files


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, MAX_KEYS)
    except OSError as error:
        raise KeyFileError(
            f"{path} cannot be read: {error.strerror}",
            remedy="check that the file is there, is one of keys, and that this user may read it",
        ) from None
