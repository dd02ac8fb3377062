"""`flux-secret offboard`: somebody leaves, or a key is lost; what they know, down to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import click

from flux_secret.cli import voice
from flux_secret.cli.asking_options import say_data
from flux_secret.cli.leaving.removing import take_out
from flux_secret.cli.leaving.tasks import Deliveries, data, tell
from flux_secret.cli.looking_options import delivery_options, looking_flags
from flux_secret.cli.recipients.confirming import Given
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.terminal import counting
from flux_secret.errors import FluxSecretError, UsageError
from flux_secret.settings.access import AccessSettings
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.leaving import Leaving, leaving
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.asking import uses_of
from flux_secret.wiring.stores import mounted, remembering
from flux_secret.wiring.written import written

_FORMATS: Final = ("table", "json", "yaml")


@dataclass(frozen=True, slots=True)
class _Asked:
    text: str
    store: str | None
    removes: bool
    harmless: tuple[str, ...]
    given: Given
    cluster: AccessSettings


@click.command()
@click.argument("key")
@click.option("--store", metavar="STORE", help="A mount's name. Default: all stores.")
@click.option("--remove", is_flag=True, help="Take them out of the recipients first.")
@click.option("--harmless", metavar="KEY", multiple=True,
              help="A key whose value is no secret, in entries without a password.")  # fmt: skip
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--keep-going", is_flag=True, help="Leave out what cannot be decrypted.")
@delivery_options
@click.option("-o", "--output", type=click.Choice(_FORMATS), default="table", show_default=True,
              help="How it is written.")  # fmt: skip
@click.pass_context
def offboard(context: click.Context, /, key: str, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """List what somebody could ever decrypt and is still in force; end with 0 when nothing is.

    KEY is a person's address or name, a key's id or fingerprint; also one that nobody has any more.
    """
    as_data = given["output"] != "table"
    asked = _Asked(
        key.strip(), given["store"], given["remove"], given["harmless"],
        Given(yes=given["yes"], keep_going=given["keep_going"], as_json=as_data),
        AccessSettings.load(looking_flags(given)),
    )  # fmt: skip
    found, deliveries = asyncio.run(_offboard(asked))
    if as_data:
        say_data(data(found, deliveries, asked.text), given["output"])
    else:
        tell(found, deliveries, asked.text)
    context.exit(int(any(one.left for one in found)))


async def _offboard(asked: _Asked) -> tuple[Sequence[Leaving], Deliveries]:
    if not asked.text:
        raise UsageError("nobody is named", remedy="name an address, a key's id or fingerprint")
    settings = PersonSettings.load()
    found = []
    async with mounted(settings, on_record()) as mounts:
        for store, folder in mounts.below(asked.store):
            if folder:
                raise UsageError(
                    f"{asked.store} is no store", remedy="name a mount, or nothing for all"
                )
            one = await _look(settings, store, asked)
            removes = one is not None and one.named and asked.removes
            if one is not None and removes and await take_out(store, one, settings, asked.given):
                again = await _look(settings, store, asked)
                # a folder without history remembers nobody who left, and they know it all the same
                one = again or replace(one, named={})
            found += [one] if one is not None else []
    if not found:
        raise UsageError(
            f"no store of yours ever knew {asked.text!a}",
            remedy="name an address, a key's id (16 hex digits) or its fingerprint, as "
            "`flux-secret recipients ls` or `gpg --list-packets ENTRY.gpg` shows them",
        )
    return found, await _deliveries(asked.cluster)


async def _deliveries(settings: AccessSettings) -> Deliveries:
    """Read manifests and ask the cluster; what cannot be asked is unknown, no reason to end."""
    unseen: list[str] = []
    uses = [one for place in settings.manifests for one in written(place, settings.stores, unseen)]
    if settings.cluster is None:
        return Deliveries.of(uses, unseen, unknown="no cluster was asked (--kubeconfig)")
    try:
        delivered, more = await uses_of(settings.cluster, settings.cluster_env)
    except FluxSecretError as failure:
        return Deliveries.of(uses, unseen, unknown=failure.what)
    return Deliveries.of([*uses, *delivered], [*unseen, *more])


async def _look(settings: PersonSettings, store: WorkingStore, asked: _Asked) -> Leaving | None:
    memory = remembering(settings, store)
    with counting("decrypting") as watch:
        found = await leaving(store, asked.text, memory, watch, asked.harmless)
    if memory.problem:
        voice.warn(f"nothing is remembered for the next time: {memory.problem}")
    return found
