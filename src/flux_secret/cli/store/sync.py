"""`flux-secret store sync`: the same store here and on its host, and nobody's edit lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import click

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import keep_both
from flux_secret.cli.store.terminal import is_asked
from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.merging import Choice, Choose
from flux_secret.store.working.store import WorkingStore
from flux_secret.store.working.sync import Synced, told
from flux_secret.store.working.sync import sync as sync_store
from flux_secret.wiring.ownership import refuse_to_share
from flux_secret.wiring.stores import mounted


@click.command()
@click.argument("mounts", nargs=-1, metavar="[STORE]…")
@click.option(
    "--accept-rewritten", is_flag=True,
    help="Follow a host whose history no longer has what it had.",
)  # fmt: skip
@click.pass_context
def sync(context: click.Context, mounts: tuple[str, ...], *, accept_rewritten: bool) -> None:
    """Bring stores and their hosts together: fetch, merge key by key, push."""
    context.exit(asyncio.run(_sync(mounts, accept_rewritten=accept_rewritten)))


async def _sync(names: Sequence[str], *, accept_rewritten: bool) -> int:
    choose: Choose = _ask if is_asked() else keep_both
    codes = set()
    async with mounted(PersonSettings.load(), on_record()) as mounts:
        for name in names:
            if name not in mounts.stores:
                raise ConfigurationError(
                    f"you have no store {name}",
                    remedy=f"you have: {', '.join(filter(None, mounts.stores)) or 'the root'}",
                )
        for store in mounts.stores.values():
            if not names or store.name in names:
                try:
                    await refuse_to_share(store)
                    done = await sync_store(store, choose, accept_rewritten=accept_rewritten)
                except FluxSecretError as failure:  # the other stores are synced all the same
                    voice.fail(failure, about=_name(store))
                    codes.add(failure.exit_code)
                else:
                    codes.add(_report(store, done))
    return min(codes - {0}, default=0)


def _report(store: WorkingStore, done: Synced) -> int:
    if store.clone is None:
        voice.say(f"{_name(store)}: has no git history; nothing to sync")
        return 0
    for line in _told(done):
        voice.say(f"{_name(store)}: {line}")
    for name in done.to_look_at:
        voice.warn(f"{store.full(name)} is your side; compare the two, then remove one")
    return 1 if done.to_look_at else 0


def _told(done: Synced) -> Iterator[str]:
    for path in done.kept:
        yield f"{path}: was not committed, and is now"
    for merged in done.merged:
        yield from told(merged)
    if done.host:
        received = voice.counted(done.received, "commit")
        yield f"{received} received, {done.sent} sent ({done.host})"
    else:
        yield "shared with no host: git remote add origin URL"


def _ask(name: str, fields: Sequence[str]) -> Choice:
    """Let the person at the terminal decide."""
    voice.warn(f"{name}: both sides changed {', '.join(fields)}")
    answer = click.prompt(
        "keep ours, theirs, or both beside each other?",
        type=click.Choice([one.value for one in Choice]), default=Choice.BOTH.value, err=True,
    )  # fmt: skip
    return Choice(answer)


def _name(store: WorkingStore) -> str:
    return store.name or "root store"
