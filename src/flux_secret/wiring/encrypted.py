"""Settings and keys → who opens encrypted files of repositories, and what `doctor` says of that."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.generate.interface import Opener
from flux_secret.model.finding import Finding, Level
from flux_secret.outside.files import lies_in_memory, memory_directory, place_inside
from flux_secret.outside.sops import Sops, examined
from flux_secret.outside.workshop import Workshops
from flux_secret.settings import Settings
from flux_secret.wiring.keys import Keys


def opener(age_file: Path | None, keys: Keys, confined: Workshops) -> Opener:
    """Open with the keys that decrypt entries; sops is `confined` as generators are."""
    sops = Sops(confined, keys.private.lent, age_file)
    return Opener(sops.decrypt, keys.decryptor.decrypt, place_inside)


def needs_sandbox(settings: Settings) -> bool:
    """Whether anything is to be confined."""
    made = [target.generation for target in settings.targets]
    confined = any(generation.enabled or generation.sops for generation in made)
    return confined or settings.custom_resources


def findings(settings: Settings) -> Iterator[Finding]:
    """Say whether what the flags ask for can be done here."""
    made = [target.generation for target in settings.targets]
    if any(generation.sops for generation in made):
        try:
            found = examined(settings.tool_path, settings.keys.age_file)
            yield Finding(Level.OK, "sops", found)
        except FluxSecretError as failure:
            yield Finding.of("sops", failure)
    if any(generation.git_secret for generation in made):
        place = memory_directory(runnable=True) or Path(tempfile.gettempdir())
        if lies_in_memory(place):
            yield Finding(Level.OK, "git-secret", f"what is revealed lies in memory, at {place}")
        else:
            disk = ConfigurationError(
                f"checkouts lie at {place}, which may be a disk: nothing is revealed there",
                remedy="mount memory where programs may start, and name it: TMPDIR",
            )
            yield Finding.of("git-secret", disk)
