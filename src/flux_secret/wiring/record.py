"""Settings → a record that is kept: its chain, who signs it, and where it goes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import structlog

from flux_secret.audit.pseudonyms import MAX_KEY, Hiding, Pseudonyms
from flux_secret.audit.pushing import Told, nobody
from flux_secret.audit.sealer import Pace, kept
from flux_secret.audit.segments import Bounds
from flux_secret.audit.signing import Signer
from flux_secret.errors import FluxSecretError, KeyFileError
from flux_secret.model.giturl import GitUrl
from flux_secret.model.record import Recorder
from flux_secret.outside.git import GitAccess, Tagger
from flux_secret.outside.git.growing import GrowingBranch
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.keyring import Keyring
from flux_secret.settings.record import RecordSettings

_PROBE: Final = b"flux-secret record v1\nthis key signs\n"
_log = structlog.get_logger(component="record")


@dataclass(frozen=True, slots=True)
class GpgSigner:
    """A key that gpg signs with."""

    gpg: Gpg
    key: str

    async def sign(self, message: bytes) -> bytes:
        """Give an armored detached signature; raise an error of ours."""
        return await self.gpg.sign(message, self.key)


@asynccontextmanager
async def recorder(
    settings: RecordSettings,
    gpg: Gpg | None = None,
    *,
    access: GitAccess | None = None,
    pushed: Told = nobody,
) -> AsyncIterator[Recorder]:
    """Keep the record as long as this lasts; raise `RecordError` when it cannot begin.

    `gpg` has the keys that may sign: an agent's own. For a person it is theirs, and only where the
    settings name a key, as any other might ask for a passphrase. `access` is how the repository is
    reached that it is pushed to, where the settings name one; `pushed` hears why it cannot be.
    """
    hidden = pseudonyms(settings.pseudonym_key) if settings.pseudonym_key else None
    signer = await signer_of(gpg, settings.signing_key) if gpg else None
    bounds = Bounds(segment=settings.segment_bytes, keep=settings.keep_bytes)

    def branch(folder: Path) -> GrowingBranch:
        url, name = cast("GitUrl", settings.git_url), settings.git_branch
        place = folder / "branch.git"
        return GrowingBranch(url, name, place, access or GitAccess(), Tagger(*settings.author))

    pace = Pace(push_seconds=settings.push_seconds)
    async with kept(
        settings.folder,
        settings.name,
        signer=signer,
        branch=branch if settings.git_url else None,
        bounds=bounds,
        pace=pace,
        pushed=pushed,
    ) as keeper:
        yield keeper if hidden is None else Hiding(keeper, hidden)


async def signer_of(gpg: Gpg, wanted: str | None) -> Signer | None:
    """Find a key that signs: the one that is wanted, else any; None, and said, when none can.

    An operator's key of 2019 may be one that only encrypts; the record is then unsigned.
    Raises `KeyFileError` when the one that is wanted cannot sign.
    """
    if wanted:
        signer = GpgSigner(gpg, wanted)
        try:
            await signer.sign(_PROBE)
        except KeyFileError:
            raise KeyFileError(
                f"gpg cannot sign the record with the key {wanted!a}",
                remedy="name one that can sign, with --record-signing-key, and import its private "
                "half with --git-gpg-key-import",
            ) from None
        return signer
    for key in await Keyring(gpg).secret_keys():
        with contextlib.suppress(FluxSecretError):
            signer = GpgSigner(gpg, key.fingerprint)
            await signer.sign(_PROBE)
            return signer
    _log.warning(
        "record.unsigned",
        reason="no imported private key can sign, so anybody who can write there could have "
        "written the record",
        remedy="import one that can, and name it: --record-signing-key KEY",
    )
    return None


def pseudonyms(file: Path) -> Pseudonyms:
    """Read the key that names are hidden under; raise `KeyFileError`."""
    try:
        with file.open("rb") as opened:
            return Pseudonyms(opened.read(MAX_KEY + 1))
    except OSError as failure:
        raise KeyFileError(
            f"the key for pseudonyms {file} cannot be read: {(failure.strerror or '').lower()}",
            remedy="make one: head -c 32 /dev/urandom > FILE; chmod 600 FILE",
        ) from None
