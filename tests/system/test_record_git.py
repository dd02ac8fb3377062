"""The record in a branch of a real repository: pushed, shared by writers, and missed when cut."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux_secret.audit.keeper import RecordKeeper
from flux_secret.audit.places import BranchPlace, place_at
from flux_secret.audit.pushing import Pusher
from flux_secret.audit.sealer import Pace, kept
from flux_secret.audit.segments import Bounds, segment_files
from flux_secret.audit.verify import Report, verify
from flux_secret.errors import IntegrityError, RecordError
from flux_secret.model.giturl import GitUrl
from flux_secret.model.record import Kind, Note
from flux_secret.outside.git import GitAccess, Tagger
from flux_secret.outside.git.growing import GrowingBranch, branch_of

BRANCH = "flux-secret/record"
_SLOW = Pace(sign_seconds=3600, anchor_seconds=3600, push_seconds=3600)


@dataclass(frozen=True)
class Host:
    """A bare repository that others push to."""

    path: Path

    def git(self, *words: str, fail: bool = False, stdin: str = "") -> str:
        argv = ["git", f"--git-dir={self.path}", *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, input=stdin)
        assert fail or done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def head(self) -> str:
        return self.git("rev-parse", "--verify", f"refs/heads/{BRANCH}", fail=True)

    def branch(self, folder: Path) -> GrowingBranch:
        access = GitAccess(path=os.environ["PATH"])
        author = Tagger("agent", "agent@example.org")
        url = GitUrl.parse(f"file://{self.path}")
        return GrowingBranch(url, BRANCH, folder / "branch.git", access, author)

    @property
    def place(self) -> BranchPlace:
        return BranchPlace("branch", branch_of(self.path, BRANCH))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    path = tmp_path / "host.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(path)], check=True)
    return Host(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "record"


@asynccontextmanager
async def recording(
    host: Host, root: Path, bounds: Bounds | None = None
) -> AsyncIterator[tuple[RecordKeeper, Pusher]]:
    """Record, and push when the test says so."""
    async with RecordKeeper(root, "agent", bounds=bounds) as keeper:
        yield keeper, Pusher(host.branch(keeper.folder), keeper.folder)


def notes(many: int, about: str = "apps/demo") -> list[Note]:
    return [Note(Kind.READ, f"{about}-{number}", {"app": "demo"}) for number in range(many)]


def checked(*places: Host | Path) -> Report:
    found = [one.place if isinstance(one, Host) else place_at(one) for one in places]
    return verify(found, None)


async def test_an_agent_pushes_its_chain_and_both_places_agree(host: Host, root: Path) -> None:
    async with kept(root, "agent", branch=host.branch, pace=_SLOW) as keeper:
        await keeper.write(notes(5))
    report = checked(root, host)
    assert (report.exit_code, report.notes) == (0, [])
    assert [one.chain.last.seq for one in report.chains] == [6, 6]
    files = host.git("ls-tree", "-r", "--name-only", BRANCH).splitlines()
    assert files == [f"{keeper.folder.name}/000000000001.jsonl"]
    assert not host.git("rev-list", "--merges", BRANCH)


async def test_only_new_lines_are_added_and_a_full_file_is_left_alone(
    host: Host, root: Path
) -> None:
    async with recording(host, root, Bounds(segment=300_000)) as (keeper, pusher):
        for _ in range(4):
            await keeper.write(notes(3000))
            await pusher.push()
        assert pusher.pushed == keeper.head.seq
    async with recording(host, root) as (keeper, pusher):
        await keeper.write(notes(1))
        await pusher.push()
    files = host.git("ls-tree", "-r", "--name-only", BRANCH).splitlines()
    assert len(files) > 3
    lines = "".join(f"{host.git('show', f'{BRANCH}:{name}')}\n" for name in files)
    assert lines == "".join(file.read_text() for file in segment_files(keeper.folder))
    head = host.head
    async with recording(host, root) as (_, pusher):
        await pusher.push()
    assert host.head == head  # nothing new, no commit


async def test_two_writers_share_a_branch_and_see_each_other(host: Host, tmp_path: Path) -> None:
    async with (
        recording(host, tmp_path / "one") as (one, pushes),
        recording(host, tmp_path / "other") as (other, too),
    ):
        await one.write(notes(2))
        await other.write(notes(2))
        await pushes.push()
        await too.push()  # on top of what the other has pushed meanwhile
        await one.write(notes(2))
        await pushes.push()
        assert dict(await pushes.heads()) == {other.writer: other.head}
        assert (await too.heads())[one.writer].seq == 3
    report = checked(host)
    assert report.exit_code == 0
    assert sorted(chain.chain.last.seq for chain in report.chains) == [3, 5]


async def test_a_writer_that_was_overtaken_between_look_and_push_begins_again(
    host: Host, tmp_path: Path
) -> None:
    async with recording(host, tmp_path / "other") as (other, too):
        await other.write(notes(2))

        class Overtaken(GrowingBranch):
            overtaken = 0

            async def push(self, base, files, message):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
                if self.overtaken < 2:
                    self.overtaken += 1
                    await other.write(notes(1))
                    await too.push()
                return await super().push(base, files, message)

        async with RecordKeeper(tmp_path / "one", "agent") as keeper:
            branch = host.branch(keeper.folder)
            branch.__class__ = Overtaken
            pusher = Pusher(branch, keeper.folder)
            await keeper.write(notes(3))
            await pusher.push()
    report = checked(host)
    assert report.exit_code == 0
    assert sorted(chain.chain.last.seq for chain in report.chains) == [4, 5]


@pytest.mark.parametrize("how", ["rewound", "removed", "replaced"])
async def test_a_branch_that_was_taken_back_is_said_and_not_pushed_over(
    host: Host, root: Path, how: str
) -> None:
    async with recording(host, root) as (keeper, pusher):
        await keeper.write(notes(2))
        await pusher.push()
        first = host.head
        await keeper.write(notes(2))
        await pusher.push()
        if how == "rewound":
            host.git("update-ref", f"refs/heads/{BRANCH}", first)
        elif how == "removed":
            host.git("update-ref", "-d", f"refs/heads/{BRANCH}")
        else:
            empty = host.git("hash-object", "-t", "tree", "-w", "/dev/null")
            author = ("-c", "user.name=x", "-c", "user.email=x@example.org")
            other = host.git(*author, "commit-tree", "-m", "other", empty)
            host.git("update-ref", f"refs/heads/{BRANCH}", other)
        before = host.head
        await keeper.write(notes(1))
        for _ in range(2):
            with pytest.raises(IntegrityError, match="somebody has taken the record back") as said:
                await pusher.push()
        assert not await pusher.attempt()
        assert host.head == before
        assert "git --git-dir=" in said.value.remedy
        words = said.value.remedy.partition("to put it back: git ")[2].split()
        host.git(*words)
        await pusher.push()  # the remedy mends it
    assert checked(root, host).exit_code == 0


async def test_a_folder_that_somebody_else_changed_is_said(host: Host, root: Path) -> None:
    async with recording(host, root) as (keeper, pusher):
        await keeper.write(notes(2))
        await pusher.push()
        line = host.git("show", f"{BRANCH}:{keeper.writer}/000000000001.jsonl")
        forged = line.replace("apps/demo-0", "apps/demo-9")
        blob = host.git("hash-object", "-w", "--stdin", stdin=f"{forged}\n")
        host.git("fast-import", "--quiet", stdin=(
            f"commit refs/heads/{BRANCH}\ncommitter x <x@y> 1 +0000\ndata 1\nx\n"
            f"from refs/heads/{BRANCH}^0\nM 100644 {blob} {keeper.writer}/000000000001.jsonl\n\n"
        ))  # fmt: skip
        await keeper.write(notes(1))
        with pytest.raises(IntegrityError, match="somebody else changed what was pushed"):
            await pusher.push()
    (fault, *_) = checked(root, host).faults
    assert (fault[1].name, fault[1].place.line) == ("edited", 2)


async def test_files_that_lost_what_was_pushed_do_not_go_on(host: Host, root: Path) -> None:
    async with kept(root, "agent", branch=host.branch, pace=_SLOW) as keeper:
        await keeper.write(notes(5))
    (file,) = segment_files(keeper.folder)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:3]))
    report = checked(root, host)
    assert [fault.name for _, fault in report.faults] == ["truncated"]
    with pytest.raises(RecordError, match="ends with record 3, and record 6 was pushed"):
        async with kept(root, "agent", branch=host.branch, pace=_SLOW):
            pass
    keeper.folder.rename(root.parent / "kept-aside")
    async with kept(root, "agent", branch=host.branch, pace=_SLOW) as keeper:
        await keeper.write(notes(1))
    assert len(checked(host).chains) == 2


async def test_a_host_that_does_not_answer_holds_up_nobody(host: Host, root: Path) -> None:
    away = host.path.rename(host.path.with_name("away"))
    async with kept(root, "agent", branch=host.branch, pace=_SLOW) as keeper:
        await keeper.write(notes(5))
    away.rename(host.path)
    report = checked(root)
    assert report.exit_code == 0
    async with kept(root, "agent", branch=host.branch, pace=_SLOW) as keeper:
        await keeper.write(notes(1))
    assert [one.chain.last.seq for one in checked(root, host).chains] == [7, 7]


async def test_nothing_is_removed_here_that_is_not_there(host: Host, root: Path) -> None:
    bounds = Bounds(segment=2000, keep=6000)
    away = host.path.rename(host.path.with_name("away"))
    pace = Pace(sign_seconds=0.01, push_seconds=3600)
    async with kept(root, "agent", branch=host.branch, pace=pace, bounds=bounds) as keeper:
        for _ in range(20):
            await keeper.write(notes(3))
    assert segment_files(keeper.folder)[0].name == "000000000001.jsonl"
    away.rename(host.path)
    async with recording(host, root, bounds) as (keeper, pusher):
        await pusher.push()
    report = checked(root, host)
    assert report.exit_code == 0
    assert len({one.chain.last for one in report.chains}) == 1


@pytest.mark.parametrize("spared", ["nothing", "the commit"])
async def test_a_damaged_copy_of_the_branch_is_made_anew(
    host: Host, root: Path, spared: str
) -> None:
    async with recording(host, root) as (keeper, pusher):
        await keeper.write(notes(2))
        await pusher.push()
        for file in (keeper.folder / "branch.git" / "objects").glob("*/*"):
            if spared == "nothing" or file.parent.name + file.name != host.head:
                file.unlink()
        await keeper.write(notes(2))
        attempts = [await pusher.attempt(), await pusher.attempt()]
        assert attempts == [spared == "nothing", True]
    assert [one.chain.last.seq for one in checked(root, host).chains] == [5, 5]


async def test_folders_that_are_no_writers_are_not_anchored(host: Host, root: Path) -> None:
    blob = host.git("hash-object", "-w", "--stdin", stdin="rubbish\n")
    host.git("fast-import", "--quiet", stdin=(
        f"commit refs/heads/{BRANCH}\ncommitter x <x@y> 1 +0000\ndata 1\nx\n"
        f"M 100644 {blob} some thing/000000000001.jsonl\nM 100644 {blob} README\n"
        f"M 100644 {blob} other-1/000000000001.jsonl\n\n"
    ))  # fmt: skip
    async with recording(host, root) as (keeper, pusher):
        await keeper.write(notes(2))
        await pusher.push()
        assert await pusher.heads() == {}
        assert pusher.pushed == 3
