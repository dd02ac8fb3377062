"""Approvals beside the branches: read from a repository, got from its host, made and pushed.

Whoever may push may push many, and large ones: their number and size are bounded, and what is no
approval is passed over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pygit2

from flux_secret.errors import ConfigurationError, IntegrityError
from flux_secret.model.approval import MAX_APPROVAL, MAX_APPROVALS, REFS, Approval
from flux_secret.outside.git.clone import Clone
from flux_secret.outside.git.failure import kind_of
from flux_secret.outside.git.mirror import Mirror
from flux_secret.outside.git.person import git_words
from flux_secret.outside.git.remote import Remote

_ALL: Final = f"{REFS}*"
_SAME: Final = f"+{_ALL}:{_ALL}"
_MAX_BYTES: Final = 64 * 1024 * 1024  # of one fetch, packed


def read_approvals(repository: Path) -> list[Approval]:
    """Give what is here; raise `IntegrityError` when there are too many."""
    opened = pygit2.Repository(str(repository), pygit2.enums.RepositoryOpenFlag.BARE)
    found = []
    names = [name for name in opened.references if name.startswith(REFS)]
    _refuse_many(len(names), str(repository))
    for name in sorted(names):
        untrusted = _blob(opened, name)
        try:
            approval = Approval.parse(untrusted) if untrusted else None
        except IntegrityError:
            continue
        if approval is not None and approval.ref == name:
            found.append(approval)
    return found


def _blob(repository: pygit2.Repository, name: str) -> bytes | None:
    """Give a small file; None for whatever else a ref may name."""
    try:
        target = repository.references[name].target
        if not isinstance(target, pygit2.Oid):
            return None
        kind, size = repository.odb.read_header(target)
        if kind != pygit2.enums.ObjectType.BLOB or size > MAX_APPROVAL:
            return None
        _, data = repository.odb.read(target)
    except (KeyError, ValueError, OSError, pygit2.GitError):
        return None
    return bytes(data)


async def mirror_approvals(mirror: Mirror, seconds: float) -> None:
    """Get what the host has into a mirror, and forget what it has no more."""
    untrusted = await mirror.git.ask("ls-remote", "--quiet", "--", mirror.url.address, _ALL)
    _refuse_many(_count(untrusted), str(mirror.url))
    kept = await mirror.git.local(mirror.path, "for-each-ref", "--format=%(objectname)\t%(refname)",
                                  REFS)  # fmt: skip
    if set(untrusted.splitlines()) != set((kept or b"").splitlines()):
        await mirror.git.fetch(mirror.path, _SAME, seconds=seconds, prune=True)


async def keep_approval(clone: Clone, approval: Approval) -> str:
    """Put one among a clone's refs; give its ref."""
    blob = clone.keep(approval.encode())
    await clone.git.do(clone.folder.root, "update-ref", approval.ref, blob.id)
    return approval.ref


async def get_approvals(remote: Remote) -> None:
    """Get what the host has into a person's clone; what is only here stays."""
    git, root = remote.clone.git, remote.clone.folder.root
    listed = await git.run(root, "ls-remote", "--quiet", "--", remote.name, _ALL)
    if listed.returncode != 0:
        said = git_words(listed)
        raise (kind_of(said) or ConfigurationError)(
            f"{remote.name} of {root} cannot be asked for approvals: {said}",
            remedy="mend it, or look at what is here with --offline",
        )
    count = _count(listed.untrusted_stdout)
    _refuse_many(count, remote.name)
    if not count:
        return
    words = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
    done = await git.run(
        root, "-c", "fetch.unpackLimit=1", "-c", "core.hooksPath=/dev/null", "fetch", *words,
        "--refmap=", "--", remote.name, _SAME, max_file_bytes=_MAX_BYTES,
    )  # fmt: skip
    if done.returncode != 0:
        said = git_words(done)
        raise (kind_of(said) or ConfigurationError)(
            f"the approvals of {remote.name} cannot be fetched: {said}",
            remedy=f"look there: git -C {root} ls-remote {remote.name} '{_ALL}'",
        )


async def push_approvals(remote: Remote) -> None:
    """Push every approval that is here; raise, with them still here, when the host refuses."""
    git, root = remote.clone.git, remote.clone.folder.root
    words = ("push", "--porcelain", "--no-verify", "--no-follow-tags")
    done = await git.run(root, *words, "--", remote.name, _SAME)
    if done.returncode != 0:
        said = git_words(done)
        raise (kind_of(said) or ConfigurationError)(
            f"{remote.name} of {root} does not take the approval: {said}",
            remedy="it is kept here; let the host accept refs/flux-secret/*, then: "
            f"git -C {root} push {remote.name} '{_ALL}:{_ALL}'",
        )


def _count(untrusted: bytes) -> int:
    return untrusted.count(b"\n")


def _refuse_many(count: int, where: str) -> None:
    if count > MAX_APPROVALS:
        raise IntegrityError(
            f"{where} has {count} approvals, more than {MAX_APPROVALS}",
            remedy="find out who pushed them; remove those of long ago: "
            "git push REMOTE --delete REF",
        )
