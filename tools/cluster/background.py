"""`up` and `down`: a control plane that goes on when the command has ended.

`up` starts `run` in the background and waits until it is ready; `run` holds a lock on DIR/lock, in
which its process id stands, so that `down` ends that process and no other.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn

from build import CLUSTER, BuildError, build
from cluster.control_plane import ControlPlane
from cluster.process import ControlPlaneError, until

SCRIPT: Final = Path(__file__).with_name("control_plane.py")
STOP_SECONDS: Final = 60.0
UP_SECONDS: Final = 300.0  # three conditions of 90 s, and some
FAILED: Final = 1
_TAKEN: Final = "a control plane runs in {} already: end it with `down --dir`, or name another DIR"


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog=SCRIPT.name, description="A real control plane.")
    parser.add_argument("command", choices=["up", "down", "run"])
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    command = {"up": up, "down": down, "run": run}[options.command]
    try:
        command(options.dir.resolve())
    except BuildError as error:
        print(f"{SCRIPT.name}: {error}", file=sys.stderr)
        return error.exit_code
    except ControlPlaneError as error:
        print(f"{SCRIPT.name}: {error}", file=sys.stderr)
        return FAILED
    return 0


def run(directory: Path) -> None:
    """Run in the foreground until Ctrl-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    with _held(directory):
        began = time.monotonic()
        with ControlPlane.start(directory) as plane:
            used = plane.resident_mib()
            print(f"# ready in {time.monotonic() - began:.1f} s; {sum(used.values())} MiB: {used}")
            print(f"export KUBECONFIG={shlex.quote(str(plane.kubeconfig))}", flush=True)
            threading.Event().wait()


def up(directory: Path) -> None:
    """Run in the background; print what to tell the shell once it is ready."""
    if _is_held(directory):
        raise ControlPlaneError(_TAKEN.format(directory))
    for module in CLUSTER:
        build(module)  # here, where its progress is seen
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = directory / "control_plane.log"
    with log.open("w") as output:
        started = subprocess.Popen(
            [sys.executable, str(SCRIPT), "run", "--dir", str(directory)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip

    def is_ready() -> bool:
        if started.poll() is not None:
            raise ControlPlaneError(f"it did not start; {log} says:\n{log.read_text()}")
        return "export KUBECONFIG=" in log.read_text()

    try:
        until("the control plane is up", is_ready, seconds=UP_SECONDS)
    except BaseException:
        started.terminate()
        raise
    print(log.read_text(), end="")


def down(directory: Path) -> None:
    """End what `up` or `run` started in `directory`; having nothing to end is no failure."""
    if not _is_held(directory):
        print(f"no control plane runs in {directory}", file=sys.stderr)
        return
    os.kill(int((directory / "lock").read_text()), signal.SIGTERM)
    until("the control plane is down", lambda: not _is_held(directory), seconds=STOP_SECONDS)


@contextlib.contextmanager
def _held(directory: Path) -> Iterator[None]:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ControlPlaneError(_TAKEN.format(directory)) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _is_held(directory: Path) -> bool:
    try:
        with (directory / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _end(number: int, _frame: object) -> NoReturn:
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)  # one is enough: let it finish ending the servers
    sys.exit(0 if number == signal.SIGTERM else 128 + number)
