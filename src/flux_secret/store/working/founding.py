"""Keys → a new store; an address → a store that others have. Either is whole, or not there.

What is made is what gopass makes (facts: gopass §1.1, §1.4): recipients, their exported keys, one
line of `.gitattributes`, and a git history.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from flux_secret.errors import ConfigurationError, RecipientError, UsageError
from flux_secret.model.openpgp import PublicKey
from flux_secret.outside.git.clone import Clone
from flux_secret.outside.git.person import PersonGit
from flux_secret.outside.workfolder import WorkFolder
from flux_secret.store.crypto.recipients import Recipient, Recipients
from flux_secret.store.format.recipients import RecipientsFile
from flux_secret.store.interface import Crypto, Layout
from flux_secret.store.tree import AGE, GPG

_ATTRIBUTES: Final = {GPG: b"*.gpg diff=gpg\n", AGE: b"*.age binary\n"}

IsReadable = Callable[[Layout, Sequence[str]], Awaitable[bool]]
"""A store's layout and recipients → whether the person is among them."""


class OwnKeys(Protocol):
    """A person's keyring."""

    def secret_keys(self) -> Awaitable[Sequence[PublicKey]]:
        """List the keys whose private halves the person has."""

    def export(self, *fingerprints: str, armor: bool = False) -> Awaitable[bytes]:
        """Give public keys."""


@dataclass(frozen=True, slots=True)
class Founded:
    """A store that is there now."""

    root: Path
    recipients: tuple[str, ...]
    readable: bool
    """Whether one of the person's own keys is among its recipients."""


async def found(
    root: Path, ids: Sequence[str], recipients: Recipients, keyring: OwnKeys, git: PersonGit
) -> Founded:
    """Make a store for these keys; with none named, for the person's only key."""
    refuse_full(root)
    own = {key.fingerprint for key in await keyring.secret_keys()}
    wanted = await recipients.wanted(ids or [_only(await keyring.secret_keys())], "the store")
    if not any(one.key.fingerprint in own for one in wanted):
        raise RecipientError(
            "none of these keys is yours: you could not read what you write",
            remedy="name your own key too: gpg --list-secret-keys",
        )
    files = await _first_files(wanted, keyring)
    return await _make(root, [one.key.gopass_id for one in wanted], files, git)


async def found_age(root: Path, ids: Sequence[str], crypto: Crypto, git: PersonGit) -> Founded:
    """Make a store of age messages for these recipients."""
    refuse_full(root)
    wanted = sorted({(await crypto.newcomer(one, None)).id for one in ids})
    if not any(one.is_self for one in await crypto.readers(wanted)):
        raise RecipientError(
            "none of these keys is yours: you could not read what you write",
            remedy="name your own too: gopass age identities, or age-keygen -y FILE",
        )
    files: dict[str, bytes | None] = {
        AGE.recipients: RecipientsFile(b"").with_added(wanted).text,
        ".gitattributes": _ATTRIBUTES[AGE],
    }
    return await _make(root, wanted, files, git)


async def _make(
    root: Path, ids: Sequence[str], files: dict[str, bytes | None], git: PersonGit
) -> Founded:
    folder = WorkFolder(root)
    folder.make()
    await git.do(root, "init", "--quiet")
    clone = await Clone.find(folder, git)
    if clone is None:
        raise ConfigurationError(f"git init made no repository in {root}", remedy="look there")
    message = f"Initialize store for {', '.join(ids)}"
    commit = await clone.commit(files, message)
    await clone.advance(None, commit, message)
    return Founded(root, tuple(ids), readable=True)


async def join(url: str, root: Path, is_readable: IsReadable, git: PersonGit) -> Founded:
    """Clone a store that others have; raise, and leave nothing, when it is none."""
    if url.startswith("-"):
        raise UsageError(f"{url[:80]!a} is not an address", remedy="give git's address of a store")
    refuse_full(root)
    beside = WorkFolder(root.with_name(f".{root.name}.clone"))
    beside.discard()  # of an earlier try that was killed
    beside.make()
    try:
        await git.do(beside.root, "clone", "--quiet", "--no-recurse-submodules", "--", url, ".")
        layout = next((one for one in (GPG, AGE) if beside.entry(one.recipients)), None)
        if layout is None:
            raise ConfigurationError(
                f"{url} is no store: it has neither {GPG.recipients} nor {AGE.recipients}",
                remedy="check the address; make a new store with flux-secret store init",
            )
        ids = RecipientsFile(beside.read(layout.recipients)).ids
        beside.become(root)
    finally:
        beside.discard()
    return Founded(root, ids, readable=await is_readable(layout, ids))


def refuse_full(root: Path) -> None:
    """Raise `ConfigurationError` where something lies already."""
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ConfigurationError(
            f"{root} is there already, and not empty",
            remedy="name another place: --path DIRECTORY",
        )


def _only(keys: Sequence[PublicKey]) -> str:
    usable = [key for key in keys if not key.problem]
    if len(usable) == 1:
        return usable[0].fingerprint
    raise UsageError(
        "you have no usable OpenPGP key" if not usable
        else f"you have {len(usable)} keys: {', '.join(map(str, usable))}",
        remedy="make one: gpg --full-generate-key" if not usable
        else "name those who are to read the store",
    )  # fmt: skip


async def _first_files(wanted: Sequence[Recipient], keyring: OwnKeys) -> dict[str, bytes | None]:
    files: dict[str, bytes | None] = {
        GPG.recipients: RecipientsFile(b"").with_added(one.key.gopass_id for one in wanted).text,
        ".gitattributes": _ATTRIBUTES[GPG],
    }
    for one in wanted:
        path = f".public-keys/{one.key.gopass_id}"
        files[path] = await keyring.export(one.key.fingerprint, armor=True)
    return files
