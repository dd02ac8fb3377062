"""`flux-secret owners approve`: agree to what a store's newest commit changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from flux_secret.access.approvals import Verdict, told
from flux_secret.access.judging import Judgement
from flux_secret.cli import voice
from flux_secret.cli.owners.naming import named
from flux_secret.cli.owners.rules import other_rule
from flux_secret.cli.owners.values import show_values as print_values
from flux_secret.cli.recorded import on_record
from flux_secret.cli.signing_options import Signing, signing_options
from flux_secret.cli.store.terminal import confirmed
from flux_secret.errors import AccessError, FluxSecretError
from flux_secret.model.owners import parse_prefix
from flux_secret.settings.person import PersonSettings
from flux_secret.wiring.approving import Bench
from flux_secret.wiring.difference import Difference, difference
from flux_secret.wiring.owning import Owning, Pen, refuse_lockout
from flux_secret.wiring.stores import mounted

_SHOWN = 20  # entries or files
_FIRST = 3  # names of one line


@dataclass(frozen=True, slots=True)
class _Given:
    place: str
    prefix: str
    signing: Signing
    since: str | None
    show_values: bool
    dry_run: bool


@click.command()
@click.argument("store")
@click.argument("prefix", default="")
@click.option("--show-values", is_flag=True, help="Decrypt and show old and new values, too.")
@click.option(
    "--since",
    metavar="COMMIT",
    help="The commit that is trusted. Default: flux-secret.trusted-commit of the clone's "
    "git configuration, else the one that brought owners.yaml in.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be approved.")
@signing_options
def approve(  # noqa: PLR0913 -- one a flag
    store: str, prefix: str, since: str | None, signing: Signing, *,
    show_values: bool, dry_run: bool,
) -> int:  # fmt: skip
    """Show what waits for its owners, and sign it with your key.

    STORE is a mount's name, and PREFIX a folder or an entry in it, as in owners.yaml; without it,
    everything that waits for you. STORE/PREFIX is the same; . is the root store.
    """
    return asyncio.run(_approve(_Given(store, prefix, signing, since, show_values, dry_run)))


async def _approve(given: _Given) -> int:
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        store, folder = named(mounts, given.place)
        prefix = parse_prefix(f"{folder}/{given.prefix}".strip("/"))
        owning = await Owning.of(store, settings, offline=given.signing.offline)
        await owning.refuse_behind()
        used = owning.bench()
        judgement = await owning.judged(used, given.since)
        held = [one for one in judgement.held if _concerns(one.prefix, prefix)]
        if not held:
            voice.say(f"{store.place(prefix)}: nothing waits for an approval")
            return 0
        mine = [(one, pen) for one in held if (pen := await _pen(owning, used, one, given))]
        if not mine:
            raise _no_owner(held, given)
        refuse_lockout(used.judging.owners(owning.head), used.problem, store.place(""))
        _refuse_unknown(used, [pen for _, pen in mine])
        for one, _ in mine:
            await _show(owning, used, one, given)
        if given.dry_run or not confirmed("do you agree, as an owner?", yes=given.signing.yes):
            return 0 if given.dry_run else 1
        for one, pen in mine:
            await owning.sign(one.steps(used.lineage.first(owning.head)), pen)
        await _share(owning)
        return _report(await owning.judged(owning.bench(), given.since), mine, store.name)


def _concerns(one: str, prefix: str) -> bool:
    """Whether what is held lies at, below or above what the person named."""
    inside = not prefix or one == prefix or one.startswith(f"{prefix}/")
    return inside or not one or prefix.startswith(f"{one}/")


async def _pen(owning: Owning, used: Bench, one: Verdict, given: _Given) -> Pen | None:
    """Give the person's key for it; None when it is not theirs, or signed by them already."""
    if one.wanted is None:
        return None
    people = [who for who in owning.deciders(used, one) if who.name not in one.signed]
    return next(iter(await owning.pens(people, given.signing.ssh_key)), None)


def _refuse_unknown(used: Bench, pens: Sequence[Pen]) -> None:
    for pen in pens:
        problem = used.problem(pen.key)
        if problem:
            raise AccessError(
                f"your key {pen.key.short} {problem}",
                remedy="put it into the store, and share that: flux-secret owners edit, saved as "
                "it is; or renew it first",
            )


def _no_owner(held: Sequence[Verdict], given: _Given) -> FluxSecretError:
    broken = next((one.problem for one in held if one.problem), "")
    if broken:
        return AccessError(
            f"nothing can be approved: {broken}", remedy="mend the file: flux-secret owners edit"
        )
    names = sorted({name for one in held for name in one.missing})
    with_key = given.signing.ssh_key or "the OpenPGP keys that you have"
    return AccessError(
        f"nothing that waits is yours to approve with {with_key}: {', '.join(names)} can",
        remedy="name your key if it is one of SSH: --ssh-key FILE; who answers: "
        "flux-secret owners ls",
    )


async def _show(owning: Owning, used: Bench, one: Verdict, given: _Given) -> None:
    found = await difference(owning, used, one)
    old = f"{one.approved.commit[:12]}" if one.approved else "nothing approved before"
    new = one.wanted.commit[:12] if one.wanted else ""
    voice.say(f"{owning.store.place(one.prefix)}: {old} → {new}")
    for line in _lines(found):
        voice.say(f"  {voice.inline(line)}")
    for warning in one.ignored:
        voice.warn(warning)
    if given.show_values:
        await print_values(owning, one, found.entries)


def _lines(found: Difference) -> Iterator[str]:
    for change in found.entries[:_SHOWN]:
        yield f"{change.what:<8} {change.name}" + (f"  ({change.who})" if change.who else "")
    if len(found.entries) > _SHOWN:
        yield f"and {len(found.entries) - _SHOWN} more entries"
    for path in found.files[:_SHOWN]:
        yield f"file     {path}"
    if len(found.files) > _SHOWN:
        yield f"and {len(found.files) - _SHOWN} more files that are no entries"
    for who, names in found.readers:
        yield f"+ {who} reads {_some(names)}: it is new"
    for sign, changes in (("+", found.gained), ("-", found.lost)):
        for one in changes:
            yield f"{sign} {one.who} {one.what} {_some(one.entries)}: {one.because}"
    yield from found.weaker
    if found.old_rule != found.new_rule:
        yield f"rule     {other_rule(found.old_rule, found.new_rule)}"
    if found.is_elsewhere:
        yield "only keys of owners, or how entries are encrypted, differ: look with git diff"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_FIRST]) + (" …" if len(names) > _FIRST else "")


async def _share(owning: Owning) -> None:
    if not await owning.push():
        voice.note("the approval is kept here and was not pushed: nobody else sees it yet")


def _report(judgement: Judgement, mine: Sequence[tuple[Verdict, Pen]], store: str) -> int:
    verdicts = {one.prefix: one for one in judgement.verdicts}
    for one, pen in mine:
        voice.say(f"{one.prefix or 'the whole store'}: signed with {pen.key.short}")
        after = verdicts.get(one.prefix)
        if after is not None and after.is_held:
            for line in list(told(after, store or "."))[:-1]:
                voice.say(f"  {line}")
        else:
            voice.say("  approved")
    return 0
