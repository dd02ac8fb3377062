"""Settings → what works, what they leave open, and what is broken; nothing is changed.

Stores are fetched into the cache, as a delivery does, and one entry of each is decrypted: only that
says whether a key opens it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import structlog

from flux_secret.access.content import owners_at
from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.model.delivery import Read
from flux_secret.model.finding import Finding, Level
from flux_secret.model.names import StoreName
from flux_secret.model.record import Recorder
from flux_secret.model.store import NO_ANCHOR
from flux_secret.outside.git import LastGood, Mirror
from flux_secret.outside.objects import Commit
from flux_secret.outside.sandbox.probe import find_sandbox
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.settings import Settings
from flux_secret.settings.risks import risks
from flux_secret.store.stores import Mirrors, Stores
from flux_secret.store.trial import Trial, trial
from flux_secret.wiring import encrypted, onrecord
from flux_secret.wiring.access import cluster_client, git_access
from flux_secret.wiring.heads import Heads
from flux_secret.wiring.keys import Keys, load_keys, own_key_ids
from flux_secret.wiring.listeners import webhook_findings

_NAMED: Final = 3  # entries that one line names
_log = structlog.get_logger()


async def examine(settings: Settings, recorder: Recorder) -> list[Finding]:
    """Look at everything that a delivery needs; `doctor` prints it.

    `recorder` has each entry that is tried before it is decrypted.
    """
    git, cache = git_access(settings), settings.git.cache
    sources = {one.source: Mirror(one.source.url, cache, git) for one in settings.targets}
    stores = {name: Mirror(url, cache, git) for name, url in settings.stores.items()}
    asked = await Heads(sources, stores).findings()
    confined = [
        await _sandbox_finding(settings),
        *encrypted.findings(settings),
        *onrecord.findings(settings),
    ]
    findings = [*risks(settings), *confined, *webhook_findings(settings), *asked.values()]
    async with contextlib.AsyncExitStack() as resources:
        try:
            keys = load_keys(settings.keys, settings.tool_path, resources)
            own = await own_key_ids(keys)
            findings.append(_keys_finding(settings, own))
            answering = _answering(stores, asked)
            findings += await _trials(settings, answering, keys, own, recorder)
        except FluxSecretError as failure:
            findings.append(Finding.of("keys", failure))
        findings.append(await _cluster_finding(settings, resources))
    return findings


def _keys_finding(settings: Settings, own: Collection[str]) -> Finding:
    files = ", ".join(map(str, (*settings.keys.files, *settings.keys.age_identities)))
    says = files or f"those of the GnuPG home {settings.keys.gnupg_home or ''}".rstrip()
    if settings.stores and not own and not settings.keys.age_identities:
        return Finding(
            Level.WARNING, "keys", f"{says}: no private key is there",
            "name its file: --git-gpg-key-import",
        )  # fmt: skip
    return Finding(Level.OK, "keys", says)


def _answering(
    stores: Mapping[StoreName, Mirror], asked: Mapping[str, Finding]
) -> Mapping[StoreName, Mirror]:
    """Give those that answered just now; what is wrong with the others is said already."""
    return {
        name: mirror
        for name, mirror in stores.items()
        if asked[f"store {name}"].level is not Level.ERROR
    }


async def _trials(
    settings: Settings,
    stores: Mapping[StoreName, Mirror],
    keys: Keys,
    own: Collection[str],
    recorder: Recorder,
) -> list[Finding]:
    last_good = {name: LastGood(mirror, allowed=False) for name, mirror in stores.items()}
    mirrors = Mirrors(last_good.__getitem__)
    pinned = Stores(mirrors, Commit, keys.decryptors, recorder=recorder)
    tried = await asyncio.gather(*(_trial(settings, name, pinned, own) for name in stores))
    owners = [await _owners(settings, name, last_good[name]) for name in stores]
    return [*tried, *owners]


async def _owners(settings: Settings, name: StoreName, mirror: LastGood) -> Finding:
    """Say whether anybody answers for what is delivered, and why they are believed."""
    about = f"owners of {name}"
    try:
        owners = owners_at(Commit(mirror.path, (await mirror.fetch(None)).commit))
    except FluxSecretError as failure:
        return Finding.of(about, failure)
    if not owners.rules:
        says = "nobody answers for its entries: whoever may push decides what is delivered"
        return Finding(Level.WARNING, about, says, "say who does: flux-secret owners edit")
    says = f"{len(owners.rules)} rules, {len(owners.people)} people"
    if settings.anchors.get(name, NO_ANCHOR) == NO_ANCHOR:
        says += "; the first owners file that an agent sees is trusted"
        remedy = f"name a commit that you trust: --store-anchor {name}=COMMIT"
        return Finding(Level.WARNING, about, says, remedy)
    return Finding(Level.OK, about, says)


async def _trial(
    settings: Settings, name: StoreName, stores: Stores, own: Collection[str]
) -> Finding:
    """Decrypt one entry of a store; its value is thrown away."""
    target = replace(settings.targets[0], stores=frozenset({name}))
    reads: list[Read] = []
    try:
        async with stores.reader(target, reads) as reader:
            return _opens(name, await trial(reader, own))
    except FluxSecretError as failure:
        return Finding.of(f"store {name}", failure)
    finally:
        for read in reads:
            _log.info("read.tried", entry=str(read.lookup), store_commit=read.commit[:12])


def _opens(name: StoreName, found: Trial) -> Finding:
    about = f"store {name}"
    if found.opened is None:
        return Finding(Level.WARNING, about, "it has no entry yet", f"gopass insert {name}/ENTRY")
    by = f"the key {' '.join(found.keys)}" if found.keys else "a key of ours (it names none)"
    ours = found.looked_at - len(found.others)
    of = f"{ours} of {found.looked_at} entries {'is' if ours == 1 else 'are'} encrypted to our keys"
    if found.unsaid:
        of += f", as far as they say it: {found.unsaid} name nobody"
    if found.others:
        of += f"; not {', '.join(map(str, found.others[:_NAMED]))}"
        of += f" and {len(found.others) - _NAMED} more" * (len(found.others) > _NAMED)
    return Finding(Level.OK, about, f"{found.opened} opens with {by}; {of}")


async def _cluster_finding(settings: Settings, resources: contextlib.AsyncExitStack) -> Finding:
    try:
        served = (await (await cluster_client(settings, resources)).kinds()).served
    except FluxSecretError as failure:
        return Finding.of("cluster", failure)
    return Finding(Level.OK, "cluster", f"it serves {len(served)} kinds")


async def _sandbox_finding(settings: Settings) -> Finding:
    if settings.unsafe_no_sandbox:
        says = "generators run with the agent's rights: they can read its key and every store"
        return Finding(Level.WARNING, "sandbox", says, "leave --unsafe-no-sandbox out")
    if not encrypted.needs_sandbox(settings):
        return Finding(Level.OK, "sandbox", "none is needed: no generator runs")
    try:
        async with Supervisors() as supervisors:
            sandbox = await find_sandbox(settings.tool_path, supervisors)
    except ConfigurationError as error:
        return Finding.of("sandbox", error)
    return Finding(Level.OK, "sandbox", f"generators are confined by {sandbox.kind.value}")
