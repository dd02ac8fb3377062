"""`flux-secret store accept-rewind`: agree to a branch that no longer has what was delivered."""

from __future__ import annotations

import asyncio

import click

from flux_secret.cli import voice
from flux_secret.cli.owners.naming import named_store
from flux_secret.cli.recorded import on_record
from flux_secret.cli.signing_options import Signing, signing_options
from flux_secret.cli.store.terminal import confirmed
from flux_secret.errors import AccessError, UsageError
from flux_secret.settings.person import PersonSettings
from flux_secret.wiring.owning import Owning
from flux_secret.wiring.stores import mounted


@click.command("accept-rewind")
@click.argument("commit")
@click.option(
    "--instead-of",
    metavar="COMMIT",
    required=True,
    help="The commit that was delivered, as the agent's message names it.",
)
@click.option("--store", default="", metavar="STORE", help="Which store. Default: the root store.")
@signing_options
def accept_rewind(commit: str, instead_of: str, store: str, signing: Signing) -> int:
    """Let agents follow a branch to COMMIT although it lacks what they delivered.

    They refuse such a branch: somebody may have taken changes back. It counts when as many owners
    of each owned path as for a change have signed it. It is for these two commits only.
    """
    return asyncio.run(_accept((instead_of, commit), store, signing))


async def _accept(commits: tuple[str, str], place: str, signing: Signing) -> int:
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        store = named_store(mounts, place)
        owning = await Owning.of(store, settings, offline=signing.offline)
        old, new = [await _commit(owning, one) for one in commits]
        used = owning.bench(old)
        if used.lineage.leads_to(old, new):
            raise UsageError(
                f"{new[:12]} contains {old[:12]}: nothing is taken back",
                remedy="agents follow it as it is; approve it: flux-secret owners approve",
            )
        states, mine = await owning.agreed(used, old), []
        for step, owners in owning.rewinds(used, states, old, new):
            pens = await owning.pens(owners, signing.ssh_key)
            mine += [(step, pens[0])] if pens else []
        if not mine:
            raise AccessError(
                f"you own nothing at {old[:12]}, or have no key for it here",
                remedy="an owner has to do it; name your key if it is one of SSH: --ssh-key FILE",
            )
        lost = used.lineage.steps(new, old)
        voice.say(f"{store.place('')}: {new[:12]} instead of {old[:12]}")
        voice.say(f"  {voice.counted(len(lost), 'commit')} of it would be taken back")
        for step, _ in mine:
            same = step.old is not None and step.old.content == step.new.content
            content = "the same content" if same else "other content"
            voice.say(f"  {store.place(step.prefix)}: {content}")
        if not confirmed("do you agree, as an owner?", yes=signing.yes):
            return 1
        for step, pen in mine:
            await owning.sign([step], pen)
            voice.say(f"{step.prefix or 'the whole store'}: signed with {pen.key.short}")
        if not await owning.push():
            voice.note("the approval is kept here and was not pushed: nobody else sees it yet")
        return 0


async def _commit(owning: Owning, text: str) -> str:
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    found = await owning.clone.git.ask(owning.clone.folder.root, *words)
    if found is None:
        raise UsageError(
            f"{ascii(text)[1:-1]} is no commit of {owning.clone.folder.root}",
            remedy="fetch it: git fetch origin COMMIT; whoever still has it can push it to a "
            "branch of its own",
        )
    return found
