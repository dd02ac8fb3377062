"""Which commits of a store's mirror contain which, and one that is kept for good; by real git."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flux_secret.model.giturl import GitUrl
from flux_secret.outside.git import Ancestry, GitAccess, Mirror
from simulators.repositories import Repository

ACCESS = GitAccess(path=os.environ["PATH"])


@pytest.fixture
def store(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "store", {"a.gpg": "1"}, "main")


def forget(place: Path, store: Repository) -> None:
    """Let git clean away whatever nothing names, at once."""
    words = (f"--git-dir={place}", "-c", "gc.reflogExpire=now", "gc", "--quiet", "--prune=now")
    store.git(*words)


async def test_what_was_rewound_is_kept_through_fetches_and_cleaning(
    store: Repository, tmp_path: Path
) -> None:
    mirror = Mirror(GitUrl.parse(store.url), tmp_path / "cache", ACCESS)
    ancestry = Ancestry(mirror, "team/apps")
    old, new = store.head, store.commit({"a.gpg": "2"})
    assert await mirror.fetch(None) == new
    assert await ancestry.leads_to(old, new)
    assert not await ancestry.leads_to(new, old)
    assert not await ancestry.leads_to("f" * 40, new)
    assert not await ancestry.has("--help")
    await ancestry.keep(new)
    store.git("reset", "--quiet", "--hard", old)
    assert await mirror.fetch(None) == old
    forget(mirror.path, store)
    assert await ancestry.has(new)
    await ancestry.keep(old)
    forget(mirror.path, store)
    assert not await ancestry.has(new)


async def test_a_commit_that_no_branch_has_is_brought_by_its_id(
    store: Repository, tmp_path: Path
) -> None:
    lost = store.commit({"a.gpg": "2"})
    store.git("reset", "--quiet", "--hard", "HEAD~1")
    mirror = Mirror(GitUrl.parse(store.url), tmp_path / "cache", ACCESS)
    ancestry = Ancestry(mirror, "apps")
    await mirror.fetch(None)
    assert not await ancestry.has(lost)
    assert await ancestry.bring(lost)
    assert await ancestry.has(lost)
    assert not await ancestry.bring("f" * 40)
    assert not await ancestry.bring("main")
