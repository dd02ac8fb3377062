"""What a generator can reach from inside, tried from inside, in both sandboxes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from flux_secret.errors import ConfigurationError, GenerateError
from flux_secret.generate.interface import Answer
from flux_secret.model.bounds import Bounds
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.target import Generation
from flux_secret.outside.files import scratch
from flux_secret.outside.sandbox import view
from flux_secret.outside.sandbox.probe import find_sandbox
from flux_secret.outside.sandbox.sandbox import Kind, Room, Sandbox
from flux_secret.outside.supervision.supervisor import NOT_CONFINED
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.workshop import Outcome, Workshop, Workshops

PATH = os.environ["PATH"]
CONFINING = [Kind.BUBBLEWRAP, Kind.LANDLOCK]
BOUNDS = Bounds(memory_bytes=256 * 1024 * 1024, processes=64)
SECONDS = 60.0
DENIED = 42


async def answer(_words: Sequence[str]) -> Answer:
    return Answer(0, Plaintext(b"value\n"))


@pytest.fixture
def checkout() -> Iterator[Path]:
    with scratch("test") as place:
        yield place


@asynccontextmanager
async def inside(
    kind: Kind, checkout: Path, *, network: bool = False, bounds: Bounds = BOUNDS
) -> AsyncIterator[Workshop]:
    async with Supervisors() as supervisors:
        workshops = Workshops(PATH, Sandbox(kind), supervisors, bounds)
        async with workshops.open(Generation(network=network), checkout, answer) as workshop:
            yield workshop


async def shell(kind: Kind, checkout: Path, command: str, *, network: bool = False) -> Outcome:
    async with inside(kind, checkout, network=network) as workshop:
        return await workshop.run(command, cwd=checkout, timeout_seconds=SECONDS)


async def python(kind: Kind, checkout: Path, code: str, *, network: bool = False) -> Outcome:
    """Run Python; exit code 42 says that the kernel refused."""
    text = textwrap.dedent(code)
    body = textwrap.indent(text, "    ")
    (checkout / "try.py").write_text(
        f"import os, sys, socket, ctypes\ntry:\n{body}\n"
        f"except OSError as e:\n    print(e, file=sys.stderr)\n    sys.exit({DENIED})\n"
    )
    return await shell(kind, checkout, f"{sys.executable} -I try.py", network=network)


def said(outcome: Outcome) -> str:
    return outcome.untrusted_stdout.reveal().decode() + outcome.untrusted_stderr.decode()


@pytest.mark.parametrize("kind", list(Kind))
async def test_what_a_generator_needs_works(kind: Kind, checkout: Path) -> None:
    (checkout / "here").write_text("from the checkout\n")
    done = await shell(
        kind,
        checkout,
        'cat here && gopass x && echo y >"$TMPDIR/y" && cat "$TMPDIR/y" && echo z >z && cat z '
        "&& : >/dev/null && echo a | sed s/a/b/ && bash -c 'cat <(echo c)' && exit 7",
    )
    assert (said(done), done.returncode) == ("from the checkout\nvalue\ny\nz\nb\nc\n", 7)


@pytest.mark.parametrize("kind", CONFINING)
async def test_no_file_of_the_agent_can_be_read(kind: Kind, checkout: Path, tmp_path: Path) -> None:
    key, other = tmp_path / "identity", checkout.with_name(f"{checkout.name}-other")
    key.write_text("PRIVATE")
    other.mkdir()
    try:
        (other / "file").write_text("PRIVATE")
        for file in (key, other / "file", Path("/etc/shadow"), Path("/root/.bashrc")):
            done = await shell(kind, checkout, f"cat {file}")
            assert done.returncode == 1, file
            assert "PRIVATE" not in said(done)
    finally:
        (other / "file").unlink()
        other.rmdir()


@pytest.mark.parametrize("kind", CONFINING)
async def test_links_lead_to_nothing_outside(kind: Kind, checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("PRIVATE")
    (checkout / "link").symlink_to(tmp_path / "key")
    done = await shell(kind, checkout, "cat link || cat /proc/self/cwd/../*/key")
    assert done.returncode != 0
    assert "PRIVATE" not in said(done)


@pytest.mark.parametrize("kind", CONFINING)
async def test_the_environment_and_memory_of_the_agent_cannot_be_read(
    kind: Kind, checkout: Path
) -> None:
    for name in ("environ", "mem", "root/etc/passwd", "maps"):
        done = await shell(kind, checkout, f"cat /proc/{os.getpid()}/{name}")
        assert done.returncode == 1
        assert done.untrusted_stdout.reveal() == b""


@pytest.mark.parametrize("kind", CONFINING)
async def test_nothing_can_be_written_outside(kind: Kind, checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    for file in (tmp_path / "new", tmp_path / "old", Path("/usr/new"), Path("/etc/new")):
        done = await shell(kind, checkout, f"echo changed >{file}")
        if file.exists():
            assert file.read_text() == "old"
        assert not (done.returncode == 0 and file.exists()), file
    assert [file.name for file in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("kind", CONFINING)
async def test_no_address_can_be_reached(kind: Kind, checkout: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for code in (
            f"socket.create_connection(('127.0.0.1', {port}), 5)",
            f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))",
            "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
            "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
        ):
            done = await python(kind, checkout, code)
            assert done.returncode == DENIED, said(done)
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("kind", CONFINING)
async def test_no_unix_socket_of_the_machine_can_be_reached(
    kind: Kind, checkout: Path, tmp_path: Path
) -> None:
    for address in (str(tmp_path / "agent"), f"\0flux-secret-test-{os.getpid()}"):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(address)
            server.listen()
            code = f"socket.socket(socket.AF_UNIX).connect({address!r})"
            done = await python(kind, checkout, code)
            assert done.returncode == DENIED, said(done)


@pytest.mark.parametrize("kind", CONFINING)
async def test_a_target_that_may_use_the_network_can(kind: Kind, checkout: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 5)"
        done = await python(kind, checkout, code, network=True)
        assert done.returncode == 0, said(done)
    done = await python(kind, checkout, "open('/etc/shadow')", network=True)
    assert done.returncode == DENIED


CALLS = {  # x86_64, aarch64: the numbers are the kernel's, not taken from the code under test
    "io_uring_setup": ((425, 425), "ENOSYS"),
    "ptrace": ((101, 117), "EPERM"),
    "process_vm_readv": ((310, 270), "EPERM"),
    "process_vm_writev": ((311, 271), "EPERM"),
    "keyctl": ((250, 219), "EPERM"),
    "add_key": ((248, 217), "EPERM"),
    "unshare": ((272, 97), "EPERM"),
    "bpf": ((321, 280), "EPERM"),
    "userfaultfd": ((323, 282), "EPERM"),
    "mount": ((165, 40), "EPERM"),
    "clone3": ((435, 435), "ENOSYS"),
}


@pytest.mark.parametrize("kind", CONFINING)
async def test_system_calls_that_break_out_are_refused(kind: Kind, checkout: Path) -> None:
    column = 0 if os.uname().machine == "x86_64" else 1
    code = "\n".join(
        f"ctypes.set_errno(0); r = libc.syscall({numbers[column]}, 0, 0, 0, 0, 0); "
        f"print('{name}', r, ctypes.get_errno() == errno.{expected})"
        for name, (numbers, expected) in CALLS.items()
    )
    done = await python(
        kind, checkout, f"import errno\nlibc = ctypes.CDLL(None, use_errno=True)\n{code}"
    )
    assert done.untrusted_stdout.reveal().decode().split("\n")[:-1] == [
        f"{name} -1 True" for name in CALLS
    ]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x32 is an ABI of x86_64")
@pytest.mark.parametrize("kind", CONFINING)
async def test_another_abi_of_the_machine_ends_the_program(kind: Kind, checkout: Path) -> None:
    done = await python(kind, checkout, "ctypes.CDLL(None).syscall(0x40000000 + 39)")
    assert done.returncode in {128 + 31, 159}, said(done)  # SIGSYS


@pytest.mark.parametrize("kind", CONFINING)
async def test_no_privilege_is_left_and_none_can_be_had(kind: Kind, checkout: Path) -> None:
    code = """
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard + 1, hard + 1))
    except ValueError:
        print("kept")
    os.setgroups([1])
    """
    done = await python(kind, checkout, code)
    assert said(done).startswith("kept\n")
    assert done.returncode == DENIED
    status = await shell(kind, checkout, "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status")
    if kind is Kind.BUBBLEWRAP:  # Landlock shows no /proc at all
        assert said(status).split() == [
            "CapEff:", "0000000000000000", "CapBnd:", "0000000000000000", "NoNewPrivs:", "1",
        ]  # fmt: skip


@pytest.mark.parametrize("kind", CONFINING)
async def test_no_process_outside_can_be_signalled(kind: Kind, checkout: Path) -> None:
    done = await python(kind, checkout, f"os.kill({os.getpid()}, 0)")
    assert done.returncode == DENIED
    parent = await python(kind, checkout, "os.kill(os.getppid(), 0) if os.getppid() > 1 else None")
    assert parent.returncode in {0, DENIED}


def alive(mark: str) -> list[str]:
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and mark in (process / "cmdline").read_text():
                found.append(process.name)
    return found


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_daemon_in_a_session_of_its_own_is_ended(kind: Kind, checkout: Path) -> None:
    seconds = f"6{os.getpid()}"
    done = await shell(kind, checkout, f"setsid sh -c 'sleep {seconds}' </dev/null >&- 2>&- & :")
    assert done.returncode == 0
    assert alive(f"sleep\0{seconds}") == []


@pytest.mark.parametrize(
    ("kind", "start"),
    # without a sandbox, nothing can keep a bomb whose every process has a session of its own
    [(kind, "sh") for kind in Kind] + [(kind, "setsid sh") for kind in CONFINING],
)
async def test_a_fork_bomb_is_ended(kind: Kind, start: str, checkout: Path) -> None:
    mark = f"bomb-{os.getpid()}-{kind.name}-{len(start)}"
    # three, nine, 27 … 2,187 processes: far more than may be, and an end if all else fails
    again = f"{start} ./{mark} $(($1 + 1)) &"
    (checkout / mark).write_text(f'[ "$1" -lt 7 ] || exec sleep 60\n{again} {again} {again} wait\n')
    async with inside(kind, checkout) as workshop:
        with pytest.raises(GenerateError, match="more than 64 processes at once and was killed"):
            await workshop.run(f"sh ./{mark} 0", cwd=checkout, timeout_seconds=SECONDS)
    assert alive(mark) == []


@pytest.mark.parametrize("kind", list(Kind))
async def test_memory_is_bounded_for_all_processes_together(kind: Kind, checkout: Path) -> None:
    hold = f"{sys.executable} -I -c 'import time; x = bytearray(90 << 20); time.sleep(60)'"
    async with inside(kind, checkout) as workshop:
        with pytest.raises(GenerateError, match="more than 256 MiB of memory"):
            await workshop.run(
                f"{hold} & {hold} & {hold} & wait", cwd=checkout, timeout_seconds=SECONDS
            )


@pytest.mark.parametrize("kind", list(Kind))
async def test_files_in_memory_count_as_memory(kind: Kind, checkout: Path) -> None:
    async with inside(kind, checkout) as workshop:
        with pytest.raises(GenerateError, match="more than 256 MiB of memory, its files included"):
            await workshop.run(
                'for n in 1 2 3; do head -c 95M /dev/zero >"$TMPDIR/$n"; done; sleep 60',
                cwd=checkout,
                timeout_seconds=SECONDS,
            )


@pytest.mark.parametrize("kind", list(Kind))
async def test_one_process_cannot_allocate_more_than_all_may(kind: Kind, checkout: Path) -> None:
    done = await python(kind, checkout, "bytearray(300 << 20)")
    assert "MemoryError" in said(done)


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_cancelled_command_leaves_nothing(kind: Kind, checkout: Path) -> None:
    seconds = f"7{os.getpid()}"
    task = asyncio.ensure_future(shell(kind, checkout, f"setsid sleep {seconds}"))
    async with asyncio.timeout(SECONDS):
        while not alive(f"sleep\0{seconds}"):
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert alive(f"sleep\0{seconds}") == []


async def test_a_program_that_cannot_be_confined_does_not_run(checkout: Path) -> None:
    sandbox = Sandbox(Kind.LANDLOCK)
    room = Room((checkout,), view.tools(PATH))
    argv, bounds = sandbox.confined(["/bin/sh", "-c", "echo ran >ran"], room, checkout)
    broken = replace(bounds, seccomp=b"\xff" * 8)
    async with Supervisors() as supervisors:
        done = await supervisors.run(argv, env={}, cwd=checkout, confinement=broken)
    assert done.returncode == -NOT_CONFINED
    assert not (checkout / "ran").exists()


async def found(path: str) -> Sandbox:
    async with Supervisors() as supervisors:
        return await find_sandbox(path, supervisors)


async def test_bubblewrap_is_taken_where_it_works() -> None:
    assert (await found(PATH)).kind is Kind.BUBBLEWRAP


async def test_landlock_is_taken_where_bubblewrap_does_not_work(tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1")
    broken.chmod(0o755)
    assert (await found(f"{tmp_path}:{PATH}")).kind is Kind.LANDLOCK


async def test_where_neither_works_the_reasons_and_the_way_out_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1")
    broken.chmod(0o755)
    monkeypatch.setattr("flux_secret.outside.sandbox.landlock.abi", lambda: 3)
    with pytest.raises(ConfigurationError, match=r"No permissions to create.*version 3") as raised:
        await found(f"{tmp_path}:{PATH}")
    assert "--unsafe-no-sandbox" in raised.value.remedy


async def test_without_a_sandbox_no_command_runs(checkout: Path) -> None:
    none = ConfigurationError("there is no sandbox", remedy="get one")
    workshops = Workshops(PATH, none, Supervisors())
    with pytest.raises(ConfigurationError, match="there is no sandbox"):
        async with workshops.open(Generation(), checkout, answer):
            pytest.fail("it was opened")
