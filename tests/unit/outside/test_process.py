"""What a child gets, how it is limited, and that nothing of it is left.

The only program here is the interpreter that runs the tests: no PATH is needed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flux_secret.outside.process import (
    CommandNotFoundError,
    Completed,
    Limits,
    OutputLimitError,
    ProcessTimeoutError,
    run,
)
from flux_secret.outside.supervision.supervisors import ENDS_EVERYTHING, Supervisors

supervises = pytest.mark.skipif(not ENDS_EVERYTHING, reason="needs Linux: prctl, /proc")

# Starts a grandchild in a session of its own that holds stdout, and writes its id to a file.
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open(sys.argv[1] + ".part", "w") as file:
            file.write(str(os.getpid()))
        os.rename(sys.argv[1] + ".part", sys.argv[1])
        time.sleep(600)
    os._exit(0)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.001)
print("said", flush=True)
"""
HANG = "\nimport signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)\n"


async def python(
    code: str,
    *arguments: str,
    cwd: Path,
    limits: Limits | None = None,
    stdin: bytes = b"",
    supervised: bool = True,
) -> Completed:
    argv, env = [sys.executable, "-I", "-S", "-c", code, *arguments], {"ONLY": "this"}
    if not supervised:
        return await run(argv, env=env, cwd=cwd, stdin=stdin, limits=limits)
    async with Supervisors() as supervisors:
        return await supervisors.run(argv, env=env, cwd=cwd, limits=limits)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("supervised", [True, False])
async def test_a_child_gets_the_environment_and_directory_that_are_named(
    tmp_path: Path, *, supervised: bool
) -> None:
    code = "import os; print(sorted(os.environ)); print(os.getcwd())"
    done = await python(code, cwd=tmp_path, supervised=supervised)
    names, directory = done.untrusted_stdout.decode().splitlines()
    assert set(names.strip("[]").replace("'", "").split(", ")) <= {"ONLY", "LC_CTYPE"}
    assert directory == str(tmp_path)
    assert done.returncode == 0


@pytest.mark.parametrize("supervised", [True, False])
async def test_both_streams_are_read_together(tmp_path: Path, *, supervised: bool) -> None:
    code = (
        "import sys\nfor _ in range(64):\n sys.stdout.write('o'*9999); sys.stderr.write('e'*9999)"
    )
    done = await python(code, cwd=tmp_path, supervised=supervised)
    assert done.untrusted_stdout == b"o" * 9999 * 64
    assert done.untrusted_stderr == b"e" * 9999 * 64


async def test_input_of_any_size_arrives_and_ends(tmp_path: Path) -> None:
    sent = bytes(range(256)) * 2000
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    done = await python(code, cwd=tmp_path, stdin=sent, supervised=False)
    assert done.untrusted_stdout == sent


async def test_a_child_that_never_reads_its_input_does_no_harm(tmp_path: Path) -> None:
    done = await python("print('done')", cwd=tmp_path, stdin=b"x" * 1_000_000, supervised=False)
    assert done.untrusted_stdout == b"done\n"


async def test_input_may_be_an_open_file(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"from a file")
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    with (tmp_path / "input").open() as file:
        argv = [sys.executable, "-I", "-S", "-c", code]
        done = await run(argv, env={}, cwd=tmp_path, stdin=file.fileno())
    assert done.untrusted_stdout == b"from a file"


@pytest.mark.parametrize("supervised", [True, False])
async def test_without_input_standard_input_is_the_null_device(
    tmp_path: Path, *, supervised: bool
) -> None:
    code = "import os, stat; print(stat.S_ISCHR(os.fstat(0).st_mode), repr(os.read(0, 1)))"
    done = await python(code, cwd=tmp_path, supervised=supervised)
    assert done.untrusted_stdout == b"True b''\n"


async def test_exit_codes_arrive(tmp_path: Path) -> None:
    assert (await python("raise SystemExit(7)", cwd=tmp_path)).returncode == 7
    killed = "import os; os.kill(os.getpid(), 9)"
    assert (await python(killed, cwd=tmp_path, supervised=False)).returncode == -9


@supervises
async def test_a_supervised_child_ended_by_a_signal_gives_what_a_shell_gives(
    tmp_path: Path,
) -> None:
    killed = "import os; os.kill(os.getpid(), 9)"
    assert (await python(killed, cwd=tmp_path)).returncode == 128 + 9


@supervises
async def test_no_signal_is_blocked_in_a_child(tmp_path: Path) -> None:
    code = "print([l.split()[1] for l in open('/proc/self/status') if l.startswith('SigBlk')])"
    assert (await python(code, cwd=tmp_path)).untrusted_stdout == b"['0000000000000000']\n"


@pytest.mark.parametrize("supervised", [True, False])
async def test_a_hanging_child_is_ended(tmp_path: Path, *, supervised: bool) -> None:
    code = (
        "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid()))"
        "\nimport signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    )
    with pytest.raises(ProcessTimeoutError, match=r"did not end within 0\.4 s"):
        await python(
            code,
            str(tmp_path / "pid"),
            cwd=tmp_path,
            limits=Limits(timeout_seconds=0.4),
            supervised=supervised,
        )
    if (tmp_path / "pid").exists():  # a loaded machine may not have come that far
        assert not is_alive(int((tmp_path / "pid").read_text()))


@supervises
async def test_a_daemon_that_holds_stdout_neither_delays_nor_survives(tmp_path: Path) -> None:
    done = await python(DAEMON, str(tmp_path / "pid"), cwd=tmp_path)
    assert done.untrusted_stdout == b"said\n"
    assert not is_alive(int((tmp_path / "pid").read_text()))


async def test_without_supervision_a_daemon_that_holds_stdout_does_not_delay(
    tmp_path: Path,
) -> None:
    try:
        done = await python(DAEMON, str(tmp_path / "pid"), cwd=tmp_path, supervised=False)
        assert done.untrusted_stdout == b"said\n"
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


@supervises
async def test_a_daemon_is_ended_when_its_starter_hangs(tmp_path: Path) -> None:
    with pytest.raises(OutputLimitError):  # comes once the daemon runs: no clock is involved
        await python(DAEMON + HANG, str(tmp_path / "pid"), cwd=tmp_path, limits=Limits(60, 4, 4096))
    assert not is_alive(int((tmp_path / "pid").read_text()))


@supervises
async def test_a_daemon_is_ended_when_the_waiter_is_cancelled(tmp_path: Path) -> None:
    task = asyncio.create_task(python(DAEMON + HANG, str(tmp_path / "pid"), cwd=tmp_path))
    await until((tmp_path / "pid").exists)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()  # twice: ending it is finished all the same
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_alive(int((tmp_path / "pid").read_text()))


@supervises
async def test_a_supervisor_that_was_stopped_is_no_way_out(tmp_path: Path) -> None:
    stop = "\nimport signal\nos.kill(os.getppid(), signal.SIGSTOP)\nprint('x'*99, flush=True)"
    with pytest.raises(OutputLimitError):
        await python(
            DAEMON + stop + HANG, str(tmp_path / "pid"), cwd=tmp_path, limits=Limits(60, 50, 4096)
        )
    pid = int((tmp_path / "pid").read_text())
    await until(lambda: not is_alive(pid))


@supervises
async def test_a_supervisor_that_was_killed_is_a_failure(tmp_path: Path) -> None:
    code = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    assert (await python(code, cwd=tmp_path)).returncode != 0


@supervises
async def test_a_chain_of_children_that_leave_their_parents_is_ended(tmp_path: Path) -> None:
    chain = """
import os, sys
for _ in range(40):
    if os.fork():
        break
    os.setsid()
import time
print("link", flush=True)
time.sleep(600)
"""
    with pytest.raises(OutputLimitError):
        await python(chain, cwd=tmp_path, limits=Limits(60, 5 * 40, 4096))
    assert processes_in(tmp_path) == []


def processes_in(directory: Path) -> list[str]:
    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [entry.name for entry in entries if _runs_in(entry, directory)]


def _runs_in(process: Path, directory: Path) -> bool:
    try:
        return (process / "cwd").readlink() == directory
    except OSError:
        return False


@supervises
async def test_children_end_when_we_are_killed(tmp_path: Path) -> None:
    agent = """
import asyncio, sys
from pathlib import Path
from flux_secret.outside.supervision.supervisors import Supervisors
async def main():
    async with Supervisors() as supervisors:
        argv = [sys.executable, "-I", "-S", "-c", sys.argv[2], sys.argv[1]]
        await supervisors.run(argv, env={}, cwd=Path(sys.argv[1]).parent)
asyncio.run(main())
"""
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", agent, str(tmp_path / "pid"), DAEMON + HANG
    )
    await until((tmp_path / "pid").exists)
    killed.kill()
    await killed.wait()
    pid = int((tmp_path / "pid").read_text())
    await until(lambda: not is_alive(pid))


@pytest.mark.parametrize("supervised", [True, False])
async def test_endless_output_meets_its_limit(tmp_path: Path, *, supervised: bool) -> None:
    code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    with pytest.raises(OutputLimitError, match="more than 1000000 bytes on standard output"):
        await python(code, cwd=tmp_path, limits=Limits(60, 1_000_000, 1000), supervised=supervised)


async def test_only_the_end_of_long_complaints_is_kept_where_that_is_wanted(
    tmp_path: Path,
) -> None:
    code = "import sys\nfor i in range(100_000): print(i, file=sys.stderr)"
    limits = Limits(60, 1_000_000, 1000, keep_stderr_tail=True)
    done = await python(code, cwd=tmp_path, limits=limits)
    assert done.stderr_was_cut
    assert len(done.untrusted_stderr) == 1000
    assert done.untrusted_stderr.endswith(b"99998\n99999\n")


async def test_long_complaints_are_an_error_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(OutputLimitError, match="standard error"):
        await python(
            "import sys; sys.stderr.write('x' * 2000)", cwd=tmp_path, limits=Limits(60, 10, 1000)
        )


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandNotFoundError, match="'no-such-program' is not there"):
        await run(["no-such-program"], env={"PATH": ""}, cwd=tmp_path)


@pytest.mark.parametrize("supervised", [True, False])
async def test_a_directory_that_is_gone_is_named(tmp_path: Path, *, supervised: bool) -> None:
    with pytest.raises(CommandNotFoundError, match="no such directory"):
        await python("", cwd=tmp_path / "gone", supervised=supervised)


@pytest.mark.parametrize("supervised", [True, False])
async def test_a_word_that_no_program_can_be_given_is_our_error(
    tmp_path: Path, *, supervised: bool
) -> None:
    with pytest.raises(CommandNotFoundError, match="NUL"):
        await python("", "a\0b", cwd=tmp_path, supervised=supervised)


@supervises
async def test_no_memory_is_dumped(tmp_path: Path) -> None:
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    done = await python(code, cwd=tmp_path)
    assert done.untrusted_stdout == b"(0, 0)\n"


@pytest.mark.parametrize("supervised", [True, False])
async def test_several_at_once_do_not_meet(tmp_path: Path, *, supervised: bool) -> None:
    codes = [f"print({number})" for number in range(6)]
    done = await asyncio.gather(
        *(python(code, cwd=tmp_path, supervised=supervised) for code in codes)
    )
    assert [int(each.untrusted_stdout) for each in done] == list(range(6))
