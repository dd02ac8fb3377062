"""Checkout → Manifests: run what `.flux.yaml` says, or read the tree.

A read that was refused wins over whatever the script made of it: a failed, empty or refused read
poisons the generation even when every command exits 0 (design decision 2).
"""

from __future__ import annotations

from collections.abc import Iterator

from flux_secret.errors import FluxYamlError, GenerateError, ManifestError
from flux_secret.generate import flux_yaml, plain
from flux_secret.generate.answering import GopassAnswers, masked
from flux_secret.generate.flux_yaml import Command, Found, PatchUpdated, ScanForFiles
from flux_secret.generate.interface import (
    Checkout,
    OpenWorkshop,
    Outcome,
    SecretReader,
    Workshop,
)
from flux_secret.generate.manifests import parse, without_duplicates
from flux_secret.model.manifest import Manifest, Manifests
from flux_secret.model.target import Target


class Generator:
    """Makes manifests."""

    def __init__(self, open_workshop: OpenWorkshop) -> None:
        self._open_workshop = open_workshop

    async def generate(self, target: Target, checkout: Checkout, reader: SecretReader) -> Manifests:
        """Give what the target wants in the cluster, references not yet filled in.

        Raises `ConfigurationError` for what the repository does wrong, and the reader's own
        refusal when a command asked for something that could not be read. Nothing at all is an
        error too: an empty target would remove everything it once had (facts: flux-v1 §1.4).
        """
        root, directory = checkout.root.resolve(), checkout.directory.resolve()
        found = flux_yaml.find(root, directory) if target.generation.enabled else None
        if found is None or isinstance(found.config, ScanForFiles):
            items = without_duplicates(plain.load(root, directory))
        else:
            items = without_duplicates(await self._run(target, found, reader))
        if not items:
            raise ManifestError(
                f"target {target.name} gave no object at all",
                remedy="take it out of the configuration if that is meant",
            )
        return Manifests(items)

    async def _run(self, target: Target, found: Found, reader: SecretReader) -> list[Manifest]:
        if isinstance(found.config, PatchUpdated | ScanForFiles):
            raise FluxYamlError(
                f"{found.source}: patchUpdated is not supported yet",
                remedy="let kustomize do the patching, and use commandUpdated",
            )
        manifests: list[Manifest] = []
        answers = GopassAnswers(reader)
        async with self._open_workshop(target.generation.env, answers.answer) as workshop:
            for command in found.config.generators:
                manifests += await self._command(target, found, command, workshop, reader)
        return manifests

    async def _command(
        self,
        target: Target,
        found: Found,
        command: Command,
        workshop: Workshop,
        reader: SecretReader,
    ) -> list[Manifest]:
        limit = command.timeout_seconds or target.generation.timeout_seconds
        source = f"{found.source}: {command.command.partition('#')[0].strip()}"
        try:
            outcome = await workshop.run(
                command.command, cwd=found.work_directory, timeout_seconds=limit
            )
            _must_have_succeeded(outcome, reader)
            manifests = list(_parsed(outcome.untrusted_stdout.reveal(), source))
        except (GenerateError, ManifestError) as failure:
            if reader.refusal is not None:
                raise reader.refusal from None
            if isinstance(failure, ManifestError):
                raise
            raise GenerateError(  # Flux v1's own words, facts: flux-v1 §1.3
                f'error executing generator command "{command.command}" from file '
                f'"{found.source}": {failure.what}',
                remedy=failure.remedy,
            ) from None
        if reader.refusal is not None:
            raise reader.refusal
        return manifests


def _must_have_succeeded(outcome: Outcome, reader: SecretReader) -> None:
    if outcome.returncode != 0:
        raise GenerateError(
            f"exit status {outcome.returncode}{_said(outcome.untrusted_stderr, reader)}",
            remedy="run the command by hand in that directory",
        )


def _said(untrusted_stderr: bytes, reader: SecretReader) -> str:
    shown = masked(untrusted_stderr, reader)
    return f"\nerror output:\n{shown}" if shown else ", and it printed no error"


def _parsed(text: bytes, source: str) -> Iterator[Manifest]:
    empty = True
    for manifest in parse(text, source):
        empty = False
        yield manifest
    if empty:
        raise GenerateError(
            "it printed no manifest, and exited 0",
            remedy="a failure inside a pipe is hidden from the shell; run it by hand",
        )
