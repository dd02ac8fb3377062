"""The fork server of test_nursery.py: workers that do what their job says."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, DecryptError
from flux_secret.model.names import StoreName
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.files import scratch
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.workers.cradle import Parent, Work, serve

PR_GET_DUMPABLE: Final = 3
CANARY: Final = "correct horse"
SLEEP: Final = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]


def main(requests: int, prepared: int, ready: int) -> None:
    """Be the fork server."""
    serve(requests, prepared, ready, prepare)


def prepare(given: str) -> Work:
    """Fail when it is told to."""
    if given == "fail":
        raise ConfigurationError("a key cannot be read", remedy="mend it")
    if given == "bug":
        raise ValueError(CANARY)
    if given == "die":
        os._exit(3)
    return work


async def work(job: str, parent: Parent, supervisors: Supervisors) -> object:
    """Do what the job says; a number is written into the file that it names."""
    what, _, place = job.partition(" ")
    return await WORK[what](Path(place or "/"), parent, supervisors)


async def _who(_place: Path, _parent: Parent, _supervisors: Supervisors) -> object:
    prctl = ctypes.CDLL(None).prctl
    return {
        "pid": os.getpid(), "server": os.getppid(),
        "dumpable": prctl(PR_GET_DUMPABLE, 0, 0, 0, 0),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "memory": resource.getrlimit(resource.RLIMIT_DATA),
        "oom": int(Path("/proc/self/oom_score_adj").read_text()),
        "streams": [str(Path(f"/proc/self/fd/{number}").readlink()) for number in range(3)],
    }  # fmt: skip


async def _ask(_place: Path, parent: Parent, _supervisors: Supervisors) -> object:
    return [await parent.ask(StoreName("a")), await parent.ask(StoreName("b"))]


async def _log(_place: Path, parent: Parent, _supervisors: Supervisors) -> object:
    parent.log("info", {"event": "said", "path": Path("/x"), "value": Plaintext(CANARY.encode())})
    parent.log("critical", {"event": "not one of ours"})
    return None


async def _refuse(_place: Path, _parent: Parent, _supervisors: Supervisors) -> object:
    try:
        raise ValueError(CANARY)  # noqa: TRY301 -- a library's, which quotes a value
    except ValueError as quoting:
        raise DecryptError("it is damaged") from quoting


async def _bug(_place: Path, _parent: Parent, _supervisors: Supervisors) -> object:
    raise ValueError(CANARY)


async def _leak(_place: Path, _parent: Parent, _supervisors: Supervisors) -> object:
    return Plaintext(CANARY.encode())


async def _eat(_place: Path, _parent: Parent, _supervisors: Supervisors) -> object:
    eaten = []
    while True:
        eaten.append(bytearray(16 * 1024 * 1024))


async def _die(_place: Path, _parent: Parent, _supervisors: Supervisors) -> object:
    os.kill(os.getpid(), signal.SIGKILL)
    return None


async def _hang(place: Path, _parent: Parent, _supervisors: Supervisors) -> object:
    """Hang where no signal of Python's is heard, with a child and a daemon of it."""
    with scratch("hang") as folder:
        code = "import os, time; print(os.fork(), flush=True); time.sleep(600)"
        child = subprocess.Popen(  # noqa: ASYNC220 -- that is the point
            [sys.executable, "-I", "-S", "-c", code], stdout=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        assert child.stdout is not None
        child.stdout.readline()  # it has forked
        _note(place, f"{os.getpid()} {child.pid} {folder}")
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        time.sleep(600)  # noqa: ASYNC251 -- the same
    return None


async def _wait(place: Path, _parent: Parent, supervisors: Supervisors) -> object:
    """Wait for a supervised command, as an orderly delivery would."""
    with scratch("wait") as folder:
        _note(place, f"{os.getpid()} {folder}")
        await supervisors.run(SLEEP, env={}, cwd=Path("/"))
        await asyncio.Event().wait()
    return None


def _note(place: Path, text: str) -> None:
    place.with_suffix(".part").write_text(text)
    place.with_suffix(".part").rename(place)


WORK: Final = {
    "who": _who, "ask": _ask, "log": _log, "refuse": _refuse, "bug": _bug, "leak": _leak,
    "eat": _eat, "die": _die, "hang": _hang, "wait": _wait,
}  # fmt: skip
