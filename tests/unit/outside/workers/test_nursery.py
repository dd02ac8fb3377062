"""A worker ends with its work, whatever the work does; of a value nothing leaves it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from flux_secret.errors import (
    BugError,
    ConfigurationError,
    DecryptError,
    FluxSecretError,
    UnreachableError,
)
from flux_secret.model.bounds import MIB, WorkerBounds
from flux_secret.outside.supervision import group
from flux_secret.outside.supervision.supervisors import ENDS_EVERYTHING, Supervisors
from flux_secret.outside.workers.failure import WorkerLostError
from flux_secret.outside.workers.nursery import Nursery, Program

pytestmark = pytest.mark.skipif(not ENDS_EVERYTHING, reason="needs Linux: prctl, /proc")

ROOT = Path(__file__).parents[3]
PROGRAM = "unit.outside.workers.program"
SECONDS = 60.0


@asynccontextmanager
async def opened(
    prepared: object = "", bounds: WorkerBounds | None = None
) -> AsyncIterator[Nursery]:
    program = Program(PROGRAM, prepared, {}, ROOT)
    async with Supervisors() as supervisors, Nursery(program, supervisors, bounds) as nursery:
        yield nursery


@pytest.fixture
async def nursery() -> AsyncIterator[Nursery]:
    async with opened() as one:
        yield one


async def nobody(question: object) -> object:
    raise AssertionError(question)


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "XZ"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def test_each_job_has_a_process_of_its_own_that_is_gone_afterwards(nursery: Nursery) -> None:
    first = await nursery.work("who", nobody)
    second = await nursery.work("who", nobody)
    assert len({os.getpid(), first["pid"], second["pid"]}) == 3
    assert first["server"] == second["server"] != os.getpid()
    assert gone(first["pid"])
    assert gone(second["pid"])


async def test_no_image_of_a_worker_reaches_a_disk_and_none_of_its_words_a_stream() -> None:
    async with opened(bounds=WorkerBounds(memory_bytes=512 * MIB)) as nursery:
        found = await nursery.work("who", nobody)
    assert found["dumpable"] == 0
    assert found["core"] == (0, 0)
    assert found["memory"] == (512 * MIB,) * 2
    assert found["oom"] == 900
    assert set(found["streams"]) == {"/dev/null"}


async def test_a_worker_asks_and_is_answered(nursery: Nursery) -> None:
    async def answer(question: object) -> object:
        return f"answer to {question}"

    assert await nursery.work("ask", answer) == ["answer to a", "answer to b"]


async def test_what_the_parent_cannot_answer_fails_where_it_was_asked(nursery: Nursery) -> None:
    async def answer(question: object) -> object:
        raise UnreachableError(f"nobody knows {question}")

    with pytest.raises(UnreachableError, match="nobody knows a"):
        await nursery.work("ask", answer)


async def test_a_workers_log_is_written_here_and_values_are_masked(nursery: Nursery) -> None:
    with structlog.testing.capture_logs() as lines:
        await nursery.work("log", nobody)
    assert lines == [{"event": "said", "log_level": "info", "path": "/x", "value": "***"}]


@pytest.mark.parametrize(
    ("what", "kind", "says"),
    [
        ("refuse", DecryptError, "it is damaged"),
        ("bug", BugError, r"a bug: ValueError at flux_secret\.outside\.workers\.cradle:\d+"),
        ("leak", BugError, "what may not leave its process was to be sent: TypeError"),
    ],
)
async def test_a_failure_says_what_it_may_and_no_more(
    nursery: Nursery, what: str, kind: type[FluxSecretError], says: str
) -> None:
    with pytest.raises(kind, match=says) as raised:
        await nursery.work(what, nobody)
    assert raised.value.__cause__ is None
    assert "horse" not in str(raised.value) + raised.value.remedy


async def test_a_worker_that_is_killed_is_a_failure_that_can_be_tried_again(
    nursery: Nursery,
) -> None:
    with pytest.raises(WorkerLostError, match="was killed by SIGKILL") as raised:
        await nursery.work("die", nobody)
    assert raised.value.retryable
    assert (await nursery.work("who", nobody))["pid"]


async def test_a_worker_gets_no_more_memory_than_it_may_have() -> None:
    async with opened(bounds=WorkerBounds(memory_bytes=256 * MIB)) as nursery:
        with pytest.raises(WorkerLostError, match="more than 256 MiB of memory"):
            await nursery.work("eat", nobody)


async def test_one_that_hangs_is_ended_with_all_that_it_started_and_left(tmp_path: Path) -> None:
    async with opened(bounds=WorkerBounds(seconds=2.0)) as nursery:
        with pytest.raises(WorkerLostError, match="did not end within 2 s") as raised:
            await nursery.work(f"hang {tmp_path / 'who'}", nobody)
        assert raised.value.retryable
        assert "--delivery-timeout" in raised.value.remedy
        worker, child, folder = (tmp_path / "who").read_text().split()
        assert gone(int(worker))
        await until(lambda: gone(int(child)))
        assert not Path(folder).exists()


async def test_one_that_nobody_waits_for_any_more_ends_what_it_started(
    nursery: Nursery, tmp_path: Path
) -> None:
    place = tmp_path / "who"
    working = asyncio.ensure_future(nursery.work(f"wait {place}", nobody))
    await until(place.exists)
    worker, folder = place.read_text().split()
    supervised = [one for one in group.descendants(os.getpid()) if "time.sleep(600)" in words(one)]
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert gone(int(worker))
    assert not Path(folder).exists()
    for one in supervised:
        await until(lambda one=one: gone(one))  # type: ignore[misc]


async def test_a_supervised_command_ends_with_the_worker_that_is_killed(
    nursery: Nursery, tmp_path: Path
) -> None:
    place = tmp_path / "who"
    working = asyncio.ensure_future(nursery.work(f"wait {place}", nobody))
    await until(place.exists)
    sleeping: list[int] = []

    def started() -> bool:
        sleeping[:] = [
            one for one in group.descendants(os.getpid()) if "time.sleep(600)" in words(one)
        ]
        return bool(sleeping)

    await until(started)
    worker, folder = place.read_text().split()
    os.kill(int(worker), signal.SIGKILL)
    with pytest.raises(WorkerLostError, match="SIGKILL"):
        await working
    for one in sleeping:
        await until(lambda one=one: gone(one))  # type: ignore[misc]
    assert not Path(folder).exists()


def words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


async def test_a_killed_server_loses_its_workers_and_is_started_anew(
    nursery: Nursery, tmp_path: Path
) -> None:
    place = tmp_path / "who"
    server = (await nursery.work("who", nobody))["server"]
    working = asyncio.ensure_future(nursery.work(f"wait {place}", nobody))
    await until(place.exists)
    worker = int(place.read_text().split()[0])
    os.kill(server, signal.SIGKILL)
    with pytest.raises(WorkerLostError, match="was lost with the process that had forked it"):
        await working
    await until(lambda: gone(worker))
    assert (await nursery.work("who", nobody))["server"] != server


async def test_many_at_once_each_get_their_own_answer(nursery: Nursery) -> None:
    async def answer_for(number: int) -> list[str]:
        async def answer(question: object) -> object:
            await asyncio.sleep(0)
            return f"{number} {question}"

        found: list[str] = await nursery.work("ask", answer)
        return found

    found = await asyncio.gather(*(answer_for(number) for number in range(8)))
    assert found == [[f"{number} a", f"{number} b"] for number in range(8)]


async def test_nothing_is_left_when_its_user_is_gone(tmp_path: Path) -> None:
    """As when the agent is killed: nobody tells the server to end, its socket does."""
    place = tmp_path / "who"
    async with opened() as nursery:
        server = (await nursery.work("who", nobody))["server"]
        working = asyncio.ensure_future(nursery.work(f"hang {place}", nobody))
        await until(place.exists)
        everybody = [server, *group.descendants(server)]
        assert len(everybody) == 4
        assert nursery._served is not None
        nursery._served._requests.close()
        for one in everybody:
            await until(lambda one=one: gone(one))  # type: ignore[misc]
        with pytest.raises(WorkerLostError):
            await working


@pytest.mark.parametrize(
    ("prepared", "kind", "says"),
    [
        ("fail", ConfigurationError, "a key cannot be read"),
        ("bug", BugError, r"a bug: ValueError at flux_secret\.outside\.workers\.cradle:\d+"),
        ("die", WorkerLostError, r"did not start \(it ended with 3\)"),
    ],
)
async def test_a_server_that_cannot_be_prepared_says_why(
    prepared: str, kind: type[FluxSecretError], says: str
) -> None:
    async with opened(prepared) as nursery:
        for _ in range(2):  # it is tried again
            with pytest.raises(kind, match=says):
                await nursery.work("who", nobody)
