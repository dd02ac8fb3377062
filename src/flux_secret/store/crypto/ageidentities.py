"""Files of private keys for age → identities, in memory; what cannot be used is named.

Read are identities as `age-keygen` writes them (passage's too), ssh private keys without a
passphrase, and either kind of file under an age passphrase, as gopass keeps its own (facts: gopass
§5). `IDENTITY|RECIPIENT` is gopass's own form of a line.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyrage

from flux_secret.errors import KeyFileError
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.crypto.agerecipients import ARMOR, MAGIC, quietly

MAX_FILE: Final = 1024 * 1024
"""Bytes of a file of identities; thousands of them have 100 KiB."""
MAX_WORK: Final = 20
"""Binary logarithm of scrypt's N; gopass and age write 18, and 20 takes 1 GiB and seconds."""
_OPENSSH: Final = b"openssh-key-v1\0"
_PEM: Final = b"-----BEGIN "


@dataclass(frozen=True, slots=True)
class Identities:
    """Private keys that are at hand."""

    keys: tuple[Any, ...] = field(default=(), repr=False)
    """As pyrage has them."""
    publics: tuple[str, ...] = ()
    """Their public halves, as `AgeRecipient.public` writes them, where they are known."""
    unusable: tuple[str, ...] = ()
    """What in the files counts for nothing, and why; no private part of it."""

    def __add__(self, other: Identities) -> Identities:
        """Have both."""
        return Identities(
            self.keys + other.keys, self.publics + other.publics, self.unusable + other.unusable
        )


def identities(data: bytes, name: str) -> Identities:
    """Read a file that is not under a passphrase; `name` is for messages."""
    if data.lstrip().startswith(_PEM):
        return _ssh(data, name)
    found = Identities()
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        text = line.partition("#")[0].strip().partition("|")[0].strip()
        if text:
            found += _line(text, f"{name}, line {number}")
    return found


def agents(path: Path) -> Identities:
    """Read a file for an agent, all of which must be usable; raise `KeyFileError`."""
    data = read(path)
    if data is None:
        raise KeyFileError(f"{path} is not there", remedy="check what --age-identity names")
    locked = (f"{path}: it is under a passphrase",) if is_locked(data) else ()
    found = Identities(unusable=locked) if locked else identities(data, str(path))
    if found.unusable or not found.keys:
        raise KeyFileError(
            "; ".join(found.unusable) or f"{path}: no identity is in it",
            remedy="name a file of age-keygen, or an ssh private key (ed25519, RSA); neither "
            "under a passphrase, since nobody types there",
        )
    return found


def is_locked(data: bytes) -> bool:
    """Whether a file of identities is itself encrypted."""
    return data.startswith((MAGIC, ARMOR))


def unlock(data: bytes, passphrase: Plaintext, name: str) -> Plaintext:
    """Open a file that is under a passphrase; raise `KeyFileError`.

    How much work that is stands in the file, so it is bounded: 2^20 rounds of scrypt.
    """
    head = data.partition(b"\n---")[0].split(b"\n")
    arrows = [line.split(b" ") for line in head if line.startswith(b"-> ")]
    if not data.startswith(MAGIC) or len(arrows) != 1 or arrows[0][1] != b"scrypt":
        raise KeyFileError(
            f"{name} is encrypted, but not under a passphrase alone in age's binary form",
            remedy="make it anew: age -p FILE, or gopass age identities add",
        )
    work = arrows[0][-1].decode("ascii", "replace")
    if not (work.isdecimal() and int(work) <= MAX_WORK):
        raise KeyFileError(
            f"{name} wants 2^{work[:9]} rounds of scrypt, more than 2^{MAX_WORK}",
            remedy="encrypt it anew: age -p",
        )
    try:
        return Plaintext(pyrage.passphrase.decrypt(data, passphrase.reveal().decode()))
    except (pyrage.DecryptError, UnicodeDecodeError) as failure:
        busy = "xcessive work" in str(failure)
        raise KeyFileError(
            f"{name} would take this machine too long to open just now" if busy
            else f"the passphrase does not open {name}",
            remedy="try again when it is less busy" if busy
            else "give the right one: on the terminal, or GOPASS_AGE_PASSWORD",
        ) from None  # fmt: skip


def new_identity(passphrase: Plaintext) -> tuple[str, bytes]:
    """Make an identity; give its recipient, and the file under the passphrase as gopass has it."""
    key = pyrage.x25519.Identity.generate()
    file = pyrage.passphrase.encrypt(str(key).encode(), passphrase.reveal().decode())
    return str(key.to_public()), file


def read(path: Path) -> bytes | None:
    """Give a file's bytes; None where there is none. Raises `KeyFileError`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyFileError(
            f"{path} cannot be read: {error.strerror}",
            remedy="check that the file is there and that this user may read it",
        ) from None
    if len(data) > MAX_FILE:
        raise KeyFileError(f"{path} is larger than {MAX_FILE} bytes", remedy="name a key file")
    return data


def together(found: Iterable[Identities]) -> Identities:
    """Have the keys of several files."""
    return sum(found, Identities())


def reasons(found: Identities) -> str:
    """Say what could not be used, in words that follow what went wrong because of it."""
    return f" ({'; '.join(found.unusable)})" if found.unusable else ""


def _line(text: str, where: str) -> Identities:
    key = quietly(lambda: pyrage.x25519.Identity.from_str(text))
    if key is not None:
        return Identities((key,), (str(key.to_public()),))
    upper = text.upper()
    if upper.startswith("AGE-SECRET-KEY-PQ-1"):
        return Identities(unusable=(f"{where}: hybrid post-quantum keys cannot be used here",))
    if upper.startswith("AGE-PLUGIN-"):
        return Identities(unusable=(f"{where}: plugins of age are never run",))
    return Identities(unusable=(f"{where}: it is no age private key",))


def _ssh(data: bytes, name: str) -> Identities:
    try:
        key = pyrage.ssh.Identity.from_buffer(data)
    except pyrage.IdentityError as failure:
        locked = "decrypted first" in str(failure)
        why = "it is under a passphrase" if locked else "it is no ed25519 or RSA private key"
        return Identities(unusable=(f"{name}: {why}",))
    public = _public(data)
    return Identities((key,), (public,) if public else ())


def _public(data: bytes) -> str | None:
    """Give the public half of an ssh key, which stands unencrypted before the private one."""
    lines = data.split(b"\n")
    try:
        raw = base64.b64decode(b"".join(line for line in lines if b"-----" not in line))
    except binascii.Error:
        return None
    if not raw.startswith(_OPENSSH):
        return None
    at = len(_OPENSSH)
    for _ in range(3):  # cipher, key derivation, its options
        _, at = _string(raw, at)
    key, _ = _string(raw, at + 4)  # after the number of keys, which is 1
    kind, _ = _string(key, 0)
    return f"{kind.decode('ascii', 'replace')} {base64.b64encode(key).decode()}"


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    """Give a string that its length goes before, and where the next one begins."""
    end = at + 4 + int.from_bytes(data[at : at + 4])
    return data[at + 4 : end], end
