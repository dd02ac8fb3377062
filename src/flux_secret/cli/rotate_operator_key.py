"""`flux-secret rotate-operator-key`: a new key for a cluster, and nothing unreadable meanwhile.

Each step is told by the state of stores and cluster to be done or not, so whatever ended the
command, the same words go on.
"""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from flux_secret.cli import voice
from flux_secret.cli.operator.options import admin_option, cluster_option
from flux_secret.cli.operator.steps import (
    STOPPED,
    Asking,
    check_email,
    check_expiry,
    import_key,
    openpgp,
    operator_folder,
    readers_of,
)
from flux_secret.cli.operator.succeeding import Succession, keys_of
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.keymaking import make_openpgp
from flux_secret.settings import IdentityFlags, IdentitySettings
from flux_secret.settings.person import PersonSettings
from flux_secret.store.interface import Crypto
from flux_secret.store.working.operator import GPG_PRIVATE, GPG_PUBLIC, OperatorFolder, both, newer
from flux_secret.wiring.rekeying import AgentKeys, agent_keys
from flux_secret.wiring.stores import mounted

_DEFAULTS: Final = IdentityFlags()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person says of the change."""

    cluster: str
    admin: str
    email: str | None
    expires: str
    apply: bool
    finish: bool
    stop_before_removal: bool

    def __post_init__(self) -> None:
        check_email(self.email)
        check_expiry(self.expires)
        if self.finish and (self.apply or self.stop_before_removal):
            raise UsageError(
                "--finish is the last step, by a person who has given the cluster its new key",
                remedy="leave --apply and --stop-before-removal out, or --finish",
            )


@click.command("rotate-operator-key")
@cluster_option
@admin_option
@click.option("--email", metavar="ADDRESS", help="Of the new key. Default: as the old one.")
@click.option(
    "--expires",
    default="never",
    show_default=True,
    metavar="WHEN",
    help="When the new key ends: 2y, 18m, a day.",
)
@click.option("--apply", is_flag=True, help="Give the new key to the agent in the cluster, too.")
@click.option("--stop-before-removal", is_flag=True, help="Leave the old key valid.")
@click.option("--finish", is_flag=True, help="The agent has the new key: take the old one out.")
@click.option(
    "--namespace",
    default=_DEFAULTS.namespace,
    show_default=True,
    metavar="NAMESPACE",
    help="Where the agent lives.",
)
@click.option(
    "--kubeconfig",
    "--kube-config",
    "kubeconfig",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Cluster access; default: KUBECONFIG, ~/.kube/config, the pod's own.",
)
@click.option("--context", metavar="NAME", help="Context of the kubeconfig.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_context
def rotate_operator_key(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Give a cluster a new OpenPGP key; the old one stays valid until the new one is in use."""
    names = [field.name for field in dataclasses.fields(Wishes)]
    wishes = Wishes(**{name: given[name] for name in names})
    asking = Asking(yes=given["yes"], dry_run=given["dry_run"])
    flags = IdentityFlags(
        namespace=given["namespace"], kubeconfig=given["kubeconfig"], context=given["context"]
    )
    context.exit(asyncio.run(_rotate(wishes, asking, flags)))


async def _rotate(wishes: Wishes, asking: Asking, flags: IdentityFlags) -> int:
    settings = PersonSettings.load()
    async with AsyncExitStack() as resources:
        mounts = await resources.enter_async_context(mounted(settings, on_record()))
        folder = operator_folder(mounts, wishes.admin, wishes.cluster)
        present = folder.present()
        is_changing = folder.previous(GPG_PRIVATE) in present
        if not {GPG_PRIVATE, GPG_PUBLIC} <= set(present):
            raise ConfigurationError(
                f"{folder.place} has no key that could be replaced",
                remedy=f"make one: flux-secret bootstrap --cluster {wishes.cluster}",
            )
        if wishes.finish and not is_changing:
            voice.say(f"no key of {wishes.cluster} is being replaced")
            return 0
        agent = None
        if wishes.apply:
            where = IdentitySettings.load(flags)
            connected = agent_keys(where.cluster, where.cluster_env)
            agent = await resources.enter_async_context(connected)
            await agent.ensure_there()
        asking.ensure_answers()
        crypto = openpgp(mounts)
        if not is_changing and not await _make(folder, crypto, wishes, asking, settings):
            return 0 if asking.dry_run else STOPPED
        if not asking.dry_run:
            await share(folder.store, settings)  # also what an earlier run could not push
        return await _Change(folder, wishes, asking, settings, agent).run(
            await Succession.of(folder, mounts, asking, settings)
        )


async def _make(
    folder: OperatorFolder, crypto: Crypto | None, wishes: Wishes, asking: Asking,
    settings: PersonSettings,
) -> bool:  # fmt: skip
    """Store a new key and keep the old one beside it, as one commit."""
    user_id = f"flux-operator {wishes.cluster} <{wishes.email}>"
    if wishes.email is None:
        user_id = await _user_id(folder, crypto, f"flux-operator {wishes.cluster}")
    step = f"make a new OpenPGP key for {user_id!r}, store it in {folder.place} and the old one "
    step += f"below it until the end, for {await readers_of(folder)}"
    if not asking.agrees(step):
        if asking.dry_run:
            voice.say("would let it read what the old key reads, then give it to the agent,")
            voice.say("then take the old key out of stores, cluster and store")
        return False
    old = await folder.read(GPG_PRIVATE)
    made = await make_openpgp(user_id, wishes.expires, settings.tool_path)
    await folder.write(
        {
            folder.previous(GPG_PRIVATE): old,
            folder.previous(GPG_PUBLIC): await folder.read(GPG_PUBLIC),
            GPG_PRIVATE: both(made.private, old),
            GPG_PUBLIC: Plaintext(made.public),
        },
        f"Store a new key of the cluster {wishes.cluster} beside the old one",
    )
    return True


async def _user_id(folder: OperatorFolder, crypto: Crypto | None, otherwise: str) -> str:
    """Give whom the key until now names, as far as the person's keyring knows it."""
    if crypto is None:
        return otherwise
    key = (await keys_of(folder, GPG_PUBLIC))[0]
    known = (await crypto.readers([key.fingerprint]))[0].name
    name = known.removeprefix(f"{key.gopass_id} ")
    return otherwise if key.fingerprint in name or name == key.gopass_id else name


@dataclass(frozen=True, slots=True)
class _Change:
    """Everything after the new key is stored."""

    folder: OperatorFolder
    wishes: Wishes
    asking: Asking
    settings: PersonSettings
    agent: AgentKeys | None

    async def run(self, succession: Succession) -> int:
        """Go on where it stands; give the exit code."""
        crypto = openpgp(succession.mounts)
        if crypto is not None:
            await import_key(self.folder, crypto, self.asking)
        is_named = await succession.is_old_named()
        if is_named and not self.wishes.finish:
            if not await succession.join():
                return STOPPED
            if self.agent is not None and not await self._give(succession, with_old=True):
                return STOPPED
        if self.wishes.stop_before_removal or not (self.wishes.finish or self.agent is not None):
            self._say_left()
            return 0
        if not await succession.leave():
            return STOPPED
        if self.agent is not None and not await self._give(succession, with_old=False):
            return STOPPED
        return await self._conclude(succession)

    async def _give(self, succession: Succession, *, with_old: bool) -> bool:
        assert self.agent is not None  # noqa: S101 -- asked for before
        text = await self.folder.read(GPG_PRIVATE)
        keys = [*succession.new]
        if with_old:
            keys += succession.old
        else:
            old = await self.folder.read(self.folder.previous(GPG_PRIVATE))
            text = newer(text, old, self.folder.place)
        which = "the new key beside the old one" if with_old else "the new key alone"
        if not self.asking.agrees(
            f"give the agent in {self.agent.namespace} {which}, and restart it"
        ):
            return self.asking.dry_run
        await self.agent.put(text, keys)
        await self.agent.ready()
        voice.say(f"the agent in {self.agent.namespace} is ready with {which}")
        return True

    async def _conclude(self, succession: Succession) -> int:
        if not self.asking.agrees(f"take the old key out of {self.folder.place}"):
            return 0 if self.asking.dry_run else STOPPED
        folder = self.folder
        old = await folder.read(folder.previous(GPG_PRIVATE))
        new = newer(await folder.read(GPG_PRIVATE), old, folder.place)
        texts: dict[str, Plaintext | None] = {GPG_PRIVATE: new}
        texts |= dict.fromkeys((folder.previous(GPG_PRIVATE), folder.previous(GPG_PUBLIC)))
        await folder.write(texts, f"Remove the old key of the cluster {self.wishes.cluster}")
        await share(folder.store, self.settings)
        voice.say(f"the key of {self.wishes.cluster} is {succession.new[0].fingerprint}")
        if self.agent is None:
            voice.say("give the agent the new key alone, as soon as it suits: install --apply")
        return 0

    def _say_left(self) -> None:
        words = f"--cluster {self.wishes.cluster}"
        words += f" --from {self.wishes.admin}" if self.wishes.admin else ""
        voice.say("both keys are valid; left to do:")
        voice.say(f"  flux-secret install --from {self.folder.place} … --apply  (holds both keys)")
        voice.say(f"  flux-secret rotate-operator-key {words} --finish")
