"""`flux-secret bootstrap`: a cluster's keys made, stored, and let into the application's store."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass
from typing import Any

import click

from flux_secret.cli import voice
from flux_secret.cli.operator.options import admin_option, cluster_option
from flux_secret.cli.operator.steps import (
    STOPPED,
    Asking,
    admit,
    check_email,
    check_expiry,
    import_key,
    operator_folder,
    public,
    readers_of,
)
from flux_secret.cli.operator.succeeding import keys_of
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.errors import ConfigurationError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.git import ssh_public
from flux_secret.outside.keymaking import make_openpgp, make_ssh
from flux_secret.settings.person import PersonSettings
from flux_secret.store.crypto.public import public_halves
from flux_secret.store.working.operator import (
    ENTRIES,
    GPG_PRIVATE,
    GPG_PUBLIC,
    SSH_PRIVATE,
    SSH_PUBLIC,
    OperatorFolder,
    count,
    refuse_orphans,
    refuse_unfit,
)
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.stores import mounted


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person says of a new operator."""

    cluster: str
    admin: str
    stores: tuple[str, ...]
    email: str | None
    expires: str
    resume: bool

    def __post_init__(self) -> None:
        check_email(self.email)
        check_expiry(self.expires)

    @property
    def user_id(self) -> str:
        """Whom the OpenPGP key names."""
        return f"flux-operator {self.cluster}" + (f" <{self.email}>" if self.email else "")


@click.command()
@cluster_option
@admin_option
@click.option(
    "--store",
    "stores",
    multiple=True,
    required=True,
    metavar="STORE[/FOLDER]",
    help="What the cluster is to read; may be repeated.",
)
@click.option("--email", metavar="ADDRESS", help="Of the OpenPGP key. Default: none.")
@click.option(
    "--expires",
    default="never",
    show_default=True,
    metavar="WHEN",
    help="When the OpenPGP key ends: 2y, 18m, a day.",
)
@click.option("--resume", is_flag=True, help="Use the keys that are stored, do what is missing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_context
def bootstrap(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Make a cluster's keys, store them, and let them read the application's store.

    An OpenPGP key and an ssh deploy key, made in memory. Each step that changes something is asked
    for; what was interrupted goes on with --resume.
    """
    names = [field.name for field in dataclasses.fields(Wishes)]
    wishes = Wishes(**{name: given[name] for name in names})
    asking = Asking(yes=given["yes"], dry_run=given["dry_run"])
    context.exit(asyncio.run(_bootstrap(wishes, asking)))


async def _bootstrap(wishes: Wishes, asking: Asking) -> int:
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        folder = operator_folder(mounts, wishes.admin, wishes.cluster)
        stores = [mounts.at(one) for one in wishes.stores]
        present = await _checked(folder, stores, wishes)
        asking.ensure_answers()
        missing = [name for name in ENTRIES if name not in present]
        if missing and not await _store(folder, missing, wishes, asking, settings):
            return 0 if asking.dry_run else _stopped()
        if missing and asking.dry_run:
            _foretell(stores, wishes)
            return 0
        if not asking.dry_run:
            await share(folder.store, settings)  # also what an earlier run could not push
        await import_key(folder, stores[0][0].crypto, asking)
        for store, path in stores:
            if not await admit(folder, store, path, asking, settings):
                return _stopped()
        if not asking.dry_run:
            await _say_next(folder, stores)
    return 0


async def _checked(
    folder: OperatorFolder, stores: list[tuple[WorkingStore, str]], wishes: Wishes
) -> tuple[str, ...]:
    """Raise what would stand in the way, as far as it can be told before; give what is there."""
    present = folder.present()
    if present and not wishes.resume:
        raise ConfigurationError(
            f"{folder.place} has keys already",
            remedy="go on with them: --resume; make new ones: "
            f"flux-secret rotate-operator-key --cluster {wishes.cluster}",
        )
    refuse_orphans(folder, present)
    await folder.store.refuse_unwritable(folder.entry(GPG_PRIVATE))
    for store, path in stores:
        refuse_unfit(store, path, folder)
        _, recipients = store.tree().recipients_file(path)
        await store.crypto.ensure_usable(recipients.ids, store.place(path))
    return present


async def _store(
    folder: OperatorFolder, missing: list[str], wishes: Wishes, asking: Asking,
    settings: PersonSettings,
) -> bool:  # fmt: skip
    """Make what is missing and store it as one commit; say whether it is there now."""
    made = " and ".join(
        what for what, name in (
            (f"an OpenPGP key for {wishes.user_id!r}, valid until {wishes.expires}", GPG_PRIVATE),
            ("an ssh deploy key", SSH_PRIVATE),
        ) if name in missing
    )  # fmt: skip
    step = f"make {made}; " if made else ""
    step += f"store {', '.join(missing)} in {folder.place}, for {await readers_of(folder)}"
    step = step.replace("valid until never", "valid for ever")
    if not asking.agrees(step):
        return asking.dry_run
    await folder.write(
        await _texts(folder, missing, wishes, settings.tool_path),
        f"Store the keys of the cluster {wishes.cluster}",
    )
    return True


async def _texts(
    folder: OperatorFolder, missing: list[str], wishes: Wishes, path: str
) -> dict[str, Plaintext]:
    texts: dict[str, Plaintext] = {}
    comment = f"flux@{wishes.cluster}"
    if GPG_PRIVATE in missing:
        openpgp = await make_openpgp(wishes.user_id, wishes.expires, path)
        texts |= {GPG_PRIVATE: openpgp.private, GPG_PUBLIC: Plaintext(openpgp.public)}
    elif GPG_PUBLIC in missing:
        halves = public_halves(await folder.read(GPG_PRIVATE))
        texts[GPG_PUBLIC] = Plaintext("".join(one.armored for one in halves).encode())
    if SSH_PRIVATE in missing:
        ssh = await make_ssh(comment, path)
        texts |= {SSH_PRIVATE: ssh.private, SSH_PUBLIC: Plaintext(ssh.public)}
    elif SSH_PUBLIC in missing:
        half = await ssh_public(await folder.read(SSH_PRIVATE), path)
        texts[SSH_PUBLIC] = Plaintext(f"{half}\n".encode())
    return texts


def _foretell(stores: list[tuple[WorkingStore, str]], wishes: Wishes) -> None:
    voice.say("would import its public key into your keyring")
    for store, path in stores:
        entries = voice.counted(count(store, path), "entry", "entries")
        voice.say(f"would let {wishes.user_id!r} read {entries} of {store.place(path)}")


def _stopped() -> int:
    click.echo("stopped here; go on with the same words and --resume", err=True)
    return STOPPED


async def _say_next(folder: OperatorFolder, stores: list[tuple[WorkingStore, str]]) -> None:
    key = (await keys_of(folder, GPG_PUBLIC))[0]
    ssh = (await public(folder, SSH_PUBLIC)).decode(errors="replace").strip()
    urls = " ".join(f"--store {name}=URL" for name in sorted({store.name for store, _ in stores}))
    voice.say(f"the operator's OpenPGP key: {key.fingerprint}")
    voice.say("the deploy key, for the git host, at each store and at the applications' repository")
    voice.say("(it has to push at the latter, unless you install with --git-readonly):")
    voice.say(ssh)
    voice.say(f"next: flux-secret install --from {folder.place} {urls} --git-url URL --apply")
