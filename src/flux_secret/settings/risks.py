"""Settings → what they open that a stricter setting would not; a page for each is in the docs."""

from __future__ import annotations

from collections.abc import Iterator

from flux_secret.model.finding import Finding, Level
from flux_secret.settings.settings import Settings


def risks(settings: Settings) -> Iterator[Finding]:
    """Give what a person should know of these settings; nothing is asked of anybody."""
    if settings.stores and len(settings.targets) > 1:
        names = ", ".join(sorted(map(str, settings.stores)))
        yield _warning(
            "stores",
            f"each of the {len(settings.targets)} targets may read every store ({names})",
            "Flux v1's flags have no word for less: run an agent for each group of targets, with "
            "its own --store and key",
        )
    for target in settings.targets:
        if target.generation.network:
            yield _warning(
                f"target {target.name}",
                "its generators may use the network, and so carry away what they read",
                "take it out of --generator-network as soon as it can do without",
            )
    if settings.stores and not any(target.generation.enabled for target in settings.targets):
        yield _warning(
            "generation",
            "no .flux.yaml is honoured, so scripts that ask for secrets do not run",
            "give --manifest-generation",
        )
    if settings.stores and settings.record is None:
        yield _warning(
            "record",
            "an agent with these settings keeps no record: what is read and delivered is in its "
            "log, and nowhere else",
            "name a place for it: --record-dir DIRECTORY, or --record-git-url URL",
        )
    if settings.cluster.adopt_existing:
        yield _warning(
            "ownership",
            "objects of anybody are taken over when a repository names them",
            "leave --adopt-existing out once everything is taken over",
        )

    if settings.listen.api and not settings.listen.api.is_loopback and settings.listen.token_file:
        yield _warning(
            "listen",
            "whoever has the token may ask for a sync, and confirm held changes, from elsewhere",
            "listen on loopback, which kubectl port-forward and fluxctl reach",
        )


def _warning(about: str, says: str, remedy: str) -> Finding:
    return Finding(Level.WARNING, about, says, remedy)
