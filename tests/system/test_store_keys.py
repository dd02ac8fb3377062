"""Every shape of key and message that gpg makes: in process and through gpg, the same bytes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from flux_secret.errors import DecryptError, KeyFileError
from flux_secret.outside.gpg import Gpg
from flux_secret.store.crypto.openpgp import GnuPgHome, OpenPgp
from flux_secret.store.crypto.packets import HIDDEN, recipients, split_keys
from simulators.gnupg import Home, home

TEXT = b"correct horse battery staple\nuser: demo\n"
IN_2019 = "--faked-system-time=20190601T000000"


@pytest.fixture(scope="module")
def gnupg() -> Iterator[Home]:
    with home() as made:
        made.curve25519("curve@example.org")
        made.rsa("separate@example.org", 2048, mixed=False)
        made.rsa("mixed@example.org", 2048, mixed=True)
        made.rsa("large@example.org", 4096, mixed=False)
        made.curve25519("locked@example.org", "open sesame")
        several = made.curve25519("several@example.org")
        made.gpg("--passphrase", "", "--quick-add-key", several, "cv25519", "encr", "0")
        old = made.curve25519("old@example.org", "", IN_2019, "--cert-digest-algo=SHA1")
        made.gpg("--passphrase", "", IN_2019, "--quick-add-key", old, "cv25519", "encr", "30d")
        yield made


async def decrypt(key: bytes, message: bytes, passphrase: str | None = None) -> bytes:
    fallback = Gpg.private([key], (passphrase or "").encode(), path=os.environ["PATH"])
    try:
        return (await OpenPgp([key], passphrase, fallback).decrypt(message)).reveal()
    finally:
        await fallback.close()


async def decrypt_by_gpg(key: bytes, message: bytes, passphrase: str = "") -> bytes:
    gpg = Gpg.private([key], passphrase.encode(), path=os.environ["PATH"])
    try:
        return await gpg.decrypt(message)
    finally:
        await gpg.close()


@pytest.mark.parametrize("who", ["curve", "separate", "mixed", "large", "several", "old"])
async def test_every_key_decrypts_in_process_and_by_gpg_alike(gnupg: Home, who: str) -> None:
    email = f"{who}@example.org"
    message = gnupg.encrypt(TEXT, [email])
    assert await decrypt(gnupg.private_key(email), message) == TEXT
    assert await decrypt_by_gpg(gnupg.private_key(email), message) == TEXT


async def test_each_of_several_subkeys_decrypts_what_was_encrypted_to_it(gnupg: Home) -> None:
    listing = gnupg.gpg("--with-colons", "--list-keys", "several@example.org").decode()
    rows = [line.split(":") for line in listing.splitlines()]
    subkeys = [row[4] for row in rows if row[0] == "sub"]
    assert len(subkeys) == 2
    for subkey in subkeys:
        message = gnupg.encrypt(TEXT, [f"{subkey}!"])
        assert recipients(message) == (subkey,)
        assert await decrypt(gnupg.private_key("several@example.org"), message) == TEXT


async def test_an_expired_subkey_still_decrypts_old_entries(gnupg: Home) -> None:
    listing = gnupg.gpg("--with-colons", "--list-keys", "old@example.org").decode()
    rows = [line.split(":") for line in listing.splitlines()]
    expired = next(row[4] for row in rows if row[0] == "sub" and row[6])
    message = gnupg.encrypt(TEXT, [f"{expired}!"], "--faked-system-time=20190610T000000")
    assert recipients(message) == (expired,)
    assert await decrypt(gnupg.private_key("old@example.org"), message) == TEXT


async def test_hidden_recipients_are_tried(gnupg: Home) -> None:
    message = gnupg.encrypt(TEXT, ["curve@example.org"], "--throw-keyids")
    assert recipients(message) == (HIDDEN,)
    assert await decrypt(gnupg.private_key("curve@example.org"), message) == TEXT


async def test_a_locked_key_file_opens_with_its_passphrase_only(gnupg: Home) -> None:
    key = gnupg.private_key("locked@example.org", "open sesame")
    message = gnupg.encrypt(TEXT, ["locked@example.org"])
    assert await decrypt(key, message, "open sesame") == TEXT
    assert await decrypt_by_gpg(key, message, "open sesame") == TEXT
    with pytest.raises(KeyFileError, match="protected by a passphrase"):
        await decrypt(key, message)
    with pytest.raises(KeyFileError, match="does not unlock"):
        await decrypt(key, message, "wrong")


async def test_a_file_of_several_keys_gives_each(gnupg: Home) -> None:
    both = gnupg.gpg("--armor", "--export-secret-keys", "curve@example.org", "separate@example.org")
    assert len(split_keys(both)) == 2
    for email in ("curve@example.org", "separate@example.org"):
        assert await decrypt(both, gnupg.encrypt(TEXT, [email])) == TEXT


async def test_an_aead_message_of_a_newer_gpg_decrypts() -> None:
    import pysequoia

    made = pysequoia.Tsk.generate("aead@example.org", profile=pysequoia.Profile.RFC9580)
    certificate = made.extract_certificate()
    message = pysequoia.encrypt(TEXT, [certificate], armor=False)
    assert await decrypt(bytes(made), message) == TEXT


@pytest.mark.parametrize("who", ["curve", "mixed"])
async def test_damage_anywhere_is_never_a_value(gnupg: Home, who: str) -> None:
    email = f"{who}@example.org"
    key, message = gnupg.private_key(email), gnupg.encrypt(TEXT, [email])
    fallback = Gpg.private([key], b"", path=os.environ["PATH"])
    try:
        decryptor = OpenPgp([key], None, fallback)
        places = [0, 3, 20, len(message) // 2, len(message) - 30, len(message) - 1]
        for place in places:
            damaged = bytearray(message)
            damaged[place] ^= 0x55
            try:  # a changed key id is no damage to the value: the right one, or none
                assert (await decryptor.decrypt(bytes(damaged))).reveal() == TEXT
            except DecryptError:
                continue
            assert place < 20, "the ciphertext was changed"
        for length in (0, 1, len(message) - 1, len(message) - 22):
            with pytest.raises(DecryptError):
                await decryptor.decrypt(message[:length])
    finally:
        await fallback.close()


async def test_a_damaged_armored_message_is_refused_and_ends_nothing(gnupg: Home) -> None:
    """Sequoia panics on some; git-secret and gopass write armor where they are told to."""
    key = gnupg.private_key("curve@example.org")
    message = gnupg.encrypt(TEXT * 4, ["curve@example.org"], "--armor")
    fallback = Gpg.private([key], b"", path=os.environ["PATH"])
    try:
        decryptor = OpenPgp([key], None, fallback)
        assert (await decryptor.decrypt(message)).reveal() == TEXT * 4
        body = range(message.index(b"\n\n") + 100, message.index(b"\n=") - 1)
        for place in body[::41]:
            damaged = message[:place] + b"`" + message[place + 1 :]
            with pytest.raises(DecryptError):
                await decryptor.decrypt(damaged)
    finally:
        await fallback.close()


async def test_somebody_elses_message_is_refused(gnupg: Home) -> None:
    message = gnupg.encrypt(TEXT, ["separate@example.org"])
    with pytest.raises(DecryptError, match="no private key"):
        await decrypt(gnupg.private_key("curve@example.org"), message)


@pytest.mark.parametrize("content", [b"", b"not a key", b"-----BEGIN PGP PRIVATE KEY BLOCK-----"])
def test_a_file_that_is_no_key_is_refused(content: bytes) -> None:
    with pytest.raises(KeyFileError, match="no OpenPGP private key"):
        OpenPgp([content], None, Gpg(path=""))


def test_a_public_key_is_refused(gnupg: Home) -> None:
    with pytest.raises(KeyFileError, match="no OpenPGP private key"):
        OpenPgp([gnupg.public_key("curve@example.org")], None, Gpg(path=""))


@pytest.fixture
async def persons_gpg(gnupg: Home) -> AsyncIterator[Gpg]:
    gpg = Gpg(path=os.environ["PATH"], home=gnupg.path)
    yield gpg
    await gpg.close()


async def test_a_persons_own_home_decrypts_and_is_left_alone(gnupg: Home, persons_gpg: Gpg) -> None:
    message = gnupg.encrypt(TEXT, ["curve@example.org"])
    assert (await GnuPgHome(persons_gpg).decrypt(message)).reveal() == TEXT
    await persons_gpg.close()
    assert (gnupg.path / "pubring.kbx").exists()


async def test_the_fallbacks_home_and_its_daemons_are_gone_afterwards(gnupg: Home) -> None:
    key = gnupg.private_key("mixed@example.org")
    gpg = Gpg.private([key], b"", path=os.environ["PATH"])
    await gpg.decrypt(gnupg.encrypt(TEXT, ["mixed@example.org"]))
    place = gpg._home
    assert place is not None
    assert _agents(place)
    await gpg.close()
    assert not place.exists()
    assert not _agents(place)


def _agents(place: Path) -> list[str]:
    """Find processes that name the home in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes()
        except OSError:
            continue
        if str(place).encode() in line:
            found.append(line.decode())
    return found
