"""Settings → what works, what they leave open, and what is broken; nothing is changed."""

from __future__ import annotations

import contextlib

from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.model.finding import Finding, Level
from flux_secret.outside.git import Mirror
from flux_secret.outside.sandbox.probe import find_sandbox
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.settings import Settings
from flux_secret.settings.risks import risks
from flux_secret.wiring.access import cluster_client, git_access
from flux_secret.wiring.heads import Heads
from flux_secret.wiring.keys import load_keys


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything that a delivery needs, and change nothing; `doctor` prints it."""
    git, cache = git_access(settings), settings.git.cache
    sources = {one.source: Mirror(one.source.url, cache, git) for one in settings.targets}
    stores = {name: Mirror(url, cache, git) for name, url in settings.stores.items()}
    findings = [
        *risks(settings),
        await _sandbox_finding(settings),
        *await Heads(sources, stores).findings(),
    ]
    async with contextlib.AsyncExitStack() as resources:
        try:
            load_keys(settings.keys, settings.tool_path, resources)
            files = ", ".join(map(str, settings.keys.files)) or "those of the GnuPG home"
            findings.append(Finding(Level.OK, "keys", files))
        except FluxSecretError as failure:
            findings.append(Finding.of("keys", failure))
        try:
            served = (await (await cluster_client(settings, resources)).kinds()).served
            findings.append(Finding(Level.OK, "cluster", f"it serves {len(served)} kinds"))
        except FluxSecretError as failure:
            findings.append(Finding.of("cluster", failure))
    return sorted(findings, key=lambda one: list(Level).index(one.level))


async def _sandbox_finding(settings: Settings) -> Finding:
    if settings.unsafe_no_sandbox:
        says = "generators run with the agent's rights: they can read its key and every store"
        return Finding(Level.WARNING, "sandbox", says, "leave --unsafe-no-sandbox out")
    if not any(target.generation.enabled for target in settings.targets):
        return Finding(Level.OK, "sandbox", "none is needed: no generator runs")
    try:
        async with Supervisors() as supervisors:
            sandbox = await find_sandbox(settings.tool_path, supervisors)
    except ConfigurationError as error:
        return Finding.of("sandbox", error)
    return Finding(Level.OK, "sandbox", f"generators are confined by {sandbox.kind.value}")
