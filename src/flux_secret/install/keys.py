"""Entries of the administrator's store → the operator's keys, looked into before they are used.

    technical/k8s/CLUSTER/flux/gpg-private-key    what opens the application's store
    technical/k8s/CLUSTER/flux/ssh-private-key    what reads the repositories

as the walkthrough keeps them. A key that the agent could not use is refused here, where there is
somebody to tell, and not in a pod's log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flux_secret.errors import KeyFileError
from flux_secret.install.interface import Entries, OpenPgpHalves, SshHalf
from flux_secret.model.identity import Identity
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.git.ssh import check_private_key, mended_key

GPG_ENTRY: Final = "gpg-private-key"
SSH_ENTRY: Final = "ssh-private-key"
_ARMOR: Final = b"-----BEGIN "


@dataclass(frozen=True, slots=True)
class OperatorKeys:
    """Both private keys, and what everybody may know of them."""

    gpg: Plaintext
    ssh: Plaintext
    identity: Identity


@dataclass(frozen=True, slots=True)
class Halves:
    """Who can look into keys."""

    openpgp: OpenPgpHalves
    ssh: SshHalf


async def read_keys(entries: Entries, folder: SecretPath, halves: Halves) -> OperatorKeys:
    """Read and check both; raise `AccessError` that names the entry."""
    gpg = await _read(entries, folder, GPG_ENTRY)
    ssh = await _read(entries, folder, SSH_ENTRY)
    return await checked(gpg, ssh, halves, f"{folder}/{GPG_ENTRY}", f"{folder}/{SSH_ENTRY}")


async def checked(
    gpg: Plaintext, ssh: Plaintext, halves: Halves, gpg_name: str, ssh_name: str
) -> OperatorKeys:
    """Look into both keys; `*_name` is where each comes from."""
    try:
        openpgp = halves.openpgp(gpg)
    except KeyFileError as error:
        raise KeyFileError(f"{gpg_name}: {error.what}", remedy=_GPG_REMEDY) from None
    check_private_key(ssh.reveal(), ssh_name)
    mended = Plaintext(mended_key(ssh.reveal()))
    return OperatorKeys(gpg, mended, Identity(await halves.ssh(mended), openpgp))


_GPG_REMEDY: Final = (
    "it must be an armored private key without a passphrase, as nobody can type one in a pod: "
    "gpg --armor --export-secret-keys KEYID"
)


async def _read(entries: Entries, folder: SecretPath, name: str) -> Plaintext:
    """Read an entry as it is, or the file that was packed into it."""
    path = SecretPath((*folder.parts, name))
    text = await entries.read(path)
    return text if _ARMOR in text.reveal() else entries.unpacked(path, text)
