"""The sync tag at a real remote: what git and people see of it, and what stops no delivery."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flux_secret.errors import FluxSecretError
from flux_secret.model.giturl import GitUrl
from flux_secret.model.sync import Sync
from flux_secret.model.target import Source
from flux_secret.outside.git import GitAccess, History, LastGood, Mirror, SyncTag, Tagger
from flux_secret.source.branch import FOREIGN, Branch
from simulators.repositories import Repository

TAG = "flux-sync"


async def no_keys() -> Path:
    raise AssertionError("nothing is verified here")


def follow(remote: Repository, cache: Path) -> Branch:
    """Give what one process knows of a branch."""
    access = GitAccess(path=os.environ["PATH"])
    source = Source(GitUrl.parse(remote.url), remote.branch)
    mirror = Mirror(source.url, cache, access, tag=TAG)
    tag = SyncTag(mirror, TAG, Tagger("Weave Flux", "support@weave.works"), gnupg=no_keys)
    return Branch(source, LastGood(mirror, allowed=True), History(mirror, no_keys), marker=tag)


async def sync(branch: Branch, *, delivered: bool = True) -> Sync:
    return await branch.finish(await branch.pin(), delivered=delivered)


@pytest.fixture
def remote(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "ops", {"a.yaml": "a"})


def tagged(remote: Repository) -> str:
    return remote.git("rev-parse", f"{TAG}^{{commit}}").strip()


async def test_it_is_an_annotated_tag_as_flux_v1_makes_it(
    remote: Repository, tmp_path: Path
) -> None:
    done = await sync(follow(remote, tmp_path / "cache"))
    assert done.error is None
    assert done.initial
    assert tagged(remote) == remote.head
    shown = remote.git("cat-file", "tag", TAG)
    assert "tagger Weave Flux <support@weave.works> " in shown
    assert shown.endswith("\n\nSync pointer\n")
    assert remote.git("for-each-ref", "--format=%(refname)") == (
        f"refs/heads/{remote.branch}\nrefs/tags/{TAG}\n"
    )


async def test_it_moves_with_what_was_delivered_and_names_what_is_new(
    remote: Repository, tmp_path: Path
) -> None:
    branch = follow(remote, tmp_path / "cache")
    first = remote.head
    await sync(branch)
    remote.commit({"b.yaml": "b"}, "add b\n\nwith reasons")
    failed = await sync(branch, delivered=False)
    assert tagged(remote) == first
    assert [line.message for line in failed.commits] == ["add b"]
    done = await sync(branch)
    assert tagged(remote) == remote.head
    assert [line.revision for line in done.commits] == [remote.head]


async def test_another_process_goes_on_from_it(remote: Repository, tmp_path: Path) -> None:
    await sync(follow(remote, tmp_path / "one"))
    remote.commit({"b.yaml": "b"}, "add b")
    done = await sync(follow(remote, tmp_path / "two"))
    assert not done.initial
    assert [line.message for line in done.commits] == ["add b"]


async def test_a_deleted_tag_is_an_initial_sync_and_is_set_again(
    remote: Repository, tmp_path: Path
) -> None:
    await sync(follow(remote, tmp_path / "one"))
    remote.git("tag", "-d", TAG)
    done = await sync(follow(remote, tmp_path / "two"))
    assert done.initial
    assert tagged(remote) == remote.head


async def test_a_tag_on_no_commit_stops_nothing(remote: Repository, tmp_path: Path) -> None:
    remote.git("tag", "-a", "-m", "astray", TAG, remote.blob(b"no commit"))
    done = await sync(follow(remote, tmp_path / "cache"))
    assert done.error is None
    assert done.initial
    assert any("initial sync" in note for note in done.notes)
    assert tagged(remote) == remote.head


async def test_a_force_push_stops_nothing(remote: Repository, tmp_path: Path) -> None:
    branch = follow(remote, tmp_path / "cache")
    remote.commit({"b.yaml": "b"})
    await sync(branch)
    remote.git("reset", "--quiet", "--hard", "HEAD~1")
    remote.commit({"c.yaml": "c"}, "another line")
    pin = await branch.pin()
    assert pin.commit == remote.head
    assert any("was rewritten" in note for note in pin.notes)
    assert (await branch.finish(pin, delivered=True)).error is None
    assert tagged(remote) == remote.head


async def test_a_foreign_move_is_said_once_and_repaired(remote: Repository, tmp_path: Path) -> None:
    first = remote.head
    branch = follow(remote, tmp_path / "cache")
    remote.commit({"b.yaml": "b"})
    await sync(branch)
    for times in (1, 2):
        remote.git("tag", "-f", "-a", "-m", "mine", TAG, first)
        done = await sync(branch)
        assert tagged(remote) == remote.head
        assert done.commits == ()
        assert any(FOREIGN in note for note in done.notes) is (times == 1)


async def test_a_refused_push_is_a_warning_with_a_remedy(
    remote: Repository, tmp_path: Path
) -> None:
    hook = remote.path / ".git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no tags here >&2\nexit 1\n")
    hook.chmod(0o755)
    branch = follow(remote, tmp_path / "cache")
    pin = await branch.pin()
    assert pin.commit == remote.head, "it is delivered all the same"
    done = await branch.finish(pin, delivered=True)
    assert isinstance(done.error, FluxSecretError)
    assert "could not be moved" in done.error.what
    assert "--sync-state=secret" in done.error.remedy
    assert done.marker is None


async def test_nothing_of_the_remote_but_the_tag_is_touched(
    remote: Repository, tmp_path: Path
) -> None:
    before = remote.git("for-each-ref", "refs/heads", "refs/notes")
    await sync(follow(remote, tmp_path / "cache"))
    assert remote.git("for-each-ref", "refs/heads", "refs/notes") == before
    assert remote.git("status", "--porcelain") == ""
