"""The sync tag with verification on: signed by real gpg, verified by git in another process."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from flux_secret.errors import IntegrityError, KeyFileError
from flux_secret.model.giturl import GitUrl
from flux_secret.model.sync import Sync, Verification
from flux_secret.model.target import Source
from flux_secret.outside.git import GitAccess, History, LastGood, Mirror, SyncTag, Tagger
from flux_secret.outside.gpg import Gpg
from flux_secret.source.branch import Branch
from simulators.gnupg import Home, home
from simulators.repositories import Repository
from simulators.signing import git_signs

TAG, OPERATOR = "flux-sync", "operator@example.org"


@pytest.fixture(scope="module")
def gnupg() -> Iterator[Home]:
    with home() as made:
        made.curve25519(OPERATOR)
        yield made


@pytest.fixture
def remote(tmp_path: Path, gnupg: Home) -> Repository:
    repository = Repository.create(tmp_path / "ops", {"a.yaml": "a"})
    git_signs(repository, gnupg, "commit", "--quiet", "--amend", "--no-edit", f"-S{OPERATOR}")
    return repository


@asynccontextmanager
async def follow(
    remote: Repository, cache: Path, gnupg: Home, key: str = OPERATOR
) -> AsyncIterator[Branch]:
    """Give what one process knows of a branch."""
    path = os.environ["PATH"]
    gpg = Gpg.private([gnupg.private_key(OPERATOR)], b"", path=path)
    source = Source(GitUrl.parse(remote.url), remote.branch)
    mirror = Mirror(source.url, cache, GitAccess(path=path), tag=TAG)
    sign_with = partial(gpg.sign, key=key)
    tagger = Tagger("Weave Flux", "support@weave.works")
    tag = SyncTag(mirror, TAG, tagger, gnupg=gpg.home, sign=sign_with)
    last_good, history = LastGood(mirror, allowed=True), History(mirror, gpg.home)
    try:
        yield Branch(source, last_good, history, Verification.ALL, marker=tag)
    finally:
        await gpg.close()


async def sync(branch: Branch) -> Sync:
    return await branch.finish(await branch.pin(), delivered=True)


async def test_a_tag_that_we_signed_is_trusted_by_the_next_process(
    remote: Repository, tmp_path: Path, gnupg: Home
) -> None:
    async with follow(remote, tmp_path / "cache", gnupg) as branch:
        first = await sync(branch)
    assert first.error is None
    assert "BEGIN PGP SIGNATURE" in remote.git("cat-file", "tag", TAG)
    async with follow(remote, tmp_path / "other cache", gnupg) as branch:
        again = await sync(branch)
    assert (again.since, again.commits) == (remote.head, ())


async def test_an_unsigned_tag_is_not_trusted(
    remote: Repository, tmp_path: Path, gnupg: Home
) -> None:
    remote.git("tag", "--annotate", "--message", "Sync pointer", TAG)
    async with follow(remote, tmp_path / "cache", gnupg) as branch:
        with pytest.raises(IntegrityError, match="not signed by a key"):
            await branch.pin()


async def test_a_signed_tag_of_another_name_is_not_taken_for_it(
    remote: Repository, tmp_path: Path, gnupg: Home
) -> None:
    """Whoever can push moves flux-sync onto a release tag that somebody trusted has signed."""
    git_signs(remote, gnupg, "tag", f"--local-user={OPERATOR}", "--message", "release", "v1")
    remote.git("update-ref", f"refs/tags/{TAG}", remote.git("rev-parse", "refs/tags/v1").strip())
    async with follow(remote, tmp_path / "cache", gnupg) as branch:
        with pytest.raises(IntegrityError, match="not signed by a key"):
            await branch.pin()


async def test_a_key_that_cannot_sign_leaves_the_tag_where_it_is(
    remote: Repository, tmp_path: Path, gnupg: Home
) -> None:
    async with follow(remote, tmp_path / "cache", gnupg, key="nobody@example.org") as branch:
        done = await sync(branch)
    assert isinstance(done.error, KeyFileError)
    assert "--git-signing-key" in done.error.what
    assert remote.git("tag", "--list").strip() == ""
