"""Mirrors of real repositories on this machine, by the real git."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from flux_secret.errors import (
    ConfigurationError,
    FluxSecretError,
    SourceError,
    UnreachableError,
    UsageError,
)
from flux_secret.model.giturl import GitUrl
from flux_secret.outside.git import GitAccess, Mirror
from flux_secret.outside.git.mirror import MAX_PACKS
from flux_secret.outside.objects import Commit
from flux_secret.outside.process import CommandNotFoundError
from simulators.repositories import Repository

ACCESS = GitAccess(path=os.environ["PATH"])


@pytest.fixture
def ops(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "my ops", {"demo/x.yaml": "a: 1\n"}, "main")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def mirror_of(repository: Repository, cache: Path, access: GitAccess = ACCESS) -> Mirror:
    return Mirror(GitUrl.parse(str(repository.path)), cache, access)


def content(mirror: Mirror, commit: str, path: str) -> bytes:
    tree = Commit(mirror.path, commit)
    entry = tree.entry(path)
    assert entry is not None
    return tree.read(entry.blob)


async def test_each_fetch_gives_the_newest_commit(ops: Repository, cache: Path) -> None:
    mirror = mirror_of(ops, cache)

    assert await mirror.fetch("main") == ops.head
    ops.commit({"demo/x.yaml": "a: 2\n"})
    assert await mirror.remote_head("main") == ops.head
    assert await mirror.head("main") != ops.head
    commit = await mirror.fetch("main")
    assert commit == await mirror.head("main") == ops.head
    assert content(mirror, commit, "demo/x.yaml") == b"a: 2\n"


async def test_a_url_with_escapes_is_the_same_repository(tmp_path: Path, cache: Path) -> None:
    ops = Repository.create(tmp_path / "a b%20c", {"x": "1"}, "main")
    url = GitUrl.parse("file://" + str(ops.path).replace("%", "%25").replace(" ", "%20"))

    assert await Mirror(url, cache, ACCESS).fetch("main") == ops.head


@pytest.mark.parametrize("branch", ["main", "master"])
async def test_no_branch_is_the_default_branch(tmp_path: Path, cache: Path, branch: str) -> None:
    ops = Repository.create(tmp_path / "ops", {"x": "1"}, branch)
    mirror = mirror_of(ops, cache)

    assert await mirror.fetch(None) == await mirror.head(None) == ops.head


async def test_a_branch_that_is_rewritten_is_followed(ops: Repository, cache: Path) -> None:
    mirror = mirror_of(ops, cache)
    first = await mirror.fetch("main")
    ops.commit({"x": "1"})
    await mirror.fetch("main")
    ops.git("reset", "--quiet", "--hard", first)
    ops.commit({"y": "1"})

    assert await mirror.fetch("main") == ops.head


async def test_a_missing_branch_is_an_error_that_names_those_there_are(
    ops: Repository, cache: Path
) -> None:
    ops.git("branch", "feature/\u202ex")
    with pytest.raises(SourceError) as raised:
        await mirror_of(ops, cache).fetch("prod")

    assert "has no branch 'prod'; it has feature/\\u202ex, main" in raised.value.what


async def test_a_branch_that_was_deleted_is_not_delivered_any_more(
    ops: Repository, cache: Path
) -> None:
    ops.git("branch", "prod")
    mirror = mirror_of(ops, cache)
    await mirror.fetch("prod")
    ops.git("branch", "-D", "prod")

    with pytest.raises(SourceError):
        await mirror.fetch("prod")
    with pytest.raises(SourceError, match="no copy"):
        await mirror.head("prod")


async def test_a_host_that_has_lost_every_branch_does_not_take_our_last_commit_away(
    ops: Repository, cache: Path
) -> None:
    mirror = mirror_of(ops, cache)
    commit = await mirror.fetch("main")
    ops.git("update-ref", "-d", "refs/heads/main")

    with pytest.raises(SourceError, match="empty repository"):
        await mirror.fetch("main")
    assert await mirror.head("main") == commit


async def test_a_branch_whose_name_ends_like_ours_is_not_taken_for_it(
    ops: Repository, cache: Path
) -> None:
    ops.git("update-ref", "refs/heads/a/refs/heads/main", ops.head)
    ops.commit({"x": "1"})

    mirror = mirror_of(ops, cache)
    assert await mirror.remote_head("main") == ops.head
    assert await mirror.fetch("main") == ops.head


async def test_an_option_for_a_branch_is_refused(ops: Repository, cache: Path) -> None:
    with pytest.raises(UsageError):
        await mirror_of(ops, cache).fetch("--upload-pack=touch x")


async def test_an_empty_repository_is_an_error(tmp_path: Path, cache: Path) -> None:
    repository = Repository(tmp_path / "empty")
    repository.path.mkdir()
    repository.git("init", "--quiet", "--bare")

    for branch in ("main", None):
        with pytest.raises(SourceError, match="empty repository"):
            await mirror_of(repository, cache).fetch(branch)


async def test_a_missing_repository_is_an_error(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(SourceError, match="there is no repository"):
        await mirror_of(Repository(tmp_path / "nope"), cache).fetch("main")


async def test_the_last_commit_is_known_when_the_host_is_gone(ops: Repository, cache: Path) -> None:
    commit = await mirror_of(ops, cache).fetch("main")
    shutil.rmtree(ops.path)
    mirror = mirror_of(ops, cache)

    with pytest.raises(FluxSecretError):
        await mirror.fetch("main")
    assert await mirror.head("main") == commit
    assert content(mirror, commit, "demo/x.yaml") == b"a: 1\n"


async def test_a_mirror_holds_what_was_asked_for_and_nothing_more(
    ops: Repository, cache: Path
) -> None:
    ops.git("tag", "v1")
    ops.git("branch", "other")
    mirror = mirror_of(ops, cache)
    await mirror.fetch("main")

    bare = Repository(mirror.path)
    assert bare.git("for-each-ref", "--format=%(refname)").split() == [
        "refs/flux-secret/refs/heads/main"
    ]
    assert not (mirror.path / "hooks").exists()
    assert mirror.path.stat().st_mode & 0o077 == 0


def leftovers(mirror: Mirror) -> list[Path]:
    return [file for file in mirror.path.rglob("*") if file.name.startswith("tmp_")]


def neighbours(mirror: Mirror) -> list[str]:
    return sorted(file.suffix for file in mirror.path.parent.iterdir())


def break_objects(mirror: Path) -> None:
    for pack in (mirror / "objects" / "pack").glob("*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(b"PACK" + bytes(pack.stat().st_size - 4))


def break_head(mirror: Path) -> None:
    (mirror / "HEAD").write_bytes(b"\0\0")


def break_config(mirror: Path) -> None:
    (mirror / "config").write_text("[core\n")


def break_refs(mirror: Path) -> None:
    shutil.rmtree(mirror / "refs")
    (mirror / "refs").write_text("")


def remove_objects(mirror: Path) -> None:
    shutil.rmtree(mirror / "objects")


@pytest.mark.parametrize(
    "damage", [break_objects, break_head, break_config, break_refs, remove_objects]
)
async def test_a_damaged_mirror_is_made_anew(ops: Repository, cache: Path, damage: object) -> None:
    mirror = mirror_of(ops, cache)
    await mirror.fetch("main")
    assert callable(damage)
    damage(mirror.path)
    ops.commit({"demo/x.yaml": "a: 3\n"})

    commit = await mirror.fetch("main")

    assert commit == ops.head
    assert content(mirror, commit, "demo/x.yaml") == b"a: 3\n"
    assert neighbours(mirror) == [".git", ".lock"]


async def test_a_condemned_mirror_stays_until_a_new_one_is_ready(
    ops: Repository, cache: Path
) -> None:
    mirror = mirror_of(ops, cache)
    commit = await mirror.fetch("main")
    before = mirror.path.stat().st_ino
    mirror.condemn()
    ops.path.rename(ops.path.with_name("away"))
    with pytest.raises(SourceError):
        await mirror.fetch("main")
    assert await mirror.head("main") == commit

    ops.path.with_name("away").rename(ops.path)
    assert await mirror.fetch("main") == commit
    assert mirror.path.stat().st_ino != before
    again = mirror.path.stat().st_ino
    assert await mirror.fetch("main") == commit
    assert mirror.path.stat().st_ino == again


async def test_what_a_killed_git_left_behind_is_no_obstacle(ops: Repository, cache: Path) -> None:
    mirror = mirror_of(ops, cache)
    await mirror.fetch("main")
    inode = mirror.path.stat().st_ino
    (mirror.path / "refs/flux-secret/refs/heads/main.lock").touch()
    (mirror.path / "packed-refs.lock").touch()
    leftover = mirror.path / "objects/pack/tmp_pack_abcdef"
    leftover.touch()
    for suffix in (".new", ".old"):
        mirror.path.with_suffix(suffix).mkdir()
    ops.commit({"x": "1"})

    assert await mirror.fetch("main") == ops.head
    assert not leftover.exists()
    assert neighbours(mirror) == [".git", ".lock"]
    assert mirror.path.stat().st_ino == inode


async def test_a_mirror_does_not_grow_a_pack_for_each_commit(ops: Repository, cache: Path) -> None:
    mirror = mirror_of(ops, cache)
    await mirror.fetch("main")
    packs = mirror.path / "objects" / "pack"
    first = next(packs.glob("*.pack"))
    for number in range(MAX_PACKS):
        shutil.copy(first, packs / f"pack-{number:040x}.pack")
        shutil.copy(first.with_suffix(".idx"), packs / f"pack-{number:040x}.idx")
    ops.commit({"x": "1"})

    commit = await mirror.fetch("main")

    assert len(list(packs.glob("*.pack"))) == 1
    assert content(mirror, commit, "x") == b"1"


async def test_two_may_fetch_at_once(ops: Repository, cache: Path) -> None:
    mirrors = [mirror_of(ops, cache) for _ in range(4)]

    commits = await asyncio.gather(*(mirror.fetch("main") for mirror in mirrors))

    assert set(commits) == {ops.head}


async def test_a_fetch_waits_for_another_process_only_so_long(ops: Repository, cache: Path) -> None:
    access = GitAccess(path=os.environ["PATH"], timeout_seconds=0.1, first_fetch_seconds=0)
    mirror = mirror_of(ops, cache, access)
    mirror.path.parent.mkdir(parents=True)
    lock = mirror.path.with_suffix(".lock")
    holder = await asyncio.create_subprocess_exec(
        "flock", str(lock), "sh", "-c", "echo; exec cat",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdin is not None
    assert holder.stdout is not None
    await holder.stdout.readline()
    try:
        with pytest.raises(UnreachableError, match="held by another process"):
            await mirror.fetch("main")
    finally:
        holder.stdin.close()
        await holder.wait()


async def test_a_fetch_over_the_limit_is_refused_and_leaves_nothing(
    ops: Repository, cache: Path
) -> None:
    ops.commit({"big": os.urandom(300_000)})
    access = GitAccess(path=os.environ["PATH"], max_fetch_bytes=100_000)
    mirror = mirror_of(ops, cache, access)

    with pytest.raises(SourceError, match="max_fetch_bytes"):
        await mirror.fetch("main")
    with pytest.raises(SourceError, match="no copy"):
        await mirror.head("main")
    assert leftovers(mirror) == []


async def test_a_first_fetch_may_take_longer_than_the_others(
    ops: Repository, cache: Path, tmp_path: Path
) -> None:
    slow = tmp_path / "bin"
    slow.mkdir()
    git = shutil.which("git")
    script = f'#!/bin/sh\ncase " $* " in *" fetch "*) sleep 2;; esac\nexec {git} "$@"\n'
    (slow / "git").write_text(script)
    (slow / "git").chmod(0o755)
    path = f"{slow}:{os.environ['PATH']}"
    mirror = mirror_of(ops, cache, GitAccess(path=path, timeout_seconds=1))

    assert await mirror.fetch("main") == ops.head
    ops.commit({"x": "1"})
    with pytest.raises(UnreachableError, match=r"within 1 s"):
        await mirror.fetch("main")


async def test_a_repository_that_belongs_to_somebody_else_is_read(
    ops: Repository, cache: Path
) -> None:
    if os.getuid() == 0:  # only root can make one
        for folder, _, files in os.walk(ops.path):
            for name in [".", *files]:
                os.chown(Path(folder, name), 65534, 65534)

    assert await mirror_of(ops, cache).fetch("main")


async def test_nothing_that_a_repository_configures_runs(
    ops: Repository, cache: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    config = ops.path / ".git" / "config"
    with config.open("a") as file:
        file.write(
            f"[core]\n\tfsmonitor = touch {marker}\n\tsshCommand = touch {marker}\n"
            f"[uploadpack]\n\tpackObjectsHook = touch {marker}; exec\n"
            f'[credential]\n\thelper = "!touch {marker}"\n'
        )
    for hook in ("post-checkout", "post-merge", "reference-transaction", "pre-auto-gc"):
        script = ops.path / ".git" / "hooks" / hook
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\ntouch {marker}\n")
        script.chmod(0o755)

    await mirror_of(ops, cache).fetch("main")

    assert not marker.exists()


async def test_a_cache_that_cannot_be_written_is_an_error(ops: Repository, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(ConfigurationError, match="cannot be kept"):
        await mirror_of(ops, file).fetch("main")


async def test_a_machine_without_git_is_told_so(ops: Repository, cache: Path) -> None:
    with pytest.raises(CommandNotFoundError, match="'git'"):
        await mirror_of(ops, cache, GitAccess(path="/nonexistent")).fetch("main")


async def test_a_repository_of_sha256_is_an_error(tmp_path: Path, cache: Path) -> None:
    repository = Repository(tmp_path / "ops", "main")
    repository.path.mkdir()
    repository.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main")
    repository.commit({"x": "1"})

    with pytest.raises(SourceError, match="SHA-256"):
        await mirror_of(repository, cache).fetch("main")
