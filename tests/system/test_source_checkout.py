"""Checkouts of real repositories, also of those made to break out."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from flux_secret.errors import SourceError
from flux_secret.model.giturl import GitUrl
from flux_secret.model.target import Source, Target
from flux_secret.outside import files, worktree
from flux_secret.outside.git import GitAccess, History, LastGood, Mirror
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.worktree import TreeLimits, lay_out
from flux_secret.source.branch import Branch
from flux_secret.source.checkout import Checkout, GitSource
from simulators.repositories import Executable, Link, Repository

FILE, EXECUTABLE, LINK, TREE, SUBMODULE = "100644", "100755", "120000", "40000", "160000"


class World:
    """An application repository and what delivers from it."""

    def __init__(self, folder: Path) -> None:
        self.ops = Repository.create(folder / "ops", {"demo/x.yaml": "a: 1\n"})
        self.mirror = Mirror(
            GitUrl.parse(self.ops.url), folder / "cache", GitAccess(path=os.environ["PATH"])
        )

    @asynccontextmanager
    async def checkout(
        self, path: str = "", limits: TreeLimits | None = None
    ) -> AsyncIterator[Checkout]:
        target = Target(Source(GitUrl.parse(self.ops.url), self.ops.branch), path)
        home = Gpg(path=os.environ["PATH"]).home  # asked only to verify
        mirror = LastGood(self.mirror, allowed=False)
        branch = Branch(target.source, mirror, History(self.mirror, home))
        source = GitSource(lambda _: branch, partial(lay_out, limits=limits))
        async with source.checkout(target) as checkout:
            yield checkout

    def craft(self, *entries: tuple[str, bytes, str]) -> None:
        self.ops.commit_tree(self.ops.tree(*entries))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(files, "MEMORY_DIRECTORIES", (memory,))
    yield
    assert list(memory.iterdir()) == []


def git(checkout: Checkout, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=checkout.directory, check=True, capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"},
    )  # fmt: skip
    return done.stdout.strip()


async def test_a_checkout_holds_the_commit_and_is_thrown_away(world: World) -> None:
    text = b"\r\nbytes \xff\0 as they are\n"
    world.ops.commit(
        {"run.sh": Executable("#!/bin/sh\n"), "raw": text, "demo/l": Link("../run.sh")}
    )

    async with world.checkout("demo") as checkout:
        root = checkout.root
        assert checkout.commit == world.ops.head
        assert checkout.directory == root / "demo"
        assert (root / "raw").read_bytes() == text
        assert os.access(root / "run.sh", os.X_OK)
        assert not os.access(root / "raw", os.X_OK)
        assert (root / "demo/l").readlink() == Path("../run.sh")
        assert all(file.stat().st_mode & 0o077 == 0 for file in [root, root / "raw"])
        (root / "demo" / "kustomization.yaml").write_text("scripts may write")
    assert not root.exists()


async def test_a_copy_is_gone_although_the_delivery_failed_or_locked_it(world: World) -> None:
    async def deliver() -> None:
        async with world.checkout() as checkout:
            (checkout.root / "locked" / "in").mkdir(parents=True)
            (checkout.root / "locked" / "in" / "file").write_text("x")
            (checkout.root / "locked" / "in").chmod(0)
            (checkout.root / "locked").chmod(0)
            raise RuntimeError("delivery")

    with pytest.raises(RuntimeError, match="delivery"):
        await deliver()


async def test_a_copy_is_gone_although_the_delivery_was_cancelled_while_it_was_laid_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ops.commit({f"f{number}": "x" for number in range(50)})
    started, go_on = threading.Event(), threading.Event()
    write = worktree._Writer.write_all

    def slowly(writer: worktree._Writer) -> None:
        started.set()
        go_on.wait(10)
        write(writer)

    monkeypatch.setattr(worktree._Writer, "write_all", slowly)

    async def deliver() -> None:
        async with world.checkout():
            raise AssertionError("it was cancelled before")

    task = asyncio.create_task(deliver())
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    asyncio.get_running_loop().call_soon(go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_scripts_of_flux_v1_days_may_ask_git(world: World) -> None:
    async with world.checkout("demo") as checkout:
        assert git(checkout, "rev-parse", "HEAD") == checkout.commit
        assert git(checkout, "rev-parse", "--show-toplevel") == str(checkout.root)
        assert git(checkout, "log", "-1", "--format=%s") == "first"
        assert git(checkout, "status", "--porcelain") == ""
        assert git(checkout, "ls-files") == "x.yaml"
        assert git(checkout, "remote") == ""
        (checkout.directory / "x.yaml").write_text("a: 2\n")
        assert git(checkout, "status", "--porcelain") == "M demo/x.yaml"


async def test_nothing_in_a_repository_runs(world: World, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    world.ops.commit(
        {
            ".gitattributes": "* filter=evil diff=evil text eol=crlf\n*.bin filter=lfs\n",
            ".gitmodules": f'[submodule "m"]\n\tpath = m\n\turl = "ext::touch {marker}"\n',
            ".gitconfig": f"[core]\n\tfsmonitor = touch {marker}\n",
            "hooks/post-checkout": Executable(f"#!/bin/sh\ntouch {marker}\n"),
            "config": f'[filter "evil"]\n\tsmudge = touch {marker}\n',
            "big.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        }
    )
    tree = world.ops.git("ls-tree", "HEAD").splitlines()
    entries = [(line.split()[0].lstrip("0"), line.split("\t")[1], line.split()[2]) for line in tree]
    world.craft(*((mode, name.encode(), oid) for mode, name, oid in entries),
                (SUBMODULE, b"m", world.ops.head))  # fmt: skip

    async with world.checkout() as checkout:
        assert list((checkout.root / "m").iterdir()) == []
        assert (checkout.root / "demo/x.yaml").read_bytes() == b"a: 1\n"
        assert (checkout.root / "big.bin").read_text().startswith("version")
        assert not (checkout.root / ".git" / "hooks").exists()
        git(checkout, "status")
    assert not marker.exists()


@pytest.mark.parametrize(
    "to",
    ["/etc/passwd", "../outside", "demo/../../outside", "up/outside", "/", "..", "demo/up2/x"],
)
async def test_a_link_out_of_the_repository_is_refused(
    world: World, to: str, tmp_path: Path
) -> None:
    (tmp_path / "outside").write_text("theirs")
    world.ops.commit({"evil": Link(to), "demo/up2": Link("../.."), "up": Link("..")})

    with pytest.raises(SourceError, match="leads out of the repository"):
        async with world.checkout("demo"):
            pass


async def test_links_that_stay_inside_are_kept(world: World) -> None:
    links = {"a": "demo", "b": "a/../demo/x.yaml", "dangling": "not/yet", "loop": "loop", "r": "."}
    world.ops.commit({name: Link(to) for name, to in links.items()})

    async with world.checkout("a") as checkout:
        assert checkout.directory == checkout.root / "demo"
        assert (checkout.root / "b").read_text() == "a: 1\n"
        assert {name: str((checkout.root / name).readlink()) for name in links} == links


@pytest.mark.parametrize(
    "name",
    [b".git", b".GIT", b".git ", b".git.", b"git~1", b"GIT~2", b".git::$INDEX_ALLOCATION",
     b".g\xe2\x80\x8cit", b"..", b".", b"a/b", b"..\\..\\x", b".git\\config", b"a\\.GIT\\x"],
)  # fmt: skip
@pytest.mark.parametrize("mode", [FILE, TREE, LINK])
async def test_a_name_that_git_refuses_is_refused(world: World, name: bytes, mode: str) -> None:
    blob = world.ops.blob(b"x")
    inner = world.ops.tree((FILE, b"config", blob))
    world.craft((mode, name, inner if mode == TREE else blob))

    with pytest.raises(SourceError, match="may not be in a repository"):
        async with world.checkout():
            pass


async def test_a_link_and_a_folder_of_one_name_do_not_write_elsewhere(
    world: World, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link, blob = world.ops.blob(str(outside).encode()), world.ops.blob(b"x")
    world.craft((LINK, b"a", link), (TREE, b"a", world.ops.tree((FILE, b"b", blob))))

    with pytest.raises(SourceError, match="cannot be laid out"):
        async with world.checkout():
            pass
    assert list(outside.iterdir()) == []


async def test_names_that_are_not_utf_8_or_look_odd_are_kept(world: World) -> None:
    blob = world.ops.blob(b"x")
    names = [b"caf\xe9", b"dev-disk\\x2dby.mount", b"README", b"readme", b".gitignore"]
    world.craft(*((FILE, name, blob) for name in sorted(names)))

    async with world.checkout() as checkout:
        found = {os.fsencode(file.name) for file in checkout.root.iterdir()}
    assert found == {*names, b".git"}


async def test_odd_modes_of_old_repositories_do_no_harm(world: World) -> None:
    blob = world.ops.blob(b"x")
    world.craft(("100664", b"group", blob), ("104755", b"setuid", blob))

    async with world.checkout() as checkout:
        for name in ("group", "setuid"):
            assert (checkout.root / name).stat().st_mode & 0o7077 == 0


def many_files(world: World) -> None:
    world.ops.commit({f"f{number}": "" for number in range(12)})


def bomb(world: World) -> None:
    tree = world.ops.tree((FILE, b"f", world.ops.blob(b"")))
    for _ in range(8):
        tree = world.ops.tree(*((TREE, f"d{number}".encode(), tree) for number in range(8)))
    world.ops.commit_tree(tree)


def deep(world: World) -> None:
    world.ops.commit({"/".join("a" * 6): ""})


def large_file(world: World) -> None:
    world.ops.commit({"large": bytes(600)})


def large_link(world: World) -> None:
    world.craft((LINK, b"l", world.ops.blob(b"a" * 5000)))


def large_sum(world: World) -> None:
    world.ops.commit({"a": bytes(400), "b": bytes(401), "c": bytes(402)})


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (many_files, "max_files"),
        (bomb, r"max_files|max_depth"),
        (deep, "max_depth"),
        (large_file, "max_file_bytes"),
        (large_sum, "max_bytes"),
        (large_link, "link 'l'"),
    ],
)
async def test_a_tree_over_a_limit_is_refused_and_the_limit_named(
    world: World, make: Callable[[World], None], says: str
) -> None:
    make(world)

    with pytest.raises(SourceError, match=says):
        async with world.checkout("", TreeLimits(10, 1000, 500, 4)):
            pass


@pytest.mark.parametrize("damage", ["lost", "damaged"])
async def test_a_mirror_that_lacks_one_object_is_made_anew(world: World, damage: str) -> None:
    await world.mirror.fetch(world.ops.branch)
    bare = Repository(world.mirror.path)
    pack = next((bare.path / "objects" / "pack").glob("*.pack"))
    data = pack.read_bytes()
    for file in pack.parent.iterdir():
        file.unlink()
    bare.git("unpack-objects", "-q", stdin=data)
    blob = world.ops.git("rev-parse", "HEAD:demo/x.yaml").strip()
    lost = bare.path / "objects" / blob[:2] / blob[2:]
    if damage == "lost":
        lost.unlink()
    else:
        lost.chmod(0o600)
        lost.write_bytes(b"not zlib")

    async with world.checkout("demo") as checkout:
        assert (checkout.directory / "x.yaml").read_text() == "a: 1\n"


async def test_a_path_that_left_the_repository_is_an_error(world: World) -> None:
    world.ops.commit({"other": "x"})
    world.ops.remove("demo")

    with pytest.raises(SourceError, match="'demo' does not exist"):
        async with world.checkout("demo"):
            pass
