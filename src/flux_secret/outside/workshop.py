"""A scratch folder with tools in it, where a target's commands run and ask for secrets.

A command gets PATH (the tools, then the agent's), HOME and TMPDIR in the folder, a locale, and what
the settings name: nothing else of the agent's environment. `Wrap` is where a sandbox goes around a
command (design decision 3; it comes with issue 4).
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.errors import FluxSecretError, GenerateError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.callchannel import Ask, CallChannel, open_channel
from flux_secret.outside.files import scratch
from flux_secret.outside.process import MIB, Limits, OutputLimitError, ProcessTimeoutError, run
from flux_secret.outside.toolbox import furnish

MAX_OUTPUT: Final = 16 * MIB
KEPT_STDERR: Final = MIB // 4  # the end of what a command complained of; the rest is dropped

Wrap = Callable[[Sequence[str], Path], Sequence[str]]
"""(a command's words, the workshop's folder) → the words that run it inside a sandbox."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    returncode: int
    untrusted_stdout: Plaintext
    untrusted_stderr: bytes


class Workshop:
    """Runs commands with the tools of one scratch folder."""

    def __init__(
        self, place: Path, env: Mapping[str, str], channel: CallChannel, max_output: int, wrap: Wrap
    ) -> None:
        self._place = place
        self._env = env
        self._channel = channel
        self._max_output = max_output
        self._wrap = wrap

    async def run(self, command: str, *, cwd: Path, timeout_seconds: float) -> Outcome:
        """Run `/bin/sh -c COMMAND`; everything it started has ended when this returns.

        A process that it leaves behind is ended, not waited for; what that would have printed
        later does not count. Raises `GenerateError` for a limit, and for a call of `gopass` that
        could not be answered.
        """
        limits = Limits(timeout_seconds, self._max_output, KEPT_STDERR, keep_stderr_tail=True)
        argv = self._wrap(["/bin/sh", "-c", command], self._place)
        try:
            done = await run(argv, env=self._env, cwd=cwd, limits=limits, supervised=True)
        except ProcessTimeoutError:
            raise self._channel.failure or GenerateError(
                f"the command did not end within {timeout_seconds:g} s and was killed",
                remedy="give it a `timeout` in .flux.yaml, or raise --sync-timeout",
            ) from None
        except OutputLimitError:
            raise GenerateError(
                f"the command printed more than {self._max_output / MIB:g} MiB and was killed",
                remedy="print manifests only: a Secret holds at most 1 MiB, and the limit of a "
                "command's output cannot be moved",
            ) from None
        except FluxSecretError as error:
            raise GenerateError(error.what, remedy=error.remedy) from None
        finally:
            await self._channel.settle()
        if self._channel.failure is not None:
            raise self._channel.failure
        stderr = done.untrusted_stderr
        if done.stderr_was_cut:  # its first line may be the rest of one, with half a value in it
            stderr = stderr.partition(b"\n")[2]
        return Outcome(done.returncode, Plaintext(done.untrusted_stdout), stderr)

    async def kustomize(self, files: Mapping[str, bytes], *, timeout_seconds: float) -> Outcome:
        """Run `kustomize build` on these files, in a folder of their own, gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="kustomize-", dir=self._place) as name:
            folder = Path(name)
            for file, content in files.items():
                (folder / file).write_bytes(content)
            return await self.run("kustomize build .", cwd=folder, timeout_seconds=timeout_seconds)


def unwrapped(argv: Sequence[str], _place: Path) -> Sequence[str]:
    """Run a command as it is."""
    return argv


@asynccontextmanager
async def open_workshop(
    env: Mapping[str, str],
    ask: Ask,
    *,
    path: str,
    max_output: int = MAX_OUTPUT,
    wrap: Wrap = unwrapped,
) -> AsyncIterator[Workshop]:
    """Make the folder, its tools and its channel; all of it is gone afterwards.

    `env` is what the settings name for the commands. It may replace HOME, TMPDIR and the locale;
    PATH begins with the tools whatever it says.
    """
    with scratch("gen", runnable=True) as place:
        folders = {name: place / name for name in ("bin", "calls", "home", "tmp")}
        for folder in folders.values():
            folder.mkdir(mode=0o700)
        wanted = env.get("PATH", path)
        await furnish(folders["bin"], wanted, folders["calls"])
        whole = {
            "LANG": "C.UTF-8",
            "HOME": str(folders["home"]),
            "TMPDIR": str(folders["tmp"]),
            **env,
            "PATH": f"{folders['bin']}:{wanted}",
        }
        async with open_channel(folders["calls"], ask) as channel:
            yield Workshop(place, whole, channel, max_output, wrap)
