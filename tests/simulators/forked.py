"""A flux-secret that is imported once, and forked for each command that a test runs.

A command takes a third of a second to import, and the tests run thousands. Each has a process, an
environment, a folder and pipes of its own, as `python -m flux_secret` would have: a test of its own
compares both. What Python reads when it starts cannot be given afterwards, so whoever wants another
locale, or a variable of Python's, gets a whole new Python.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, NoReturn

SECONDS: Final = 110.0
_LOCALE: Final = {"LC_ALL": "C.UTF-8"}
_SIZE: Final = struct.Struct("!I")
_STATUS: Final = struct.Struct("!i")
_COMMANDS: Final = (
    "access.diff", "age", "audit.log", "audit.verify", "audit.export", "bootstrap", "identity",
    "offboard", "owners.approve", "owners.check", "owners.edit", "owners.ls", "recipients.add",
    "recipients.ls", "recipients.remove", "reencrypt", "store.checking", "store.edit",
    "store.grep", "store.history", "store.insert", "store.moved", "store.sharing", "store.show",
    "store.sync",
)  # fmt: skip


def can_fork(env: Mapping[str, str]) -> bool:
    """Whether a command with this environment is the same as one of a whole new Python."""
    own = {name for name in env if name.startswith(("PYTHON", "COVERAGE", "LC_", "LANG"))}
    return own == _LOCALE.keys() and env["LC_ALL"] == _LOCALE["LC_ALL"]


def run(
    words: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run `flux-secret WORDS`; wait for it, and for whoever else holds its pipes."""
    ours, theirs = [], []
    for is_input in (True, False, False):
        reads, writes = os.pipe()
        ours.append(os.fdopen(writes, "wb") if is_input else os.fdopen(reads, "rb"))
        theirs.append(reads if is_input else writes)
    request = json.dumps([list(words), dict(env), str(cwd)]).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(_server())
        socket.send_fds(connection, [_SIZE.pack(len(request))], theirs)
        connection.sendall(request)
        for descriptor in theirs:
            os.close(descriptor)
        out, err = _talked(stdin, ours)
        (status,) = _STATUS.unpack(connection.recv(_STATUS.size, socket.MSG_WAITALL))
    code = os.waitstatus_to_exitcode(status)
    return subprocess.CompletedProcess(["flux-secret", *words], code, out, err)


def _talked(stdin: bytes, pipes: Sequence[IO[bytes]]) -> tuple[bytes, bytes]:
    into, out, err = pipes
    said: dict[IO[bytes], bytes] = {}

    def write() -> None:
        try:
            with into:
                into.write(stdin)
        except BrokenPipeError:  # it wanted no more
            return

    def read(pipe: IO[bytes]) -> None:
        with pipe:
            said[pipe] = pipe.read()

    threads = [threading.Thread(target=write, daemon=True)]
    threads += [threading.Thread(target=read, args=(pipe,), daemon=True) for pipe in (out, err)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive(), f"it did not end within {SECONDS:.0f} s"
    return said[out], said[err]


@functools.cache
def _server() -> str:
    """Start the one that forks; it ends when this process does. Give where it listens."""
    place = Path(tempfile.mkdtemp(prefix="forked-")) / "socket"
    env = {"PATH": os.environ["PATH"], "HOME": str(place.parent), **_LOCALE}
    process = subprocess.Popen(
        [sys.executable, "-P", __file__, str(place)], env=env, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"listening\n"
    atexit.register(process.communicate)  # it ends when its standard input does
    return str(place)


# -- the other side --


def _serve(place: str) -> NoReturn:
    for name in _COMMANDS:
        importlib.import_module(f"flux_secret.cli.{name}")
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who answer
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen(64)
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listener.close()
                _answer(connection)
            connection.close()
    Path(place).unlink()
    Path(place).parent.rmdir()
    sys.exit()


def _answer(connection: socket.socket) -> NoReturn:
    """Run one command in a child; say how it ended."""
    header, descriptors, _, _ = socket.recv_fds(connection, _SIZE.size, 3)
    (size,) = _SIZE.unpack(header)
    words, env, folder = json.loads(connection.recv(size, socket.MSG_WAITALL))
    child = os.fork()
    if child == 0:
        connection.close()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(env)
        _be(words)
    for descriptor in descriptors:
        os.close(descriptor)
    _, status = os.waitpid(child, 0)
    connection.sendall(_STATUS.pack(status))
    os._exit(0)


def _be(words: Sequence[str]) -> NoReturn:
    """Be a Python that has just started."""
    import pygit2
    from pygit2.enums import ConfigLevel

    from flux_secret.cli.main import run as main

    home = os.environ.get("HOME", "")
    xdg = os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    pygit2.settings.search_path[ConfigLevel.GLOBAL] = home
    pygit2.settings.search_path[ConfigLevel.XDG] = f"{xdg}/git"
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 -- as Python opens them
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(  # noqa: SIM115
        2, "w", closefd=False, errors="backslashreplace", buffering=1
    )
    sys.argv = ["flux-secret", *words]
    code: object = 70
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    _serve(sys.argv[1])
