"""`flux-secret owners ls`: who answers for what."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from flux_secret.access.content import owners_at
from flux_secret.cli import voice
from flux_secret.cli.asking_options import say_data
from flux_secret.cli.owners.naming import named
from flux_secret.cli.owners.rules import age_of, readers_of
from flux_secret.cli.recorded import on_record
from flux_secret.cli.tables import table
from flux_secret.model.owners import Owners, Rule
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.stores import mounted

_HEAD = ("PATH", "OWNERS", "APPROVALS", "ROTATE", "READERS", "CONTACT")


@click.command()
@click.argument("entry", required=False)
@click.option("-o", "--output", type=click.Choice(("table", "json", "yaml")), default="table",
              show_default=True, help="How it is written.")  # fmt: skip
def ls(entry: str | None, output: str) -> None:
    """List the rules of the owners file; of an entry, the one that counts, and its owners' keys.

    ENTRY is an entry, a folder or a store; every store when it is left out.
    """
    found = asyncio.run(_found(entry))
    if output != "table":
        items = [_json(store, owners, rule) for store, owners, rule in found]
        say_data({"rules": items}, output)
        return
    if not found:
        voice.note(f"nobody answers for {entry or 'any entry'}: flux-secret owners edit")
        return
    for line in table(_HEAD, [_row(store, rule) for store, _, rule in found]):
        voice.say(line)
    if entry is not None and len(found) == 1:
        _, owners, rule = found[0]
        for one in owners.of(rule):
            contact = f" <{one.contact}>" if one.contact else ""
            voice.say(f"{one.name}{contact}: {', '.join(key.short for key in one.keys)}")


async def _found(entry: str | None) -> list[tuple[WorkingStore, Owners, Rule]]:
    found = []
    async with mounted(PersonSettings.load(), on_record()) as mounts:
        for store, name in [named(mounts, entry)] if entry else mounts.below(None):
            owners = owners_at(store.folder)
            rules = [rule] if name and (rule := owners.rule(name)) else []
            found += [(store, owners, rule) for rule in (rules if name else owners.rules)]
            if name:
                below = [one for one in owners.rules if one.prefix.startswith(f"{name}/")]
                found += [(store, owners, rule) for rule in below]
    return found


def _row(store: WorkingStore, rule: Rule) -> tuple[str, ...]:
    return (
        store.place(rule.prefix), ", ".join(rule.owners),
        f"{rule.approvals} of {len(rule.owners)}", age_of(rule), readers_of(rule),
        rule.contact,
    )  # fmt: skip


def _json(store: WorkingStore, owners: Owners, rule: Rule) -> dict[str, Any]:
    return {
        "store": store.name,
        "prefix": rule.prefix,
        "owners": [
            {"name": one.name, "contact": one.contact, "keys": [str(key) for key in one.keys]}
            for one in owners.of(rule)
        ],
        "approvals": rule.approvals,
        "rotateEverySeconds": rule.rotate_every,
        "readers": {
            "apps": None if rule.apps is None else list(rule.apps),
            "clusters": None if rule.clusters is None else list(rule.clusters),
        },
        "contact": rule.contact,
    }
