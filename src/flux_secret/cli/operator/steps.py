"""Steps that change something, each asked for: a person's keyring, the readers of a store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import click

from flux_secret.cli import voice
from flux_secret.cli.recipients.confirming import Given, carry_out, show
from flux_secret.cli.recipients.ls import line
from flux_secret.cli.store.sharing import share
from flux_secret.cli.store.terminal import is_asked
from flux_secret.errors import UsageError
from flux_secret.settings.person import PersonSettings
from flux_secret.store.interface import Crypto
from flux_secret.store.tree import GPG
from flux_secret.store.working.membership import add
from flux_secret.store.working.mounts import Mounts
from flux_secret.store.working.operator import GPG_PUBLIC, OperatorFolder
from flux_secret.store.working.store import WorkingStore

STOPPED: Final = 1
"""The exit code when a person says no, as gopass has it."""

_EMAIL: Final = re.compile(r"[^\s<>@]{1,64}@[^\s<>@]{1,255}")
_EXPIRES: Final = re.compile(r"never|[1-9][0-9]{0,4}[dwmy]|[0-9]{4}-[0-9]{2}-[0-9]{2}")


def check_email(text: str | None) -> None:
    """Raise `UsageError` for what would be no address in a key."""
    if text is not None and not _EMAIL.fullmatch(text):
        raise UsageError(f"{text!a} is no e-mail address", remedy="flux@example.org, say")


def check_expiry(text: str) -> None:
    """Raise `UsageError` for what gpg would not take for a time, or take for another."""
    if not _EXPIRES.fullmatch(text):
        raise UsageError(
            f"--expires {text!a} is no time", remedy="write never, 2y, 18m or 2030-12-31"
        )


def operator_folder(mounts: Mounts, admin: str, cluster: str) -> OperatorFolder:
    """Give where a cluster's keys are to lie, or do."""
    if not admin and "" not in mounts.stores:
        raise UsageError("you have no root store", remedy="name yours: --from STORE")
    store, prefix = mounts.at(admin)
    return OperatorFolder.of(store, prefix, cluster)


@dataclass(frozen=True, slots=True)
class Asking:
    """How a command that changes much is to be agreed to."""

    yes: bool
    dry_run: bool

    def ensure_answers(self) -> None:
        """Raise `UsageError` where nobody can be asked, before anything is changed."""
        if not self.yes and not self.dry_run and not is_asked():
            raise UsageError(
                "nobody can be asked here, and nothing was changed",
                remedy="say that you mean it: --yes; or look what would be done: --dry-run",
            )

    def agrees(self, step: str) -> bool:
        """Say what is about to be done, and ask; in a dry run nobody agrees to anything."""
        if self.dry_run:
            voice.say(f"would {step}")
            return False
        if self.yes:
            voice.say(step)
            return True
        return click.confirm(voice.printable(f"{step}?"), err=True)


async def readers_of(folder: OperatorFolder) -> str:
    """Name everybody who can read a cluster's keys."""
    store = folder.store
    _, recipients = store.tree().recipients_file(folder.path)
    return ", ".join(line(one) for one in await store.crypto.readers(recipients.ids))


async def public(folder: OperatorFolder, name: str) -> bytes:
    """Read an entry that everybody may know."""
    return (await folder.read(name)).reveal()


def openpgp(mounts: Mounts) -> Crypto | None:
    """Give what reaches the person's keyring; None where every store is one of age."""
    stores = mounts.stores.values()
    return next((one.crypto for one in stores if one.crypto.layout == GPG), None)


async def import_key(folder: OperatorFolder, crypto: Crypto, asking: Asking) -> None:
    """Put the operator's public key into the person's keyring, where their gopass looks for it."""
    key = await crypto.newcomer("", await public(folder, GPG_PUBLIC))
    if await crypto.find(key.fingerprint):
        return
    step = f"import the public key {key.id} into your keyring, so that your gopass encrypts to it"
    if asking.agrees(step):
        await crypto.import_key(key)


async def admit(
    folder: OperatorFolder, store: WorkingStore, path: str, asking: Asking, settings: PersonSettings
) -> bool:
    """Make the operator a recipient of a store, or of a folder of it; say whether it is one now."""
    key = await store.crypto.newcomer("", await public(folder, GPG_PUBLIC))
    async with store.changing() as draft:
        change = await add(draft, path, [key])
        if change is None:
            voice.say(f"{key.id} is a recipient of {store.place(path)} already")
        else:
            show(store, change)
            if not asking.agrees(f"let {key.id} read them, as one commit"):
                return asking.dry_run
            subject = f"Add {key.id} to the recipients of {path or 'the store'}"
            await carry_out(draft, [change], subject, Given())
    await share(store, settings)
    return True
