"""Checkout → Manifests: run what `.flux.yaml` says, or read the tree.

0. What git-secret hides is revealed first, if the target wants that.
1. The nearest `.flux.yaml` says how; without one the target is a plain tree.
2. Commands run in order, in the target's directory; the first that fails ends it.
3. A `gopass` that did not succeed wins over whatever the script made of it: it poisons the whole
   generation even when every command exits 0 (design decision 2).
4. Nothing at all is an error: an empty target would remove everything it once had.
5. What a command that succeeds complains of is remarked, not dropped (facts: flux-v1 §1.3).
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from flux_secret.errors import BugError, GenerateError, ManifestError
from flux_secret.generate import flux_yaml, gitsecret, plain
from flux_secret.generate.answering import GopassAnswers
from flux_secret.generate.flux_yaml import Command, Found, PatchUpdated, ScanForFiles
from flux_secret.generate.gitsecret import Revealed
from flux_secret.generate.interface import (
    Checkout,
    Opener,
    OpenWorkshop,
    Outcome,
    SecretReader,
    Workshop,
)
from flux_secret.generate.manifests import parse, without_duplicates
from flux_secret.generate.masking import masked, untraced
from flux_secret.generate.patching import patched, read_patches
from flux_secret.generate.sops import SopsFiles
from flux_secret.model.delivery import Remark
from flux_secret.model.manifest import Manifest, Manifests
from flux_secret.model.target import Target

_MAX_NAME = 80  # characters of a command, where it stands for where a manifest came from
_MAX_MASKED = 32 * 1024  # bytes of revealed files that are looked for in what commands say
_SIGNALLED = 128  # a shell's exit status for signal N is 128 + N
_REMEDIES = {
    126: "make it executable: git update-index --chmod=+x FILE",
    127: "a program is missing where the agent runs: install it there, or mend its name",
    _SIGNALLED + signal.SIGKILL: "if it was the kernel, for want of memory where the agent runs: "
    "give that more, or the command less by --generator-memory",
    _SIGNALLED + signal.SIGXFSZ: "it wrote a file larger than --generator-memory: write less, or "
    "raise that",
}


class Generator:
    """Makes manifests."""

    def __init__(self, open_workshop: OpenWorkshop, opener: Opener) -> None:
        self._open_workshop = open_workshop
        self._opener = opener

    async def generate(
        self, target: Target, checkout: Checkout, reader: SecretReader, remarks: list[Remark]
    ) -> Manifests:
        """Give what the target wants in the cluster, references not yet filled in.

        `remarks` is filled in place: it is known also when a later command fails. Raises
        `ConfigurationError` for what the repository does wrong, and the reader's own refusal when a
        command asked for something that could not be read.
        """
        root, directory = checkout.root.resolve(), checkout.directory.resolve()
        revealed = await self._revealed(root, directory, target, remarks)
        found = flux_yaml.find(root, directory) if target.generation.enabled else None
        remarks += found.remarks if found else ()
        if found is None or isinstance(found.config, ScanForFiles):
            made = await self._plain(root, found.work_directory if found else directory, target)
        else:
            made = await self._run(root, found, _Given(target, reader, remarks, revealed))
        items = without_duplicates(made)
        if not items:
            raise ManifestError(
                f"target {target.name} gave no object at all",
                remedy="take it out of the configuration if that is meant",
            )
        return Manifests(items)

    async def _revealed(
        self, root: Path, directory: Path, target: Target, remarks: list[Remark]
    ) -> Revealed:
        """Reveal what git-secret hides, or remark what stays hidden."""
        names = target.generation.git_secret
        if names is not None:
            return await gitsecret.unhide(root, names, self._opener)
        remarks += gitsecret.remarks(root, directory)
        return Revealed()

    async def _plain(self, root: Path, directory: Path, target: Target) -> list[Manifest]:
        files = SopsFiles(self._opener.sops, target.generation.timeout_seconds)
        opened = files.opened if target.generation.sops else None
        return await plain.load(root, directory, opened)

    async def _run(self, root: Path, found: Found, given: _Given) -> list[Manifest]:
        if isinstance(found.config, ScanForFiles):
            raise BugError("a plain tree runs no command")
        generation = given.target.generation
        answers = GopassAnswers(given.reader, f"a command of {found.source}")
        manifests: list[Manifest] = []
        async with self._open_workshop(generation, root, answers.answer) as workshop:
            run = _Run(given, found, workshop, answers)
            for command in found.config.generators:
                manifests += await run.command(command)
            if isinstance(found.config, PatchUpdated):
                whole = without_duplicates(manifests)
                patches = read_patches(root, found.work_directory, found.config.patch_file)
                manifests = await patched(whole, patches, workshop, generation.timeout_seconds)
        return manifests


@dataclass(frozen=True, slots=True)
class _Given:
    """What commands are run for, and what they may not be quoted with."""

    target: Target
    reader: SecretReader
    remarks: list[Remark]
    revealed: Revealed


@dataclass(frozen=True, slots=True)
class _Run:
    """One target's commands, one after the other."""

    given: _Given
    found: Found
    workshop: Workshop
    answers: GopassAnswers

    async def command(self, command: Command) -> list[Manifest]:
        """Run one command and parse what it prints."""
        try:
            outcome = await self.workshop.run(
                command.command,
                cwd=self.found.work_directory,
                timeout_seconds=command.timeout_seconds
                or self.given.target.generation.timeout_seconds,
            )
            manifests = self._manifests(command, outcome)
        except (GenerateError, ManifestError) as failure:
            if self.answers.refusal is not None:
                raise self.answers.refusal from None
            raise self._explained(command, failure) from None
        if self.answers.refusal is not None:
            raise self.answers.refusal
        if said := self._complaint(untraced(outcome.untrusted_stderr)):
            self.given.remarks.append(Remark(f"`{_short(command)}`", said))
        return manifests

    def _manifests(self, command: Command, outcome: Outcome) -> list[Manifest]:
        if outcome.returncode != 0:
            raise self._failed(outcome)
        source = f"{self.found.source}: {_short(command)}"
        manifests = list(parse(outcome.untrusted_stdout.reveal(), source, self.found.name))
        if not manifests:
            # Flux v1 takes it for zero objects, and garbage collection deletes them all
            raise GenerateError(
                f"it printed no manifest, and exited 0{self._said(outcome)}",
                remedy="a failure inside a pipe is hidden from the shell: run it by hand; one that "
                "only prepares something belongs to the next: `prepare && kustomize build .`",
            )
        return manifests

    def _failed(self, outcome: Outcome) -> GenerateError:
        code = outcome.returncode
        remedy = _REMEDIES.get(code, "run the command by hand in that directory")
        status = f"exit status {code}"
        if code > _SIGNALLED and code - _SIGNALLED in set(signal.Signals):
            status += f" ({signal.Signals(code - _SIGNALLED).name})"
        said = self._said(outcome) or ", and it printed no error"
        return GenerateError(f"{status}{said}", remedy=remedy)

    def _said(self, outcome: Outcome) -> str:
        shown = self._complaint(outcome.untrusted_stderr)
        return f"\nerror output:\n{shown}" if shown else ""

    def _complaint(self, text: bytes) -> str:
        """Give what a command complained of, unless too much would have to be masked in it."""
        if text.strip() and self.given.revealed.size > _MAX_MASKED:
            return "(not shown: it may quote what --git-secret reveals)"
        return self._masked(text)

    def _masked(self, text: bytes) -> str:
        revealed = self.given.revealed.values if self.given.revealed.size <= _MAX_MASKED else ()
        return masked(text, [*(value for _, value in self.given.reader.handed_out), *revealed])

    def _explained(
        self, command: Command, failure: GenerateError | ManifestError
    ) -> GenerateError | ManifestError:
        """Say which command it was, in Flux v1's own words (facts: flux-v1 §1.3)."""
        if isinstance(failure, ManifestError):
            return ManifestError(self._masked(failure.what.encode()), remedy=failure.remedy)
        return GenerateError(
            f'error executing generator command "{command.command}" from file '
            f'"{self.found.source}": {failure.what}',
            remedy=failure.remedy,
        )


def _short(command: Command) -> str:
    """Name a command where its whole text would be in the way."""
    text = " ".join(command.command.partition("#")[0].split())
    return text if len(text) <= _MAX_NAME else f"{text[: _MAX_NAME - 1]}…"
