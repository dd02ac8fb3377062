"""A temporary place: directories in memory, a GnuPG home, and a cluster to deliver to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.demo.people import GnuPG
from flux_secret.errors import ConfigurationError, UnreachableError
from flux_secret.outside.files import memory_directory
from flux_secret.outside.kubectl import find_kubectl
from flux_secret.outside.process import CommandNotFoundError, Limits, run

_LIMITS: Final = Limits(timeout_seconds=60.0)
_START_SECONDS: Final = 20.0
NAMESPACE: Final = "flux"
OWN_NAMESPACE: Final = "flux-secret-demo"
"""In a cluster that exists: apart from a flux-secret that may live there already."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo plays."""

    root: Path
    env: Mapping[str, str]
    gnupg: GnuPG
    kubeconfig: Path
    has_pods: bool
    """Whether somebody runs the pods: a real cluster does, the embedded one has no kubelet."""
    server_pid: int | None
    """The embedded API server's process."""
    namespace: str
    """Where flux-secret keeps its own objects."""

    def kubectl(self, say: Callable[[str], None]) -> Kubectl:
        """Give the kubectl that shows what is in the cluster."""
        return Kubectl(self, find_kubectl(self.env["PATH"]), say)

    async def deploy_key(self) -> dict[str, bytes]:
        """Make the ssh deploy key, as entries of the administrator's store."""
        file = self.root / "identity"
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "flux", "-f", str(file)]
        try:
            await run(argv, env=self.env, cwd=self.root, limits=_LIMITS)
        except CommandNotFoundError:
            return {}  # the demo's repositories are files; a machine without OpenSSH plays it too
        return {
            "ssh-private-key": file.read_bytes(),
            "ssh-public-key": file.with_suffix(".pub").read_bytes(),
        }


class Kubectl:
    """The kubectl that people have, on the demo's cluster."""

    def __init__(self, place: Place, program: Path, say: Callable[[str], None]) -> None:
        self._place = place
        self._program = program
        self._say = say

    async def show(self, *arguments: str) -> None:
        """Run it and print command and answer."""
        self._say(f"$ kubectl {' '.join(arguments)}")
        code, output = await self._run(*arguments)
        self._say(output.decode(errors="replace").rstrip())
        if code != 0:
            raise ConfigurationError(f"kubectl {arguments[0]} failed", remedy="see its words above")

    async def json(self, *arguments: str) -> bytes:
        """Give its JSON answer, or nothing when there is no such object."""
        code, output = await self._run(*arguments, "-o", "json", "--ignore-not-found")
        if code != 0:
            raise ConfigurationError(
                f"kubectl {arguments[0]} failed", remedy="is the cluster still there?"
            )
        return output.strip()

    async def _run(self, *arguments: str) -> tuple[int, bytes]:
        env = {**self._place.env, "KUBECONFIG": str(self._place.kubeconfig)}
        argv = [str(self._program), *arguments]
        done = await run(argv, env=env, cwd=self._place.root, limits=_LIMITS)
        return done.returncode, done.untrusted_stdout or done.untrusted_stderr


@asynccontextmanager
async def open_place(
    env: Mapping[str, str], current_kubeconfig: Path | None, *, keep: bool
) -> AsyncIterator[Place]:
    """Make the place; without `keep` nothing of it is left, whatever happens.

    `current_kubeconfig` is a cluster that exists; without one an API server is started in memory.
    """
    root = Path(tempfile.mkdtemp(prefix="flux-secret-demo-", dir=memory_directory()))
    child_env = {**env, "HOME": str(root), "LC_ALL": "C.UTF-8"}
    gnupg = GnuPG(root / "gnupg", child_env)
    server: asyncio.subprocess.Process | None = None
    kubeconfig = current_kubeconfig
    kept = False
    try:
        if kubeconfig is None:
            kubeconfig = root / "kubeconfig"
            server = await _start_server(kubeconfig, child_env)
        pid = server.pid if server else None
        namespace = NAMESPACE if server else OWN_NAMESPACE
        yield Place(root, child_env, gnupg, kubeconfig, server is None, pid, namespace)
        kept = keep
    finally:
        await gnupg.close()
        if not kept:
            if server is not None:
                await _stop(server)
            shutil.rmtree(root, ignore_errors=True)


async def _start_server(kubeconfig: Path, env: Mapping[str, str]) -> asyncio.subprocess.Process:
    """Start the embedded API server in its own process; it writes the kubeconfig when ready."""
    log = kubeconfig.with_name("apiserver.log").open("wb")
    with log:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "flux_secret.embedded", "--kubeconfig", str(kubeconfig),
            env=dict(env), cwd=kubeconfig.parent, stdin=asyncio.subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not _is_ready(kubeconfig, server):  # noqa: ASYNC110 -- another process's file
                await asyncio.sleep(0.02)
    except BaseException as failure:
        await _stop(server)
        if isinstance(failure, TimeoutError):
            raise UnreachableError(
                f"the embedded API server was not ready within {_START_SECONDS:g} s",
                remedy="is the machine very busy? try again",
            ) from None
        raise
    return server


def _is_ready(kubeconfig: Path, server: asyncio.subprocess.Process) -> bool:
    if server.returncode is not None:
        raise UnreachableError(
            "the embedded API server ended at once",
            remedy="run it by hand: python -m flux_secret.embedded --kubeconfig FILE",
        )
    return kubeconfig.exists()


async def _stop(server: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(5):
            await server.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        await server.wait()
