"""A scratch folder with tools in it, where a target's commands run and ask for secrets.

A command gets PATH (the tools, then the agent's), HOME and TMPDIR in the folder, a locale, and what
the settings name: nothing else of the agent's environment. It runs in the sandbox (ADR 0007).
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, FluxSecretError, GenerateError
from flux_secret.model.bounds import BOUNDS, Bounds
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.quantity import shown_quantity
from flux_secret.model.target import Generation
from flux_secret.outside.callchannel import Ask, CallChannel, open_channel
from flux_secret.outside.files import scratch
from flux_secret.outside.process import (
    MIB,
    Completed,
    Limits,
    OutputLimitError,
    ProcessTimeoutError,
)
from flux_secret.outside.sandbox import view
from flux_secret.outside.sandbox.sandbox import Room, Sandbox
from flux_secret.outside.supervision.group import OVER_MEMORY, OVER_PROCESSES
from flux_secret.outside.supervision.supervisor import NOT_CONFINED
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.toolbox import furnish

KEPT_STDERR: Final = MIB // 4  # the end of what a command complained of; the rest is dropped

_OVER: Final = {  # how a supervisor ends itself, and the command with it
    -OVER_MEMORY: (
        "the command used more than {memory:g} MiB of memory, its files included, and was killed",
        (
            "make it smaller: checkout and scratch folder lie in memory and count; or raise "
            "--generator-memory, which is {memory_flag}"
        ),
    ),
    -OVER_PROCESSES: (
        "the command had more than {processes} processes at once and was killed",
        "start fewer at once; or raise --generator-processes, which is {processes}",
    ),
    -NOT_CONFINED: (
        "the sandbox could not be set up: {said}",
        "this is not the command's doing; see docs/sandbox.md",
    ),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    returncode: int
    untrusted_stdout: Plaintext
    untrusted_stderr: bytes


@dataclass(frozen=True, slots=True)
class Workshop:
    """Runs commands with the tools of one scratch folder."""

    _env: Mapping[str, str]
    _channel: CallChannel
    _sandbox: Sandbox
    _room: Room
    _supervisors: Supervisors

    async def run(self, command: str, *, cwd: Path, timeout_seconds: float) -> Outcome:
        """Run `/bin/sh -c COMMAND`; everything it started has ended when this returns.

        A process that it leaves behind is ended, not waited for; what that would have printed
        later does not count. Raises `GenerateError` for a limit, and for a call of `gopass` that
        could not be answered.
        """
        most = self._room.bounds.output_bytes
        limits = Limits(timeout_seconds, most, KEPT_STDERR, keep_stderr_tail=True)
        shell = ["/bin/sh", "-c", command]
        argv, bounds = self._sandbox.confined(shell, self._room, cwd)
        try:
            done = await self._supervisors.run(
                argv, env=self._env, cwd=cwd, limits=limits, confinement=bounds
            )
        except ProcessTimeoutError:
            raise self._channel.failure or GenerateError(
                f"the command did not end within {timeout_seconds:g} s and was killed",
                remedy="give it a `timeout` in .flux.yaml, or raise --sync-timeout",
            ) from None
        except OutputLimitError:
            raise GenerateError(
                f"the command printed more than {most / MIB:g} MiB and was killed",
                remedy="print manifests only: a Secret holds at most 1 MiB; or raise "
                f"--generator-output, which is {shown_quantity(most)}",
            ) from None
        except FluxSecretError as error:
            raise GenerateError(error.what, remedy=error.remedy) from None
        finally:
            await self._channel.settle()
        if self._channel.failure is not None:
            raise self._channel.failure
        self._check_bounds(done)
        stderr = done.untrusted_stderr
        if done.stderr_was_cut:  # its first line may be the rest of one, with half a value in it
            stderr = stderr.partition(b"\n")[2]
        return Outcome(done.returncode, Plaintext(done.untrusted_stdout), stderr)

    def _check_bounds(self, done: Completed) -> None:
        if done.returncode in _OVER:
            what, remedy = _OVER[done.returncode]
            bounds = self._room.bounds
            said = done.untrusted_stderr[-200:].decode("ascii", "replace").strip()
            about = {
                "memory": bounds.memory_bytes / MIB,
                "memory_flag": shown_quantity(bounds.memory_bytes),
                "processes": bounds.processes,
                "said": said,
            }
            raise GenerateError(what.format(**about), remedy=remedy.format(**about))

    async def kustomize(self, files: Mapping[str, bytes], *, timeout_seconds: float) -> Outcome:
        """Run `kustomize build` on these files, in a folder of their own, gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="kustomize-", dir=self._room.writable[-1]) as name:
            folder = Path(name)
            for file, content in files.items():
                (folder / file).write_bytes(content)
            return await self.run("kustomize build .", cwd=folder, timeout_seconds=timeout_seconds)


@dataclass(frozen=True, slots=True)
class Workshops:
    """Opens workshops, one for each target that has commands."""

    path: str
    """PATH, where the commands find everything but our tools."""
    sandbox: Sandbox | ConfigurationError
    """What confines the commands, or why none may run."""
    supervisors: Supervisors
    bounds: Bounds = BOUNDS
    tools: view.Tools = field(default_factory=view.Tools)

    @asynccontextmanager
    async def open(
        self, generation: Generation, checkout: Path, ask: Ask
    ) -> AsyncIterator[Workshop]:
        """Make the folder, its tools and its channel; all of it is gone afterwards.

        What `--generator-env` names may replace HOME, TMPDIR and the locale; PATH begins with the
        tools whatever it says. Raises `ConfigurationError` where there is no sandbox.
        """
        if isinstance(self.sandbox, ConfigurationError):
            raise ConfigurationError(self.sandbox.what, remedy=self.sandbox.remedy)
        with scratch("gen", runnable=True) as place:
            folders = {name: place / name for name in ("bin", "calls", "home", "tmp")}
            for folder in folders.values():
                folder.mkdir(mode=0o700)
            wanted = generation.env.get("PATH", self.path)
            await furnish(folders["bin"], wanted, folders["calls"])
            env = {
                "LANG": "C.UTF-8",
                "HOME": str(folders["home"]),
                "TMPDIR": str(folders["tmp"]),
                **generation.env,
                "PATH": f"{folders['bin']}:{wanted}",
            }
            tools = self.tools.of(wanted)
            room = Room((checkout, place), tools, network=generation.network, bounds=self.bounds)
            async with open_channel(folders["calls"], ask) as channel:
                yield Workshop(env, channel, self.sandbox, room, self.supervisors)
