"""`flux-secret owners check`: whether somebody answers for every entry, and could."""

from __future__ import annotations

import asyncio
import json
import posixpath
from dataclasses import replace

import click

from flux_secret.access.approvals import Verdict, command, told
from flux_secret.access.ownership import findings
from flux_secret.cli import voice
from flux_secret.cli.owners.naming import named_store
from flux_secret.cli.recorded import on_record
from flux_secret.errors import FluxSecretError
from flux_secret.model.finding import Finding, Level
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.ownership import ownership
from flux_secret.wiring.owning import Owning
from flux_secret.wiring.stores import mounted


@click.command()
@click.argument("store", required=False)
@click.option("--offline", is_flag=True, help="Do not ask the store's host for approvals.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
@click.pass_context
def check(context: click.Context, store: str | None, *, offline: bool, as_json: bool) -> None:
    """Look at who answers for what, and what waits for them; end with 1 when something is wrong.

    STORE is a mount's name; every store when it is left out.
    """
    found = asyncio.run(_found(store, offline=offline))
    if as_json:
        voice.say(json.dumps([_json(one) for one in found], indent=1))
    for one in found if not as_json else ():
        voice.report_finding(one)
    wrong = sum(one.level is not Level.OK for one in found)
    if not as_json:
        voice.say(voice.counted(wrong, "finding") if wrong else "no findings")
    context.exit(int(wrong > 0))


async def _found(place: str | None, *, offline: bool) -> list[Finding]:
    settings = PersonSettings.load()
    found: list[Finding] = []
    async with mounted(settings, on_record()) as mounts:
        for store in [named_store(mounts, place)] if place else mounts.stores.values():
            found += [_placed(store, one) for one in await _of(store, settings, offline=offline)]
    return sorted(found, key=lambda one: one.level is not Level.ERROR)


async def _of(store: WorkingStore, settings: PersonSettings, *, offline: bool) -> list[Finding]:
    try:
        facts = await ownership(store)
    except FluxSecretError as failure:
        return [Finding.of("", failure)]
    found = [*findings(facts)]
    if facts.owners is not None and store.clone is not None:
        try:
            owning = await Owning.of(store, settings, offline=offline)
            judgement = await owning.judged(owning.bench())
        except FluxSecretError as failure:
            return [*found, Finding.of("", failure)]
        found += [_waiting(verdict, store.name or ".") for verdict in judgement.held]
    return found


def _waiting(verdict: Verdict, store: str) -> Finding:
    lines, gives = [*told(verdict, store)], command(verdict, store)
    says = "; ".join(lines[:-1]).partition(" is not approved: ")[2] if gives else lines[0]
    return Finding(
        Level.WARNING,
        verdict.prefix,
        f"waits for its owners: {says}",
        gives or "mend the file: flux-secret owners edit",
        kind="not-approved",
    )


def _placed(store: WorkingStore, one: Finding) -> Finding:
    is_place = one.kind not in {"owner-key", "owner-key-expires", "owner-of-nothing"}
    return replace(one, about=store.place(one.about) if is_place else
                   posixpath.join(store.name, one.about))  # fmt: skip


def _json(one: Finding) -> dict[str, str]:
    return {
        "severity": one.level.value, "kind": one.kind, "place": one.about, "what": one.says,
        "remedy": one.remedy,
    }  # fmt: skip
