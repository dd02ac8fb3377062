"""A clone's branch and the one it follows on another host: fetched, compared, pushed and verified.

As git itself decides it: `branch.NAME.remote` and `.merge`, else `origin` and the same name. A push
counts when git says that the host took it; gopass exits with 0 either way (facts: gopass §4.3).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import ConfigurationError, FluxSecretError, UnreachableError
from flux_secret.outside.git.clone import Clone
from flux_secret.outside.git.failure import kind_of
from flux_secret.outside.git.person import git_words

_MOVED: Final = ("[rejected]", "(fetch first)", "(non-fast-forward)", "cannot lock ref")


class Pushed(enum.Enum):
    """How a push ended."""

    TAKEN = "taken"
    MOVED_ON = "moved on"
    """The host has commits that we do not: fetch them first."""


@dataclass(frozen=True, slots=True)
class Remote:
    """The branch that is checked out, and the one that it follows."""

    clone: Clone
    name: str
    """What git calls the host, as `origin`."""
    branch: str
    """The branch there."""

    @classmethod
    async def of(cls, clone: Clone) -> Remote | None:
        """Find it; None when the store is shared with no host, or no branch is checked out."""
        git, root = clone.git, clone.folder.root
        local = await git.ask(root, "symbolic-ref", "--quiet", "--short", "HEAD")
        if local is None:
            return None
        name = await git.ask(root, "config", "--get", f"branch.{local}.remote") or "origin"
        if await git.ask(root, "config", "--get", f"remote.{name}.url") is None:
            return None
        merge = await git.ask(root, "config", "--get", f"branch.{local}.merge") or local
        return cls(clone, name, merge.removeprefix("refs/heads/"))

    async def seen(self) -> str | None:
        """Give the commit that the host had when we were last in agreement with it."""
        for ref in (self._ref("seen"), self._tracking):
            words = ("rev-parse", "--quiet", "--verify", f"{ref}^{{commit}}")
            found = await self.clone.git.ask(self.clone.folder.root, *words)
            if found is not None:
                return found
        return None

    async def agree(self, commit: str) -> None:
        """Note that the host has what we have."""
        for ref in (self._ref("seen"), self._tracking):
            await self.clone.git.do(self.clone.folder.root, "update-ref", ref, commit)

    async def fetch(self) -> str | None:
        """Ask the host; give its commit, None when it has no such branch yet.

        What git shows as the host's branch stays as it was until `agree`. Raises
        `UnreachableError` when it does not answer, and another error of ours when it refuses.
        """
        git, root = self.clone.git, self.clone.folder.root
        listed = await git.run(root, "ls-remote", "--heads", "--", self.name, self.branch)
        if listed.returncode != 0:
            raise self._failed("asked", git_words(listed))
        refs = {line.partition(b"\t")[2] for line in listed.untrusted_stdout.splitlines()}
        if f"refs/heads/{self.branch}".encode() not in refs:
            return None
        incoming = self._ref("incoming")
        words = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
        refspec = f"+refs/heads/{self.branch}:{incoming}"
        done = await git.run(root, "fetch", *words, "--refmap=", "--", self.name, refspec)
        if done.returncode != 0:
            raise self._failed("fetched from", git_words(done))
        return await git.do(root, "rev-parse", "--verify", incoming)

    @property
    def _tracking(self) -> str:
        return f"refs/remotes/{self.name}/{self.branch}"

    def _ref(self, what: str) -> str:
        return f"refs/flux-secret/{what}/{self.name}/{self.branch}"

    async def push(self, commit: str) -> Pushed:
        """Push a commit; raise when the host refuses it, but for having newer ones."""
        git, root = self.clone.git, self.clone.folder.root
        refspec = f"{commit}:refs/heads/{self.branch}"
        done = await git.run(root, "push", "--porcelain", "--", self.name, refspec)
        words = git_words(done) + done.untrusted_stdout.decode(errors="replace")
        if done.returncode == 0:
            return Pushed.TAKEN
        if any(word in words for word in _MOVED):
            return Pushed.MOVED_ON
        raise self._failed("pushed to", words)

    async def leads_to(self, old: str, new: str) -> bool:
        """Say whether `new` contains `old`."""
        words = ("merge-base", "--is-ancestor", old, new)
        return await self.clone.git.ask(self.clone.folder.root, *words) is not None

    async def base(self, ours: str, theirs: str) -> str | None:
        """Give the newest commit that both sides have; None when they have nothing in common."""
        return await self.clone.git.ask(self.clone.folder.root, "merge-base", ours, theirs)

    async def count(self, since: str | None, until: str) -> int:
        """Count the commits that `until` has and `since` has not."""
        words = ("rev-list", "--count", until, *([f"^{since}"] if since else []), "--")
        return int(await self.clone.git.do(self.clone.folder.root, *words))

    def _failed(self, done: str, words: str) -> FluxSecretError:
        kind = kind_of(words) or ConfigurationError
        later = "later" if issubclass(kind, UnreachableError) else "when it is mended"
        return kind(
            f"{self.name} of {self.clone.folder.root} cannot be {done}: {words}",
            remedy=f"what you changed is committed here; {later}: flux-secret store sync",
        )
