"""What lies beside the branches of a remote, as approvals do: it comes along, within bounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flux_secret.model.giturl import GitUrl
from flux_secret.outside.git import GitAccess, Mirror, beside
from flux_secret.outside.objects import Commit
from simulators.repositories import Repository

ACCESS = GitAccess(path=os.environ["PATH"])
APPROVALS = "refs/flux-secret/approvals/"


@pytest.fixture
def ops(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "my ops", {"demo/x.yaml": "a: 1\n"}, "main")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def lies_beside(repository: Repository, name: str, text: bytes = b"an approval") -> str:
    blob = repository.blob(text)
    repository.git("update-ref", f"{APPROVALS}{name}", blob)
    return blob


async def test_what_lies_beside_the_branches_comes_along_and_goes(
    ops: Repository, cache: Path
) -> None:
    mirror = Mirror(GitUrl.parse(str(ops.path)), cache, ACCESS, beside=APPROVALS)
    await mirror.fetch(None)
    assert await mirror.remote_state(None) == (ops.head, "")
    assert await mirror.beside() == ""
    blob = lies_beside(ops, "0123/4567")
    ops.git("update-ref", f"refs/heads/x/{APPROVALS}89ab", "HEAD")  # ls-remote lists it too
    seen = await mirror.remote_state(None)
    assert seen[0] == ops.head
    assert seen[1] != await mirror.beside()
    assert await mirror.fetch(None) == ops.head
    assert await mirror.beside() == seen[1]
    assert Commit(mirror.path, ops.head).read(blob) == b"an approval"
    ops.git("update-ref", "-d", f"{APPROVALS}0123/4567")
    await mirror.fetch(None)
    assert await mirror.beside() == ""


async def test_too_many_or_too_large_ones_stop_no_delivery(
    ops: Repository, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "MAX_REFS", 2)
    monkeypatch.setattr(beside, "MAX_BYTES", 100_000)
    mirror = Mirror(GitUrl.parse(str(ops.path)), cache, ACCESS, beside=APPROVALS)
    lies_beside(ops, "a")
    await mirror.fetch(None)
    known = await mirror.beside()
    lies_beside(ops, "b", os.urandom(1_000_000))
    assert await mirror.fetch(None) == ops.head
    assert await mirror.beside() == known
    lies_beside(ops, "b")
    lies_beside(ops, "c")
    ops.commit({"demo/x.yaml": "a: 3\n"})
    assert await mirror.fetch(None) == ops.head
    assert await mirror.beside() == known
