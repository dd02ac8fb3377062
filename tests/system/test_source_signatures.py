"""Which commits count as signed: real gpg keys that expire and are revoked, read by real git."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from flux_secret.errors import IntegrityError
from flux_secret.model.giturl import GitUrl
from flux_secret.model.sync import Verification
from flux_secret.model.target import Source
from flux_secret.outside.git import GitAccess, History, LastGood, Mirror
from flux_secret.outside.gpg import Gpg
from flux_secret.source.branch import Branch, Pin
from simulators.gnupg import Home, home
from simulators.repositories import Repository
from simulators.signing import commit_signed, git_signs

THEN, CLOCK = "20200601T000000", "--faked-system-time=20200901T000000"
EXPIRED, REVOKED, STRANGER, OPERATOR = (
    f"{name}@example.org" for name in ("expired", "revoked", "stranger", "operator")
)


@pytest.fixture(scope="module")
def gnupg() -> Iterator[Home]:
    with home() as made:
        made.signing_key(OPERATOR, at=THEN)
        made.signing_key(STRANGER)
        made.signing_key(REVOKED, at=THEN)
        made.signing_key(EXPIRED, at=THEN, expires="1y")
        yield made


@pytest.fixture(scope="module")
def keys(gnupg: Home) -> Mapping[str, bytes]:
    """What people give to --git-gpg-key-import: one key has expired, one was revoked."""
    known = {who: gnupg.public_key(who) for who in (OPERATOR, EXPIRED)}
    return known | {REVOKED: gnupg.revoked(REVOKED)}


@pytest.fixture
def remote(tmp_path: Path, gnupg: Home) -> Repository:
    repository = Repository.create(tmp_path / "ops", {"a.yaml": "a"})
    words = ("commit", "--quiet", "--amend", "--no-edit", f"--gpg-sign={OPERATOR}")
    git_signs(repository, gnupg, *words)
    return repository


async def pin(
    remote: Repository, keys: Mapping[str, bytes], mode: Verification = Verification.ALL
) -> Pin:
    """Give what a process that starts now delivers."""
    path = os.environ["PATH"]
    gpg = Gpg.private(list(keys.values()), b"", path=path)
    source = Source(GitUrl.parse(remote.url), remote.branch)
    mirror = Mirror(source.url, remote.path.parent / "cache", GitAccess(path=path))
    history = History(mirror, gpg.home)
    try:
        return await Branch(source, LastGood(mirror, allowed=False), history, mode).pin()
    finally:
        await gpg.close()


async def must_stay(
    remote: Repository, keys: Mapping[str, bytes], good: str, bad: str, why: str, *,
    mode: Verification = Verification.ALL,
) -> None:  # fmt: skip
    """Check that `good` is delivered, and that people are told of `bad`."""
    pinned = await pin(remote, keys, mode)
    assert pinned.commit == good
    assert pinned.head == remote.head
    (note,) = pinned.notes
    assert note == (
        f"found invalid GPG signature for commit {bad} ({why}); delivered {good[:12]}, which comes "
        f"before it, and not {remote.head[:12]}"
    )


@pytest.mark.parametrize(
    ("signer", "why"),
    [
        ([EXPIRED, CLOCK], "the key that signed it has expired"),  # it was valid when it signed
        ([REVOKED], "the key that signed it was revoked"),
        ([STRANGER], "the key that signed it is not known here"),
        ([OPERATOR, CLOCK, "--default-sig-expire=1d"], "its signature has expired"),
    ],
)
async def test_a_key_that_is_not_valid_now_signs_nothing(
    remote: Repository, gnupg: Home, keys: Mapping[str, bytes], signer: list[str], why: str
) -> None:
    who, *gpg = signer
    good = remote.head
    bad = commit_signed(remote, gnupg, who, "b.yaml", gpg=gpg)
    commit_signed(remote, gnupg, OPERATOR, "c.yaml")
    await must_stay(remote, keys, good, bad, why)


async def test_a_key_whose_life_was_prolonged_signs_again_what_it_signed(
    remote: Repository, gnupg: Home, keys: Mapping[str, bytes]
) -> None:
    """What people do when a signer's key has expired: import it anew."""
    commit_signed(remote, gnupg, EXPIRED, "b.yaml", gpg=[CLOCK])
    with home() as other:
        unlock = ("--passphrase", "", "--pinentry-mode", "loopback")
        other.gpg(*unlock, "--import", stdin=gnupg.private_key(EXPIRED))
        other.gpg(*unlock, "--quick-set-expire", gnupg.fingerprint(EXPIRED), "0")
        prolonged = {**keys, EXPIRED: other.public_key(EXPIRED)}
    pinned = await pin(remote, prolonged)
    assert (pinned.commit, pinned.notes) == (remote.head, ())


async def test_a_commit_that_was_changed_after_it_was_signed_is_none(
    remote: Repository, gnupg: Home, keys: Mapping[str, bytes]
) -> None:
    good = remote.head
    commit_signed(remote, gnupg, OPERATOR, "b.yaml")
    tree = remote.git("rev-parse", f"{good}^{{tree}}").strip()
    signed = remote.git("cat-file", "commit", "HEAD")
    other = signed.replace(signed.split()[1], tree)  # the signature stays, over another tree
    words = ("hash-object", "-t", "commit", "-w", "--stdin")
    bad = remote.git(*words, stdin=other.encode()).strip()
    remote.git("update-ref", f"refs/heads/{remote.branch}", bad)
    await must_stay(remote, keys, good, bad, "it was changed after it was signed")


async def test_a_commit_that_somebody_amended_without_a_key_is_none(
    remote: Repository, gnupg: Home, keys: Mapping[str, bytes]
) -> None:
    good = remote.head
    commit_signed(remote, gnupg, OPERATOR, "b.yaml")
    remote.git("commit", "--quiet", "--amend", "--no-gpg-sign", "--message", "amended")
    await must_stay(remote, keys, good, remote.head, "it is not signed")


async def test_a_first_commit_that_is_not_signed_delivers_nothing_and_says_why(
    tmp_path: Path, gnupg: Home, keys: Mapping[str, bytes]
) -> None:
    remote = Repository.create(tmp_path / "ops", {"a.yaml": "a"})
    bad = remote.head
    commit_signed(remote, gnupg, OPERATOR, "b.yaml")
    with pytest.raises(IntegrityError, match=rf"commit {bad} \(it is not signed\)"):
        await pin(remote, keys)


def branch_off(remote: Repository) -> str:
    """Commit beside the branch, unsigned, as somebody with a fork does."""
    remote.git("checkout", "--quiet", "-b", "side")
    unsigned = remote.commit({"side.yaml": "side"})
    remote.git("checkout", "--quiet", remote.branch)
    return unsigned


async def test_a_signed_merge_brings_in_unsigned_work_in_first_parent_mode_only(
    remote: Repository, gnupg: Home, keys: Mapping[str, bytes]
) -> None:
    branch_off(remote)
    good = commit_signed(remote, gnupg, OPERATOR, "b.yaml")
    words = ("merge", "--quiet", "--no-ff", f"--gpg-sign={OPERATOR}", "--message", "m", "side")
    git_signs(remote, gnupg, *words)
    bad = remote.git("rev-parse", "side").strip()
    pinned = await pin(remote, keys, Verification.FIRST_PARENT)
    assert (pinned.commit, pinned.notes) == (remote.head, ())
    await must_stay(remote, keys, good, bad, "it is not signed")


@pytest.mark.parametrize("mode", [Verification.ALL, Verification.FIRST_PARENT])
async def test_an_unsigned_merge_of_signed_work_is_not_delivered(
    remote: Repository, gnupg: Home, keys: Mapping[str, bytes], mode: Verification
) -> None:
    remote.git("checkout", "--quiet", "-b", "side")
    commit_signed(remote, gnupg, OPERATOR, "side.yaml")
    remote.git("checkout", "--quiet", remote.branch)
    good = commit_signed(remote, gnupg, OPERATOR, "b.yaml")
    remote.git("merge", "--quiet", "--no-ff", "--no-gpg-sign", "--message", "m", "side")
    await must_stay(remote, keys, good, remote.head, "it is not signed", mode=mode)


async def test_an_unsigned_merge_that_is_fast_forward_is_seen_in_first_parent_mode_too(
    remote: Repository, gnupg: Home, keys: Mapping[str, bytes]
) -> None:
    """Without a merge commit nobody vouches for what the branch took in."""
    good = remote.head
    unsigned = branch_off(remote)
    remote.git("merge", "--quiet", "--ff-only", "side")
    commit_signed(remote, gnupg, OPERATOR, "b.yaml")
    words = (remote, keys, good, unsigned, "it is not signed")
    await must_stay(*words, mode=Verification.FIRST_PARENT)
