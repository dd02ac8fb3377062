"""A branch of its own in somebody's repository, to which several writers add, each in its folder.

We keep the branch in a bare repository of ours, and remember which commit the host has taken. A
push says where it expects the branch to be, so nothing is ever overwritten: if another writer was
faster, their commit is fetched and ours made again on top of it. If the branch does not have any
more what it had, somebody has taken it back: that is an `IntegrityError`, and we push no further.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pygit2
from pygit2.enums import FileMode

from flux_secret.errors import ConfigurationError, IntegrityError, UnreachableError
from flux_secret.model.giturl import GitUrl
from flux_secret.outside.git.access import GitAccess
from flux_secret.outside.git.command import Git
from flux_secret.outside.git.refs import listed, our, ref_of
from flux_secret.outside.git.synctag import Tagger
from flux_secret.outside.objects import Commit

_PACKS: Final = 500  # pushes after which loose objects are packed


class GrowingBranch:
    """One branch, and the folder in it that is ours."""

    def __init__(
        self, url: GitUrl, branch: str, path: Path, access: GitAccess, author: Tagger
    ) -> None:
        """`path` is our bare repository, which nobody else uses; it is made when it is missing."""
        self.url = url
        self.branch = branch
        self._author = author
        self._git = Git(url, access)
        self._ref = ref_of(branch)
        self.path = path
        self._pushes = 0

    def __str__(self) -> str:
        return f"branch {self.branch} of {self.url}"

    async def fetch(self) -> str | None:
        """Ask for the branch's commit; None where there is no such branch yet.

        Raises `IntegrityError` when it does not contain what the host had of us.
        """
        await self._create()
        known = await self._known()
        found = listed(
            await self._git.ask("ls-remote", "--quiet", "--", self.url.address, self._ref)
        ).get(self._ref)
        if found is None and known is not None:
            raise self._lost(known, "is not there any more")
        if found is None or found == known:
            return found
        await self._git.fetch(self.path, f"+{self._ref}:{self._incoming}", seconds=300.0)
        found = await self._object(self._incoming)
        if found is None:
            raise UnreachableError(f"{self} was not fetched", remedy="it is tried again")
        if known is not None:
            words = ("merge-base", "--is-ancestor", known, found)
            if await self._git.local(self.path, *words) is None:
                raise self._lost(known, f"is at {found[:12]}, which does not contain it")
        await self._remember(found)
        return found

    def at(self, commit: str) -> Commit:
        """Open a commit's tree."""
        return Commit(self.path, commit)

    def forget(self) -> None:
        """Remove our repository, as it is damaged: the next fetch makes it anew."""
        shutil.rmtree(self.path, ignore_errors=True)

    async def push(self, base: str | None, files: Mapping[str, bytes], message: str) -> str | None:
        """Add files on top of `base`; give the commit, None when the branch is elsewhere by now."""
        commit = await asyncio.to_thread(self._commit, base, files, message)
        if not await self._git.push_onto(self.path, commit, self._ref, base):
            return None
        await self._remember(commit)
        self._pushes += 1
        if self._pushes % _PACKS == 0:
            await self._git.local(self.path, "gc", "--quiet", seconds=300.0)
        return commit

    def _commit(self, base: str | None, files: Mapping[str, bytes], message: str) -> str:
        try:
            repository = self._repository()
            tree = repository[base].peel(pygit2.Tree) if base else None
            for path, data in files.items():
                blob = repository.create_blob(data)
                tree = repository[_with(repository, tree, path.split("/"), blob)].peel(pygit2.Tree)
            author = pygit2.Signature(
                self._author.name.strip(), self._author.email.strip(), int(time.time()), 0
            )
            root = tree.id if tree else repository.TreeBuilder().write()
            parents = [base] if base else []
            made = repository.create_commit(None, author, author, message, root, parents)
        except (KeyError, ValueError, OSError, pygit2.GitError) as failure:
            raise UnreachableError(
                f"no commit for {self} can be made in {self.path}: {failure}",
                remedy=f"make room; or, if it is damaged, remove {self.path}: it is made anew",
            ) from None
        return str(made)

    async def _create(self) -> None:
        if (self.path / "HEAD").is_file():
            return
        try:
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir(mode=0o700, parents=True)
        except OSError as failure:
            raise ConfigurationError(
                f"{self} cannot be kept in {self.path.parent}: {failure.strerror}",
                remedy="check its space and who may write there, or name another --cache-dir",
            ) from None
        words = ("init", "--quiet", "--bare", "--template=", "--initial-branch=none")
        await self._git.local(self.path, *words)

    async def _known(self) -> str | None:
        """Give the commit that the host had last."""
        return await self._object(our(self._ref))

    async def _object(self, ref: str) -> str | None:
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        found = await self._git.local(self.path, *words)
        return found.decode().strip() or None if found else None

    async def _remember(self, commit: str) -> None:
        await self._git.local(self.path, "update-ref", our(self._ref), commit)

    @property
    def _incoming(self) -> str:
        return our(f"incoming/{self._ref}")

    def _repository(self) -> pygit2.Repository:
        return pygit2.Repository(str(self.path), pygit2.enums.RepositoryOpenFlag.BARE)

    def _lost(self, known: str, says: str) -> IntegrityError:
        return IntegrityError(
            f"{self} had commit {known[:12]}, and {says}: somebody has taken the record back",
            remedy="find out who may force a push there; to put it back: git "
            f"--git-dir={self.path} push --force {self.url} {known}:{self._ref}",
        )


def branch_of(repository: Path, branch: str) -> Commit:
    """Open the newest commit of a branch in a clone, or of the one that it follows at a host."""
    place = repository / ".git" if (repository / ".git").is_dir() else repository
    try:
        opened = pygit2.Repository(str(place), pygit2.enums.RepositoryOpenFlag.BARE)
        names = (f"refs/heads/{branch}", f"refs/remotes/origin/{branch}", our(ref_of(branch)))
        refs = [name for name in names if name in opened.references]
        if refs:
            return Commit(place, str(opened.references[refs[0]].peel(pygit2.Commit).id))
    except (KeyError, ValueError, OSError, pygit2.GitError):
        pass
    raise ConfigurationError(
        f"{repository} has no branch {branch}",
        remedy=f"get it: git clone --bare --branch {branch} --single-branch URL DIRECTORY",
    )


def _with(
    repository: pygit2.Repository, tree: pygit2.Tree | None, path: list[str], blob: pygit2.Oid
) -> pygit2.Oid:
    """Give a tree with one file in it changed."""
    builder = repository.TreeBuilder(tree) if tree is not None else repository.TreeBuilder()
    name, *rest = path
    if rest:
        below = tree[name] if tree is not None and name in tree else None
        below = below if isinstance(below, pygit2.Tree) else None
        builder.insert(name, _with(repository, below, rest, blob), FileMode.TREE)
    else:
        builder.insert(name, blob, FileMode.BLOB)
    return builder.write()
