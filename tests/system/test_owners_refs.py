"""Approvals beside the branches, got from a host that may hold anything."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from flux_secret.errors import FluxSecretError, IntegrityError
from flux_secret.model.approval import MAX_APPROVAL, REFS, Approval, Purpose, State, Statement
from flux_secret.model.giturl import GitUrl
from flux_secret.outside.git import GitAccess, Mirror
from flux_secret.outside.git import approvals as door
from flux_secret.outside.git.approvals import mirror_approvals, read_approvals
from simulators.repositories import Repository

ACCESS = GitAccess(path=os.environ["PATH"])
SIGNATURE = b"-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----\n"


@pytest.fixture
def host(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "store", {"a.gpg": "a"})


@pytest.fixture
async def mirror(host: Repository, tmp_path: Path) -> Mirror:
    made = Mirror(GitUrl.parse(str(host.path)), tmp_path / "cache", ACCESS)
    await made.fetch(None)
    return made


def approval(host: Repository, prefix: str) -> Approval:
    state = State(host.head, "a" * 64)
    return Approval(Statement(Purpose.CHANGE, host.head, prefix, None, state), SIGNATURE)


def put(host: Repository, one: Approval, ref: str = "") -> None:
    host.git("update-ref", ref or one.ref, host.blob(one.encode()))


async def test_what_the_host_has_is_got_and_what_it_lost_is_forgotten(
    host: Repository, mirror: Mirror
) -> None:
    first, second = approval(host, "a"), approval(host, "b")
    put(host, first)
    put(host, second)
    await mirror_approvals(mirror, 20)
    assert set(map(str, read_approvals(mirror.path))) == {str(first), str(second)}
    host.git("update-ref", "-d", first.ref)
    await mirror_approvals(mirror, 20)
    assert read_approvals(mirror.path) == [second]
    assert await mirror.head(None) == host.head


async def test_nothing_is_fetched_when_nothing_is_new(
    host: Repository, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(host, approval(host, "a"))
    await mirror_approvals(mirror, 20)

    async def never(*_words: object, **_named: object) -> None:
        raise AssertionError

    monkeypatch.setattr(mirror.git, "fetch", never)
    await mirror_approvals(mirror, 20)


async def test_too_many_are_refused_before_they_are_fetched(
    host: Repository, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MAX_APPROVALS", 2)
    for name in "abc":
        put(host, approval(host, name))
    with pytest.raises(IntegrityError, match="3 approvals, more than 2"):
        await mirror_approvals(mirror, 20)
    assert not read_approvals(mirror.path)
    host.git("fetch", "-q", ".", f"+{REFS}*:{REFS}*")
    with pytest.raises(IntegrityError, match="more than 2"):
        read_approvals(host.path / ".git")


async def test_what_is_none_is_passed_over(host: Repository, mirror: Mirror) -> None:
    good = approval(host, "a")
    put(host, good)
    put(host, approval(host, "b"), f"{REFS}elsewhere")
    large = replace(good, signature=SIGNATURE + b"x" * MAX_APPROVAL)
    put(host, large)
    host.git("update-ref", f"{REFS}commit", host.head)
    host.git("update-ref", f"{REFS}bytes", host.blob(b"\xff\0"))
    await mirror_approvals(mirror, 20)
    assert read_approvals(mirror.path) == [good]


async def test_a_fetch_that_is_too_large_is_ended(host: Repository, tmp_path: Path) -> None:
    access = replace(ACCESS, max_fetch_bytes=1024 * 1024)
    mirror = Mirror(GitUrl.parse(str(host.path)), tmp_path / "small", access)
    await mirror.fetch(None)
    host.git("update-ref", f"{REFS}huge", host.blob(os.urandom(4 * 1024 * 1024)))
    with pytest.raises(FluxSecretError, match="large"):
        await mirror_approvals(mirror, 20)
