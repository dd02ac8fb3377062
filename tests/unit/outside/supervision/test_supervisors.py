"""One server for many commands: it is no way out of any of them, and no way from one to another."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from flux_secret.outside.files import scratch
from flux_secret.outside.process import Completed
from flux_secret.outside.supervision import group
from flux_secret.outside.supervision.confinement import Confinement, Job
from flux_secret.outside.supervision.supervisors import (
    ENDS_EVERYTHING,
    SupervisorLostError,
    Supervisors,
)

pytestmark = pytest.mark.skipif(not ENDS_EVERYTHING, reason="needs Linux: prctl, /proc")

# Leaves a process in a session of its own that holds no stream, and writes its id to a file.
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    os.close(1); os.close(2)
    with open(sys.argv[1] + ".part", "w") as file:
        file.write(str(os.getpid()))
    os.rename(sys.argv[1] + ".part", sys.argv[1])
    time.sleep(600)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.001)
"""
HANG = "\ntime.sleep(600)\n"


@pytest.fixture
async def supervisors() -> AsyncIterator[Supervisors]:
    async with Supervisors() as opened:
        yield opened


async def python(
    supervisors: Supervisors,
    code: str,
    *arguments: str,
    cwd: Path,
    bounds: Confinement | None = None,
) -> Completed:
    argv = [sys.executable, "-I", "-S", "-c", code, *arguments]
    return await supervisors.run(argv, env={}, cwd=cwd, confinement=bounds)


def state(pid: int) -> str:
    """Give its state as proc(5) names it; X for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "X"


def is_alive(pid: int) -> bool:
    return state(pid) not in "XZ"


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def server_of(supervisors: Supervisors, cwd: Path) -> int:
    """Give the process id of the server: the parent of a command's supervisor."""
    code = "import os; print(open(f'/proc/{os.getppid()}/stat').read().rpartition(')')[2])"
    done = await python(supervisors, code, cwd=cwd)
    return int(done.untrusted_stdout.split()[1])


async def test_one_server_serves_every_command(supervisors: Supervisors, tmp_path: Path) -> None:
    servers = {await server_of(supervisors, tmp_path) for _ in range(3)}
    assert len(servers) == 1


async def test_the_server_ends_with_us(tmp_path: Path) -> None:
    async with Supervisors() as supervisors:
        server = await server_of(supervisors, tmp_path)
        assert is_alive(server)
    assert not is_alive(server)


async def test_a_command_gets_no_file_of_ours_or_of_another(
    supervisors: Supervisors, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    waiting = asyncio.ensure_future(python(supervisors, DAEMON + HANG, str(started), cwd=tmp_path))
    await until(started.exists)
    done = await python(supervisors, "import os; print(os.listdir('/proc/self/fd'))", cwd=tmp_path)
    assert done.untrusted_stdout == b"['0', '1', '2', '3']\n"  # 3 lists them
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_server_that_was_killed_ends_its_commands_and_is_started_again(
    supervisors: Supervisors, tmp_path: Path
) -> None:
    server, started = await server_of(supervisors, tmp_path), tmp_path / "started"
    waiting = asyncio.ensure_future(python(supervisors, DAEMON + HANG, str(started), cwd=tmp_path))
    await until(started.exists)
    os.kill(server, signal.SIGKILL)
    with pytest.raises(SupervisorLostError, match="was killed"):
        await waiting
    await until(lambda: not is_alive(int(started.read_text())))
    assert (await python(supervisors, "print(1)", cwd=tmp_path)).untrusted_stdout == b"1\n"


async def test_a_command_is_ended_though_the_server_was_stopped(
    supervisors: Supervisors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "flux_secret.outside.supervision.served.PATIENCE_SECONDS"
    monkeypatch.setattr(place, 0.1)
    server, started = await server_of(supervisors, tmp_path), tmp_path / "started"
    waiting = asyncio.ensure_future(python(supervisors, DAEMON + HANG, str(started), cwd=tmp_path))
    await until(started.exists)
    os.kill(server, signal.SIGSTOP)
    await until(lambda: state(server) == "T")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: not is_alive(int(started.read_text())))
    assert not is_alive(server)


async def test_what_a_killed_supervisor_leaves_is_ended(
    supervisors: Supervisors, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    kill = "\nimport signal\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(600)\n"
    done = await python(supervisors, DAEMON + kill, str(started), cwd=tmp_path)
    assert done.returncode == -signal.SIGKILL
    await until(lambda: not is_alive(int(started.read_text())))


async def test_where_memory_is_short_a_command_goes_before_us(
    supervisors: Supervisors, tmp_path: Path
) -> None:
    code = "print(open('/proc/self/oom_score_adj').read())"
    done = await python(supervisors, code, cwd=tmp_path)
    assert int(done.untrusted_stdout) == 1000


async def test_the_bound_that_was_exceeded_is_told_by_a_signal(
    supervisors: Supervisors, tmp_path: Path
) -> None:
    many = "import os, time\nfor _ in range(9):\n    if os.fork() == 0: break\ntime.sleep(600)"
    done = await python(supervisors, many, cwd=tmp_path, bounds=Confinement(processes=4))
    assert done.returncode == -group.OVER_PROCESSES
    hold = f"{many}\n".replace("time.sleep", "x = bytearray(40 << 20); time.sleep")
    bounds = Confinement(memory_bytes=200 << 20)
    done = await python(supervisors, hold, cwd=tmp_path, bounds=bounds)
    assert done.returncode == -group.OVER_MEMORY


async def test_files_count_from_when_the_file_system_shows_them(
    supervisors: Supervisors, tmp_path: Path
) -> None:
    write = """
import time
x = bytearray(30 << 20)
with open("file", "wb") as file:
    for _ in range(40):
        file.write(bytes(1 << 20))
time.sleep(600)
"""
    bounds = Confinement(memory_bytes=64 << 20, folders=(str(tmp_path),))
    done = await python(supervisors, write, cwd=tmp_path, bounds=bounds)
    assert done.returncode == -group.OVER_MEMORY


def test_files_are_added_up_now_and_then_though_nothing_hints_at_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something else may be removed from the file system meanwhile."""
    files = group._Files([str(tmp_path)], hint_bytes=1 << 60)
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    assert files.bytes() == 0
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1)
    assert files.bytes() == (1 << 20) + group._INODE


def test_children_are_found_on_a_kernel_that_does_not_list_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        listed = group.descendants(os.getpid())
        monkeypatch.setattr(group, "_LISTS_CHILDREN", False)
        assert child in listed
        assert set(listed) <= set(group.descendants(os.getpid()))
        assert child in group.children(os.getpid())
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_job_crosses_whole() -> None:
    bounds = Confinement(
        1, 2, 3, ["/a", "/b"], b"\x01\xff", landlock=True,
        readable=["/r"], writable=["/w", "/x=y"], devices=["/dev/null"],
    )  # fmt: skip
    job = Job(["a", "b\udcff"], {"NAME": "\udc80"}, "/cwd", bounds)
    assert Job.unpacked(job.packed()) == job


SHARED = {
    "a shared mapping": "m = mmap.mmap(-1, 96 << 20)\nfor _ in range(96): m.write(part)",
    "memfds": "for _ in range(96): os.write(os.memfd_create('x'), part)",
    "files without a name": """
kept = []
for _ in range(96):
    kept.append(open('x', 'wb', buffering=0))
    kept[-1].write(part)
    os.unlink('x')
""",
    "empty files": "for i in range(70_000): open(f'{i}', 'w').close()",
}


@pytest.mark.parametrize("how", SHARED.values(), ids=list(SHARED))
async def test_memory_counts_however_it_is_taken(supervisors: Supervisors, how: str) -> None:
    code = f"import mmap, os, time\npart = bytes(1 << 20)\n{how}\ntime.sleep(600)"
    with scratch("test") as place:
        bounds = Confinement(memory_bytes=64 << 20, folders=(str(place),))
        done = await python(supervisors, code, cwd=place, bounds=bounds)
    assert done.returncode == -group.OVER_MEMORY
