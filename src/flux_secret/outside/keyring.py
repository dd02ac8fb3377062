"""The public keys of a GnuPG home: found, shown, exported, encrypted to; many messages decrypted.

Nothing is looked up on the network, and no key is imported unless `import_` is asked to: an e-mail
address that the keyring does not know must not bring somebody's key in (facts: gopass §2.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from flux_secret.errors import AccessError, DecryptError, KeyFileError
from flux_secret.model.openpgp import PublicKey, parse_listing
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.files import memory_directory, scratch, write_atomic
from flux_secret.outside.gpg import Gpg, status_of
from flux_secret.outside.process import Limits

_LISTING: Final = ("--with-colons", "--fixed-list-mode", "--with-fingerprint", "--with-fingerprint")
_AS_GOPASS: Final = ("--yes", "--compress-algo=none", "--no-encrypt-to", "--trust-model=always")
_AT_ONCE: Final = 200  # messages of one gpg process; their plaintext lies in memory meanwhile
_SECONDS_FOR_MANY: Final = 300.0  # RSA-4096 takes gpg's agent 50 ms, a smartcard 600 ms
_STATUS: Final = b"[GNUPG:] "


class Keyring:
    """One GnuPG home, seen as its keys."""

    def __init__(self, gpg: Gpg) -> None:
        self._gpg = gpg

    async def keys(self, *ids: str) -> tuple[PublicKey, ...]:
        """List the public keys that gpg finds for these ids; all for none. Not found is no error.

        gpg takes an id for what it looks like: fingerprint, key id, e-mail, or a part of a name.
        """
        listed = await self._gpg.run(*_LISTING, "--list-keys", "--", *ids)
        return parse_listing(listed.untrusted_stdout)

    async def secret_keys(self) -> tuple[PublicKey, ...]:
        """List the keys whose private halves gpg knows, on smartcards too."""
        listed = await self._gpg.run(*_LISTING, "--list-secret-keys")
        return parse_listing(listed.untrusted_stdout)

    async def shown(self, certificate: bytes) -> tuple[PublicKey, ...]:
        """List the public keys of an exported file, without importing them."""
        with scratch("key") as place:
            file = place / "key"
            write_atomic(file, certificate)
            listed = await self._gpg.run(*_LISTING, "--show-keys", "--", str(file))
        return parse_listing(listed.untrusted_stdout)

    async def export(self, *fingerprints: str, armor: bool = False) -> bytes:
        """Give these public keys, binary or armored; nothing for those that are not there."""
        words = ("--armor",) if armor else ()
        return (await self._gpg.run(*words, "--export", "--", *fingerprints)).untrusted_stdout

    async def import_(self, certificate: bytes) -> None:
        """Put a public key into the keyring: only when a person asked for that very key."""
        with scratch("key") as place:
            file = place / "key"
            write_atomic(file, certificate)
            done = await self._gpg.run("--import", "--", str(file))
        if "IMPORT_OK" not in status_of(done.untrusted_stderr):
            raise KeyFileError(
                "gpg cannot import the key", remedy="check the file with `gpg --show-keys FILE`"
            )

    async def encrypt(self, text: Plaintext, subkeys: Sequence[str]) -> bytes:
        """Encrypt to exactly these subkeys, named by fingerprint, as gopass has gpg do it."""
        to = [word for one in subkeys for word in ("--recipient", f"{one}!")]
        words = (*_AS_GOPASS, "--encrypt", *to, "--output", "-")
        done = await self._gpg.run(*words, stdin=text.reveal())
        if done.returncode == 0 and "END_ENCRYPTION" in status_of(done.untrusted_stderr):
            return done.untrusted_stdout
        raise AccessError(
            f"gpg cannot encrypt to {', '.join(one[-16:] for one in subkeys)}",
            remedy="look at the keys: gpg --list-keys; renew one: gpg --import FILE",
        )

    async def sign(self, message: bytes, key: str) -> bytes:
        """Sign with a private key that stays where it is; give the armored detached signature."""
        return await self._gpg.sign(message, key)

    async def decrypt(self, ciphertext: bytes) -> Plaintext:
        """Decrypt one message with a private key that stays where it is."""
        return Plaintext(await self._gpg.decrypt(ciphertext))

    async def decrypt_all(self, ciphertexts: Sequence[bytes]) -> list[Plaintext | DecryptError]:
        """Decrypt many messages, a fifth of the time of one by one; a bad one spoils no other.

        One gpg writes many plaintexts, which needs a folder in memory; where there is none (macOS)
        each message has its own.
        """
        if memory_directory() is None or len(ciphertexts) == 1:
            return [await self._one(ciphertext) for ciphertext in ciphertexts]
        answers: list[Plaintext | DecryptError] = []
        for at in range(0, len(ciphertexts), _AT_ONCE):
            answers += await self._some(ciphertexts[at : at + _AT_ONCE])
        return answers

    async def _one(self, ciphertext: bytes) -> Plaintext | DecryptError:
        try:
            return await self.decrypt(ciphertext)
        except DecryptError as failure:
            return failure

    async def _some(self, ciphertexts: Sequence[bytes]) -> list[Plaintext | DecryptError]:
        with scratch("msgs") as place:
            files = [place / f"{number}.gpg" for number in range(len(ciphertexts))]
            for file, ciphertext in zip(files, ciphertexts, strict=True):
                file.write_bytes(ciphertext)
            done = await self._gpg.run(
                "--decrypt-files", "--", *map(str, files),
                limits=Limits(timeout_seconds=_SECONDS_FOR_MANY),
            )  # fmt: skip
            whole = set(_whole(done.untrusted_stderr))
            return [
                Plaintext(file.with_suffix("").read_bytes())
                if str(file) in whole
                else await self._one(file.read_bytes())  # by itself, so that it says why
                for file in files
            ]


def _whole(untrusted_stderr: bytes) -> Iterator[str]:
    """Give the files of which gpg reported that the message was whole (doc/DETAILS)."""
    said: set[bytes] = set()
    name = b""
    for line in untrusted_stderr.splitlines():
        if not line.startswith(_STATUS):
            continue
        keyword, _, rest = line.removeprefix(_STATUS).partition(b" ")
        if keyword == b"FILE_START":
            said, name = set(), rest.partition(b" ")[2]
        elif keyword == b"FILE_DONE":
            if {b"DECRYPTION_OKAY", b"GOODMDC"} <= said:
                yield name.decode(errors="replace")
        else:
            said.add(keyword)
