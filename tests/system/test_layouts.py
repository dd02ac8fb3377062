"""Copies of one commit for many targets: each whole, private, and the same as the first."""

from __future__ import annotations

import asyncio
import mmap
import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from flux_secret.errors import SourceError
from flux_secret.outside import layouts as module
from flux_secret.outside.layouts import Layouts
from simulators.repositories import Content, Executable, Link, Repository

FILES: Mapping[str, Content] = {
    "a/b.yaml": "one\n",
    "run.sh": Executable("#!/bin/sh\necho ran\n"),
    "link.yaml": Link("a/b.yaml"),
    "sp ace/ü.yaml": "two\n",
    "--checkpoint-action=exec": "a name that looks like an option\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "ops", FILES)


def seen(root: Path) -> dict[str, tuple[int, str]]:
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = (0, f"-> {path.readlink()}")
        elif path.name != "index":  # it holds times
            content = path.read_bytes().decode(errors="replace") if path.is_file() else ""
            found[name] = (path.stat().st_mode, content)
    return found


async def test_every_copy_is_as_the_first(repository: Repository) -> None:
    layouts, copies = Layouts(os.environ["PATH"]), []
    for _ in range(3):
        async with layouts.lay_out(repository.path / ".git", repository.head) as root:
            copies.append(seen(root))
            ran = subprocess.check_output([root / "run.sh"], timeout=10)  # noqa: ASYNC221 -- short
            assert ran == b"ran\n"
            assert repository.git("-C", str(root), "status", "--porcelain") == ""
        assert not root.exists()
    assert len(copies[0]) > len(FILES)
    assert copies[1] == copies[0]
    assert copies[2] == copies[0]


async def test_copies_are_private(repository: Repository) -> None:
    async with Layouts(os.environ["PATH"]) as layouts:
        for _ in range(4):
            async with layouts.lay_out(repository.path / ".git", repository.head) as root:
                assert (root / "a/b.yaml").read_text() == "one\n"
                (root / "a/b.yaml").write_text("a script wrote this\n")
                (root / "more.yaml").write_text("and this\n")
                (root / "a").chmod(0o500)
            assert not root.exists()


async def test_a_copy_that_was_only_read_is_lent_again_until_the_end(
    repository: Repository,
) -> None:
    roots = []
    async with Layouts(os.environ["PATH"]) as layouts:
        for _ in range(4):
            async with layouts.lay_out(repository.path / ".git", repository.head) as root:
                assert subprocess.check_output([root / "run.sh"], timeout=10) == b"ran\n"  # noqa: ASYNC221 -- short
            roots.append(root)
        places = [root.parent.parent for root in roots]
        assert places[1] == places[2] == places[3]
        assert len(set(roots)) == 4, "nobody knows it by the name that another knew it by"
        async with (
            layouts.lay_out(repository.path / ".git", repository.head) as one,
            layouts.lay_out(repository.path / ".git", repository.head) as other,
        ):
            assert one != other
    assert not any(root.exists() for root in [*roots, one, other])


async def test_a_write_through_a_mapping_that_moves_no_time_is_noticed(
    repository: Repository,
) -> None:
    """tmpfs notes a write where the page faults; one that was read before does not."""
    async with Layouts(os.environ["PATH"]) as layouts:
        for _ in range(3):
            async with layouts.lay_out(repository.path / ".git", repository.head) as root:
                assert (root / "a/b.yaml").read_text() == "one\n"
                with (root / "a/b.yaml").open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
                    assert memory[0:3] == b"one"
                    memory[0:3] = b"bad"
            assert not root.exists()


async def test_what_had_the_network_is_lent_to_nobody_and_is_given_nothing_used(
    repository: Repository,
) -> None:
    git = repository.path / ".git"
    async with Layouts(os.environ["PATH"]) as layouts:
        for way in (layouts.lay_out, layouts.lay_out):
            async with way(git, repository.head) as used:
                pass
        async with layouts.lay_out_apart(git, repository.head) as apart:
            assert apart.parent.parent != used.parent.parent
        assert not apart.exists()
        assert used.parent.parent.exists()


async def test_a_commit_that_comes_while_another_is_packed_is_not_given_the_others_tree(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    git, old = repository.path / ".git", repository.head
    repository.commit({"a/b.yaml": "new\n"})
    pack, packs, goes_on = module._pack, asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slowly(root: Path) -> bytes:
        loop.call_soon_threadsafe(packs.set)
        goes_on.wait(10)
        return pack(root)

    async def text(layouts: Layouts, commit: str) -> str:
        async with layouts.lay_out(git, commit) as root:
            return (root / "a/b.yaml").read_text()

    async with Layouts(os.environ["PATH"]) as layouts:
        assert await text(layouts, old) == "one\n"
        monkeypatch.setattr(module, "_pack", slowly)
        packing = asyncio.ensure_future(text(layouts, old))
        await packs.wait()
        assert await text(layouts, repository.head) == "new\n"
        goes_on.set()
        assert await packing == "one\n"
        assert [await text(layouts, repository.head) for _ in range(3)] == ["new\n"] * 3


async def test_two_branches_of_one_repository_at_once_have_each_their_own(
    repository: Repository,
) -> None:
    git, old = repository.path / ".git", repository.head
    repository.commit({"a/b.yaml": "new\n"})
    wanted = {old: "one\n", repository.head: "new\n"}

    async def is_right(layouts: Layouts, commit: str) -> bool:
        async with layouts.lay_out(git, commit) as root:
            return (root / "a/b.yaml").read_text() == wanted[commit]

    async with Layouts(os.environ["PATH"]) as layouts:
        asked = [old, repository.head] * 20
        assert all(await asyncio.gather(*(is_right(layouts, one) for one in asked)))


async def test_packed_trees_of_many_repositories_take_no_more_than_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layouts = Layouts(os.environ["PATH"])
    made = [Repository.create(tmp_path / f"ops-{number}", FILES) for number in range(4)]
    for one in made:
        for _ in range(2):
            async with layouts.lay_out(one.path / ".git", one.head):
                pass
    (size,) = {last.packed.size for last in layouts._last.values() if last.packed}
    assert [bool(last.packed) for last in layouts._last.values()] == [True] * 4
    monkeypatch.setattr(module, "MOST_PACKED", 2 * size)
    more = Repository.create(tmp_path / "more", FILES)
    for one in (made[0], more, more):
        async with layouts.lay_out(one.path / ".git", one.head):
            pass
    kept = {path for path, last in layouts._last.items() if last.packed}
    assert kept == {made[0].path / ".git", more.path / ".git"}


async def test_a_copy_whose_delivery_failed_is_lent_to_nobody(repository: Repository) -> None:
    async with Layouts(os.environ["PATH"]) as layouts:
        for _ in range(3):
            with pytest.raises(SourceError):
                async with layouts.lay_out(repository.path / ".git", repository.head) as root:
                    raise SourceError("no")
            assert not root.exists()


async def test_a_new_commit_is_laid_out_anew(repository: Repository) -> None:
    async with Layouts(os.environ["PATH"]) as layouts:
        for text in ("one\n", "one\n", "one\n", "three\n", "three\n", "three\n", "four\n"):
            if (repository.path / "a/b.yaml").read_text() != text:
                repository.commit({"a/b.yaml": text})
            async with layouts.lay_out(repository.path / ".git", repository.head) as root:
                assert (root / "a/b.yaml").read_text() == text


async def test_without_tar_and_above_the_limit_every_copy_is_laid_out(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PACKED", 10)
    for layouts in (Layouts(os.environ["PATH"]), Layouts("/nowhere")):
        for _ in range(2):
            async with layouts.lay_out(repository.path / ".git", repository.head) as root:
                assert (root / "a/b.yaml").read_text() == "one\n"


async def test_a_tar_that_fails_is_named(repository: Repository, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "tar").write_text("#!/bin/sh\necho no space left >&2\nexit 2\n")
    (tools / "tar").chmod(0o755)
    layouts = Layouts(f"{tools}:{os.environ['PATH']}")
    async with layouts.lay_out(repository.path / ".git", repository.head):
        pass
    with pytest.raises(SourceError, match="cannot be laid out: no space left") as caught:
        async with layouts.lay_out(repository.path / ".git", repository.head):
            pass
    assert caught.value.remedy
