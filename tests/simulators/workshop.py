"""A workshop whose commands print what a dictionary says, and a checkout made of another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flux_secret.errors import FluxSecretError
from flux_secret.generate.interface import Ask
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.target import Generation


@dataclass(frozen=True)
class Printed:
    text: str | bytes = ""
    code: int = 0
    complaint: bytes = b""
    asks: tuple[str, ...] = ()
    raises: FluxSecretError | None = None


@dataclass(frozen=True)
class Outcome:
    returncode: int
    untrusted_stdout: Plaintext
    untrusted_stderr: bytes


@dataclass
class FakeWorkshop:
    """Prints what a dictionary says, after asking what it says."""

    commands: Mapping[str, Printed]
    env: Mapping[str, str] = field(default_factory=dict)
    ask: Ask | None = None
    ran: list[tuple[str, Path, float]] = field(default_factory=list)
    checkout: Path | None = None
    closed: bool = False

    @asynccontextmanager
    async def open(
        self, generation: Generation, checkout: Path, ask: Ask
    ) -> AsyncIterator[FakeWorkshop]:
        self.env, self.checkout, self.ask = generation.env, checkout, ask
        try:
            yield self
        finally:
            self.closed = True

    async def kustomize(self, files: Mapping[str, bytes], *, timeout_seconds: float) -> Outcome:
        raise NotImplementedError(files, timeout_seconds)  # tests/system has the real one

    async def run(self, command: str, *, cwd: Path, timeout_seconds: float) -> Outcome:
        self.ran.append((command, cwd, timeout_seconds))
        printed = self.commands[command]
        assert self.ask is not None
        for question in printed.asks:
            await self.ask(question.split())
        if printed.raises is not None:
            raise printed.raises
        text = printed.text if isinstance(printed.text, bytes) else printed.text.encode()
        return Outcome(printed.code, Plaintext(text), printed.complaint)


@dataclass(frozen=True)
class Checkout:
    root: Path
    directory: Path


def repository(root: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root
