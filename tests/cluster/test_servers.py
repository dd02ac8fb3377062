"""What keeps a killed test run from leaving servers and data behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster import memory
from cluster.memory import memory_folder
from cluster.process import ControlPlaneError, Server, free_ports, until

TOOLS = Path(__file__).parents[2] / "tools"
SECONDS = 20.0
OWNER = """
import sys, threading
from pathlib import Path
from cluster.memory import memory_folder
from cluster.process import Server, until
program, directory = Path(sys.argv[1]), Path(sys.argv[2])
with memory_folder(directory) as folder:
    server = Server.start(program, [], directory)
    until("it runs", server.log.read_text, [server])
    print(server.popen.pid, folder, flush=True)
    threading.Event().wait()
"""


def _program(file: Path, *lines: str) -> Path:
    file.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    file.chmod(0o755)
    return file


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[Callable[[], bool]]:
    """Watch a process that is not our child; a pidfd names it even when its id is given anew."""
    handle = os.pidfd_open(pid)
    try:
        yield lambda: bool(select.select([handle], [], [], SECONDS)[0])
    finally:
        os.close(handle)


def test_servers_end_and_memory_is_freed_after_their_owner_is_killed(
    tmp_path: Path,
) -> None:
    server = _program(tmp_path / "server", "echo started", "exec sleep 600")
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, server, tmp_path],
        env={"PYTHONPATH": str(TOOLS)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    with owner:
        assert owner.stdout
        pid, folder = owner.stdout.readline().decode().split()
        with _watched(int(pid)) as has_ended:
            owner.send_signal(signal.SIGKILL)
            assert has_ended()
    assert Path(folder).is_dir()
    with memory_folder(tmp_path) as next_one:
        assert not Path(folder).exists()
        assert next_one.is_dir()
    assert not next_one.exists()


def test_the_memory_of_a_living_owner_is_left_alone(tmp_path: Path) -> None:
    with memory_folder(tmp_path) as first, memory_folder(tmp_path) as second:
        assert first != second
        assert first.is_dir()


def test_a_machine_without_shared_memory_uses_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "SHARED_MEMORY", tmp_path / "missing")
    with memory_folder(tmp_path) as folder:
        assert folder.parent == tmp_path


def test_a_stopped_server_takes_its_children_along(tmp_path: Path) -> None:
    parent = _program(tmp_path / "parent", "sleep 600 &", "echo $!", "wait")
    server = Server.start(parent, [], tmp_path)
    until("it has a child", lambda: "\n" in server.log.read_text(), [server], SECONDS)
    with _watched(int(server.log.read_text())) as has_ended:
        server.stop()
        assert has_ended()


def test_a_server_that_ends_is_named_with_what_it_said(tmp_path: Path) -> None:
    broken = _program(tmp_path / "broken", "echo the port is taken >&2", "exit 1")
    server = Server.start(broken, [], tmp_path)
    with pytest.raises(ControlPlaneError, match=r"(?s)broken ended.*the port is taken"):
        until("never", lambda: False, [server], SECONDS)


def test_a_wait_that_is_over_says_what_for() -> None:
    with pytest.raises(ControlPlaneError, match="not so after 0 s: the moon is full"):
        until("the moon is full", lambda: False, seconds=0.0)


def test_ports_differ_and_no_outgoing_connection_can_take_them() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert max(ports) < 32768
