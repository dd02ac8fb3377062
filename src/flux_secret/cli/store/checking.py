"""Stores looked at, and mended if that is wanted; what was found, for people and for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.cli.store.terminal import counting
from flux_secret.errors import UsageError
from flux_secret.model.finding import Finding, Level
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.facts import Facts
from flux_secret.store.working.findings import FIXABLE, findings
from flux_secret.store.working.inspect import Asked, inspect
from flux_secret.store.working.repair import repair
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.stores import mounted

_SHOWN: Final = 3  # places of one finding; JSON has all


@dataclass(frozen=True, slots=True)
class Checking:
    """What a person asked for."""

    place: str | None
    decrypts: bool = False
    fixes: bool = False
    as_json: bool = False
    kinds: frozenset[str] = frozenset()
    """What to look for; empty for everything."""


async def check_stores(checking: Checking) -> int:
    """Look, mend, tell; give 1 when anything is wrong, 0 when all is well."""
    found: list[Finding] = []
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        for store, folder in mounts.below(checking.place):
            if folder:
                raise UsageError(
                    f"{checking.place} is no store", remedy="name a mount, or nothing for all"
                )
            facts = await _facts(store, checking)
            if checking.fixes:
                await _fix(store, checking)
                await share(store, settings)
                facts = await _facts(store, checking)
            seen = [
                one for one in findings(facts) if not checking.kinds or one.kind in checking.kinds
            ]
            found += seen
            if not checking.as_json:
                _tell(store, facts, seen, checking)
    if checking.as_json:
        voice.say(json.dumps([_json(one) for one in found], indent=1))
    return int(any(one.level is not Level.OK for one in found))


async def _facts(store: WorkingStore, checking: Checking) -> Facts:
    asked = Asked(int(time.time()), decrypts=checking.decrypts)
    with counting("decrypting") as watch:
        return await inspect(store, store.tree(), asked, watch)


async def _fix(store: WorkingStore, checking: Checking) -> None:
    async with store.changing() as draft:
        facts = await inspect(store, draft.before, Asked(int(time.time())))
        with counting("encrypting") as watch:
            done = await repair(draft, facts, watch)
    for line in done.done if not checking.as_json else ():
        voice.say(f"repaired {line}")
    for failure in done.failed:
        voice.fail(failure)


def _tell(store: WorkingStore, facts: Facts, found: Sequence[Finding], checking: Checking) -> None:
    for same in _grouped(found):
        first = same[0]
        places = ", ".join(one.about for one in same[:_SHOWN])
        more = f" and {len(same) - _SHOWN} more" if len(same) > _SHOWN else ""
        voice.report_finding(
            Finding(first.level, f"{places}{more}", first.says, first.remedy, kind=first.kind)
        )
    what = "" if checking.decrypts or checking.kinds else ", none decrypted (--decrypt)"
    wrong = sum(one.level is not Level.OK for one in found)
    entries = voice.counted(len(facts.entries), "entry", "entries")
    findings = voice.counted(wrong, "finding") if wrong else "no findings"
    voice.say(f"{store.place('')}: {entries} looked at{what}, {findings}")


def _grouped(found: Iterable[Finding]) -> list[list[Finding]]:
    """Put findings together that say the same of many places."""
    groups: dict[tuple[Level, str, str], list[Finding]] = {}
    for one in found:
        groups.setdefault((one.level, one.kind, one.says), []).append(one)
    return list(groups.values())


def _json(one: Finding) -> dict[str, str | bool]:
    return {
        "severity": one.level.value, "kind": one.kind, "place": one.about, "what": one.says,
        "remedy": one.remedy, "fixable": one.kind in FIXABLE,
    }  # fmt: skip
