"""What generating needs of a checkout, of whoever answers questions, and of who runs commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flux_secret.errors import FluxSecretError
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup
from flux_secret.model.target import Generation


class Checkout(Protocol):
    """A private copy of the repository; it may be written to."""

    @property
    def root(self) -> Path:
        """The repository's root."""

    @property
    def directory(self) -> Path:
        """The target's directory, or the file that it names."""


class SecretReader(Protocol):
    """Answers questions, and remembers the first one it refused."""

    async def read(self, lookup: Lookup, reason: str) -> Plaintext:
        """Answer one question, or raise; `reason` says who asks, for the record."""

    async def entries(self, prefix: str) -> Sequence[SecretPath]:
        """List entries below a folder."""

    @property
    def refusal(self) -> FluxSecretError | None:
        """The first read that failed."""

    @property
    def handed_out(self) -> Sequence[tuple[Lookup, Plaintext]]:
        """Every value given away so far."""


class Outcome(Protocol):
    """How a command ended; both streams may hold secrets."""

    @property
    def returncode(self) -> int:
        """Its exit code, or 128 plus the signal that ended it."""

    @property
    def untrusted_stdout(self) -> Plaintext:
        """What it printed, not yet parsed."""

    @property
    def untrusted_stderr(self) -> bytes:
        """What it complained of; masked before it is shown."""


class Workshop(Protocol):
    """Where one target's commands run: their tools, their scratch folder, their limits."""

    async def run(self, command: str, *, cwd: Path, timeout_seconds: float) -> Outcome:
        """Run `/bin/sh -c COMMAND`; raise `GenerateError` on a limit."""

    async def kustomize(self, files: Mapping[str, bytes], *, timeout_seconds: float) -> Outcome:
        """Run `kustomize build` on these files, kept in memory; raise `GenerateError`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a script's `gopass` prints and how it exits."""

    code: int
    stdout: Plaintext
    stderr: str = ""


Ask = Callable[[Sequence[str]], Awaitable[Answer]]
"""The arguments of one `gopass` call → its answer."""


class DecryptSops(Protocol):
    """Lets sops decrypt a file."""

    async def __call__(
        self, ciphertext: bytes, /, *, pgp: bool, timeout_seconds: float
    ) -> Plaintext:
        """Give the clear text; `pgp`: whether gpg is needed.

        Raises `DecryptError`, or `ConfigurationError` where it cannot be tried.
        """


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens what a repository holds encrypted, with the agent's own keys."""

    sops: DecryptSops
    openpgp: Callable[[bytes], Awaitable[Plaintext]]
    """Decrypts one OpenPGP message; raises `DecryptError`."""
    place: Callable[[Path, str, Plaintext], int]
    """(checkout, path in it, value) → how many bytes were written there.

    Raises `ConfigurationError` where the checkout does not lie in memory.
    """


OpenWorkshop = Callable[[Generation, Path, Ask], AbstractAsyncContextManager[Workshop]]
"""(how the target generates, its checkout, who answers) → a workshop, gone afterwards.

Opening raises `ConfigurationError` where commands may not run, as without a sandbox.
"""
