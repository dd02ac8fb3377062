"""A copy is lent again only as it was before anybody had it, whatever a script does to hide it."""

from __future__ import annotations

import asyncio
import mmap
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import structlog

from flux_secret.outside import copies as module
from flux_secret.outside.copies import Copy, Idle

COMMIT = "1" * 40


async def filled(root: Path) -> None:
    (root / "base").mkdir(parents=True)
    (root / "base/a.yaml").write_text("one\n")
    (root / "base/run.sh").write_text("#!/bin/sh\n")
    (root / "empty").mkdir()
    (root / "link").symlink_to("base/a.yaml")


def same_size(root: Path) -> None:
    (root / "base/a.yaml").write_text("two\n")


def and_its_times_set_back(root: Path) -> None:
    file = root / "base/a.yaml"
    about = file.stat()
    same_size(root)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))


def written_and_written_back(root: Path) -> None:
    same_size(root)
    (root / "base/a.yaml").write_text("one\n")


def mapped(root: Path) -> None:
    with (root / "base/a.yaml").open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[0:3] = b"two"


def longer(root: Path) -> None:
    with (root / "base/a.yaml").open("a") as file:
        file.write("more\n")


def executable(root: Path) -> None:
    (root / "base/a.yaml").chmod(0o700)


def added(root: Path) -> None:
    (root / "empty/kustomization.yaml").write_text("")


def added_and_removed(root: Path) -> None:
    added(root)
    (root / "empty/kustomization.yaml").unlink()


def removed(root: Path) -> None:
    (root / "base/a.yaml").unlink()


def replaced(root: Path) -> None:
    (root / "new").write_text("one\n")
    (root / "new").rename(root / "base/a.yaml")


def folder_replaced(root: Path) -> None:
    (root / "empty").rmdir()
    (root / "empty").mkdir()


def leads_elsewhere(root: Path) -> None:
    (root / "link").unlink()
    (root / "link").symlink_to("base/a.yaml")


def had_another_name(root: Path) -> None:
    outside = root.parent.parent / f"{root.parent.name}-outside"
    outside.hardlink_to(root / "base/a.yaml")
    outside.unlink()


def locked(root: Path) -> None:
    (root / "base").chmod(0)


def root_removed(root: Path) -> None:
    root.rename(root.parent / "elsewhere")


def a_time_that_no_number_holds(root: Path) -> None:
    os.utime(root / "base/a.yaml", ns=(0, 2**62 * 8))


CHANGES = (
    same_size, and_its_times_set_back, written_and_written_back, mapped, longer, executable, added,
    added_and_removed, removed, replaced, folder_replaced, leads_elsewhere, had_another_name,
    locked, root_removed, a_time_that_no_number_holds,
)  # fmt: skip


async def same(_root: Path) -> bool:
    return True


async def made() -> Copy:
    return await Copy.make(filled, 100, again=True)


async def test_what_only_was_read_is_untouched() -> None:
    copy = await made()
    (copy.root / "base/a.yaml").read_text()
    assert (copy.root / "link").resolve().is_file()
    assert await copy.is_untouched()
    await copy.remove()
    assert not copy.root.parent.exists()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_every_change_is_noticed(change: Callable[[Path], None]) -> None:
    copy = await made()
    try:
        change(copy.root)
        assert not await copy.is_untouched()
    finally:
        await copy.remove()
    assert not copy.root.parent.exists()


async def test_nobody_has_it_before_the_kernels_clock_has_moved_on() -> None:
    """Within one tick a change would have the time of the file itself (Linux before 6.13)."""
    copy = await made()
    newest = max(path.lstat().st_ctime for path in copy.root.rglob("*"))
    assert time.time() - newest >= module.RACY_SECONDS
    await copy.remove()


async def test_one_that_is_not_lent_again_is_never_untouched() -> None:
    copy = await Copy.make(filled, 100, again=False)
    assert not await copy.is_untouched()
    await copy.remove()


async def test_what_came_back_last_is_lent_first_and_only_for_its_commit() -> None:
    idle = Idle()
    idle.open()
    first, second = await made(), await made()
    await idle.give(COMMIT, first, same)
    await idle.give(COMMIT, second, same)
    assert idle.take("2" * 40) is None
    assert idle.take(COMMIT) is second
    assert idle.take(COMMIT) is first
    assert idle.take(COMMIT) is None
    await idle.give(COMMIT, first, same)
    await second.remove()
    await idle.close()
    assert not first.root.exists()


@pytest.mark.parametrize("closed", [False, True])
async def test_what_was_touched_or_comes_after_the_end_is_removed(closed: bool) -> None:
    idle = Idle()
    idle.open()
    copy = await made()
    if closed:
        await idle.close()
    else:
        longer(copy.root)
    await idle.give(COMMIT, copy, same)
    assert not copy.root.exists()
    assert idle.take(COMMIT) is None
    await idle.close()


async def test_whoever_has_it_next_knows_it_by_another_name() -> None:
    idle = Idle()
    idle.open()
    copy = await made()
    before = copy.root
    await idle.give(COMMIT, copy, same)
    assert idle.take(COMMIT) is copy
    assert not before.exists()
    assert (copy.root / "base/a.yaml").read_text() == "one\n"
    assert await copy.is_untouched(), "its name is no part of how it is"
    await copy.remove()
    await idle.close()


async def other(_root: Path) -> bool:
    return False


async def breaks(_root: Path) -> bool:
    raise ValueError


@pytest.mark.parametrize("has_same", [other, breaks])
async def test_what_has_other_content_is_removed_and_so_is_what_cannot_be_compared(
    has_same: Callable[[Path], Awaitable[bool]],
) -> None:
    idle = Idle()
    idle.open()
    copy = await made()
    with structlog.testing.capture_logs():
        await idle.give(COMMIT, copy, has_same)
    assert not copy.root.exists()
    assert idle.take(COMMIT) is None


async def test_one_whose_return_is_cancelled_is_removed() -> None:
    idle, asked = Idle(), asyncio.Event()
    idle.open()
    copy = await made()

    async def for_ever(_root: Path) -> bool:
        asked.set()
        await asyncio.Event().wait()
        return True

    giving = asyncio.ensure_future(idle.give(COMMIT, copy, for_ever))
    await asked.wait()
    giving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await giving
    assert not copy.root.exists()


async def test_all_that_wait_take_no_more_memory_than_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 199)
    idle = Idle()
    idle.open()
    first, second = await made(), await made()
    await idle.give(COMMIT, first, same)
    await idle.give("2" * 40, second, same)
    assert first.root.exists()
    assert not second.root.exists()
    await idle.close()


async def test_no_more_are_kept_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_IDLE", 1)
    idle = Idle()
    idle.open()
    first, second = await made(), await made()
    await idle.give(COMMIT, first, same)
    await idle.give(COMMIT, second, same)
    assert first.root.exists()
    assert not second.root.exists()
    await idle.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_nobody_wants_it_for_a_while_and_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    idle = Idle()
    idle.open()
    first, second = await made(), await made()
    await idle.give(COMMIT, first, same)
    await idle.give("2" * 40, second, same)
    await until(lambda: not first.root.exists() and not second.root.exists())
    assert idle.take(COMMIT) is None
    await idle.close()


async def test_a_commit_that_is_the_newest_no_more_leaves_nothing() -> None:
    idle = Idle()
    idle.open()
    copy = await made()
    await idle.give(COMMIT, copy, same)
    idle.drop(COMMIT)
    await idle.close()
    assert not copy.root.exists()


async def test_one_that_cannot_be_filled_leaves_nothing() -> None:
    places: list[Path] = []

    async def fails(root: Path) -> None:
        places.append(root)
        await filled(root)
        raise OSError

    filling: Awaitable[Copy] = Copy.make(fails, 100, again=True)
    with pytest.raises(OSError):  # noqa: PT011 -- ours, without words
        await filling
    assert not places[0].parent.exists()


async def test_a_look_ends_where_there_is_more_than_before() -> None:
    """A script may have made millions of files."""
    copy = await made()
    for number in range(100):
        (copy.root / f"base/{number}").touch()
    assert module._state(copy.root, most=6)[0] == 7
    await copy.remove()
